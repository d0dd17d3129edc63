//! What may happen in the shop, as data: made from a seed, printed in the trace, read from a trace again.

use serde::{Deserialize, Serialize};

/// A machine by the number of its place in the harness' list: 0 main, 1 the caja, 2… the other tills.
pub type Machine = usize;
pub const MAIN: Machine = 0;
pub const CAJA: Machine = 1;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The shop goes on for so many milliseconds.
    Pause(u64),
    /// Cashiers start PosPdv wherever it does not run.
    OpenTills,
    /// Cashiers close PosPdv everywhere and wait until it has ended.
    CloseTills,
    OpenTill(Machine),
    CloseTill(Machine),
    /// SIGKILL to PosPdv, to its launch, or to both.
    KillTill(Machine, Prey),
    StopTill(Machine),
    GoTill(Machine),
    /// A person closes SvrPdv of main or of the caja.
    CloseServer(Machine),
    KillServer(Machine),
    StopServer(Machine),
    GoServer(Machine),
    /// A verb, by a person who waits for it.
    Do(Machine, Verb, Fate),
    /// Two verbs at once, the second so many milliseconds later.
    Together((Machine, Verb), (Machine, Verb), u64),
    /// Stopped verbs go on, and end.
    GoVerbs,
    KillVerbs,
    /// Power cut: its processes are killed and its disk is away.
    Off(Machine),
    On(Machine),
    /// It hangs and nobody reaches it; its processes go on where they stopped when it wakes up.
    Hang(Machine),
    Wake(Machine),
    /// Its processes stand still, its disk can be reached.
    Freeze(Machine),
    Thaw(Machine),
    /// Power cut, and the disk with main's instance never comes back.
    DestroyMain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prey {
    Program,
    Launch,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Mirror,
    FullMirror,
    Promote,
    /// With `--accept-loss`, a reason and the PIN.
    AcceptLoss,
    Restore,
    Resume,
    /// Of the run that is open.
    Undo,
    Status,
    /// `launch --program svrpdv`
    Server,
    /// `launch --program pospdv`, with nobody to answer a question.
    Till,
}

/// What becomes of a verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Runs,
    /// It is killed when it has passed so many labelled points.
    KilledAtPoint(u64),
    /// It is killed at exactly this point, `label:before|after[:times]`.
    KilledAt(String),
    KilledAfter(u64),
    StoppedAtPoint(u64),
    StoppedAfter(u64),
}

impl Verb {
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Verb::Mirror => &["mirror"],
            Verb::FullMirror => &["mirror", "--full"],
            Verb::Promote => &["promote"],
            Verb::AcceptLoss => &["--pin-fd", "0", "promote", "--accept-loss", "--reason", "prueba"],
            Verb::Restore => &["restore"],
            Verb::Resume => &["resume"],
            Verb::Undo => &["undo"],
            Verb::Status => &["status"],
            Verb::Server => &["launch", "--program", "svrpdv"],
            Verb::Till => &["launch", "--program", "pospdv"],
        }
    }

    /// Does it change who holds the post?
    pub fn changes_role(self) -> bool {
        matches!(self, Verb::Promote | Verb::AcceptLoss | Verb::Restore | Verb::Resume | Verb::Undo)
    }
}
