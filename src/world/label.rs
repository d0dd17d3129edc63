//! The names of all effects. Crash tests read them from the binary (`relevo labels`, debug builds), so a new one is covered
//! by being listed here, and a listed one that no test reaches makes them fail.

macro_rules! labels {
    ($($case:ident => $name:literal, $doc:literal;)+) => {
        /// An effect on the outside that a crash can cut in two.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Label { $(#[doc = $doc] $case),+ }

        impl Label {
            /// Every label.
            pub const ALL: &'static [Label] = &[$(Label::$case),+];

            /// The stable name, as tests and logs write it.
            pub fn name(self) -> &'static str {
                match self { $(Label::$case => $name),+ }
            }
        }
    };
}

labels! {
    JournalCommit => "journal.commit", "events of a run become durable";
    SignalWrite => "signal.write", "SvrBak.txt, VecBak.txt, PosBak.txt or FecBak.txt is written";
    SignalRemove => "signal.remove", "PosBak.txt is removed";
    IntentWrite => "intent.write", "relevo.intent is written";
    IntentRemove => "intent.remove", "relevo.intent is removed";
    EpochFile => "epoch.file", "relevo.epoch is replaced";
    DatabaseIdentify => "database.identify", "the database gets its identity";
    DatabaseRecord => "database.record", "the epoch record is committed in BDPdv";
    DatabaseBytes => "database.bytes", "the header bytes that say open, standby or fenced change";
    DatabaseIncoming => "database.incoming", "pages of the database that comes back are written beside the old one";
    DatabaseKeep => "database.keep", "the old main database is renamed aside";
    DatabasePlace => "database.place", "the new main database is renamed into place";
    PagesTable => "pages.table", "the table of page hashes is replaced";
    StandbyState => "standby.state", "standby.json is replaced";
    StandbyPages => "standby.pages", "pages are written into the standby";
    StandbyPlace => "standby.place", "a verified full copy is renamed into place as the standby";
    CopyContent => "copy.content", "the content of a copy becomes visible on a target";
    CopyManifest => "copy.manifest", "the manifest of a copy becomes visible: the copy is committed";
    CopyRemove => "copy.remove", "an object of a copy is removed from a target";
    SeatsRelease => "seats.release", "licence seats of dead terminals are freed";
    ServerExecute => "server.execute", "a script's statement changes the store's database";
    ServiceStart => "service.start", "a program is started";
    ServiceStop => "service.stop", "a program is stopped";
    ServiceInfo => "service.info", "the file that says which process serves is replaced";
    FilesWrite => "files.write", "a script writes or copies a file";
    FilesRemove => "files.remove", "a script removes a file";
    StateWrite => "state.write", "a file of the store's state folder is replaced";
    ShortcutRemove => "shortcut.remove", "the desktop shortcut of the server program is removed";
}

impl std::str::FromStr for Label {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Label::ALL.iter().copied().find(|label| label.name() == name).ok_or(())
    }
}
