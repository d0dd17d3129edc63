//! RESTORE.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{Inspect, InspectKind, Kind, Recovery, Restore, RestoreOptions, Scope, Stop},
    message::{conflict, unsupported_option},
};

impl Parser<'_> {
    pub(super) fn restore(&mut self) -> Parsed<Kind> {
        self.skip();
        match self.one_of(&["DATABASE", "LOG", "HEADERONLY", "FILELISTONLY", "LABELONLY", "VERIFYONLY"]) {
            Some("DATABASE") => self.restore_of(Scope::Database),
            Some("LOG") => self.restore_of(Scope::Log),
            Some("HEADERONLY") => self.inspect(InspectKind::HeaderOnly),
            Some("FILELISTONLY") => self.inspect(InspectKind::FileListOnly),
            Some("LABELONLY") => self.inspect(InspectKind::LabelOnly),
            Some(_) => self.inspect(InspectKind::VerifyOnly),
            None => self.unexpected(),
        }
    }

    fn restore_of(&mut self, scope: Scope) -> Parsed<Kind> {
        let database = self.name_or_variable()?;
        let (mut devices, mut snapshot) = (Vec::new(), None);
        if self.accept("FROM") {
            if scope == Scope::Database && self.accept("DATABASE_SNAPSHOT") {
                self.expect_symbol("=")?;
                snapshot = Some(self.text()?);
            } else {
                devices = self.list(Self::device)?;
            }
        }
        let mut options = RestoreOptions::default();
        if snapshot.is_none() && self.accept("WITH") {
            let mut seen = Vec::new();
            self.list(|parser| parser.restore_option(&mut options, &mut seen))?;
        }
        Ok(Kind::Restore(Restore { scope, database, devices, snapshot, options }))
    }

    fn inspect(&mut self, kind: InspectKind) -> Parsed<Kind> {
        self.expect("FROM")?;
        let devices = self.list(Self::device)?;
        let mut inspect = Inspect { kind, devices, options: RestoreOptions::default(), load_history: false };
        if self.accept("WITH") {
            let mut seen = Vec::new();
            self.list(|parser| parser.inspect_option(&mut inspect, &mut seen))?;
        }
        Ok(Kind::Inspect(inspect))
    }

    fn inspect_option(&mut self, inspect: &mut Inspect, seen: &mut Vec<String>) -> Parsed<()> {
        const ALL: [&str; 10] = [
            "MEDIANAME",
            "CHECKSUM",
            "NO_CHECKSUM",
            "STOP_ON_ERROR",
            "CONTINUE_AFTER_ERROR",
            "REWIND",
            "NOREWIND",
            "UNLOAD",
            "NOUNLOAD",
            "BLOCKSIZE",
        ];
        const VERIFY: [&str; 5] = ["MOVE", "STATS", "BUFFERCOUNT", "MAXTRANSFERSIZE", "LOADHISTORY"];
        let verify = inspect.kind == InspectKind::VerifyOnly;
        let allowed = |word: &&str| self.is_word(word);
        let file = inspect.kind != InspectKind::LabelOnly && self.is_word("FILE");
        if !(file || ALL.iter().any(allowed) || (verify && VERIFY.iter().any(allowed))) {
            let word = self.batch.get(self.here()..self.placed(0).end).unwrap_or_default();
            // An option of another form is refused as such, any other word as bad grammar.
            let known = ["FILE", "RECOVERY", "NORECOVERY", "REPLACE", "RESTART", "STANDBY", "STOPAT"];
            let of_another = known.iter().chain(&VERIFY).any(|known| self.is_word(known));
            return if of_another { Err(self.at_line(unsupported_option(&word.to_lowercase()))) } else { self.unexpected() };
        }
        if self.is_word("LOADHISTORY") {
            self.option_word(seen)?;
            self.skip();
            inspect.load_history = true;
            return Ok(());
        }
        self.restore_option(&mut inspect.options, seen)
    }

    fn restore_option(&mut self, options: &mut RestoreOptions, seen: &mut Vec<String>) -> Parsed<()> {
        if self.accept("MOVE") {
            let logical = self.text()?;
            self.expect("TO")?;
            options.moves.push((logical, self.text()?));
            return Ok(());
        }
        let word = self.option_word(seen)?;
        let at = self.at;
        self.skip();
        match word.as_str() {
            "RECOVERY" | "NORECOVERY" | "STANDBY" => {
                let others = ["RECOVERY", "NORECOVERY", "STANDBY"];
                if let Some(other) = others.iter().find(|other| **other != word && seen.iter().any(|seen| seen == *other)) {
                    return Err(self.at_line(conflict(&word.to_lowercase(), &other.to_lowercase())));
                }
                options.recovery = match word.as_str() {
                    "RECOVERY" => Recovery::Recovery,
                    "NORECOVERY" => Recovery::NoRecovery,
                    _ => Recovery::Standby(self.equal(Self::text)?),
                };
            }
            "FILE" => {
                self.expect_symbol("=")?;
                if self.is_variable() {
                    options.file_variable = Some(self.variable()?);
                } else {
                    options.file = Some(self.whole()?);
                }
            }
            "REPLACE" => options.replace = true,
            "RESTART" => options.restart = true,
            "RESTRICTED_USER" => options.restricted_user = true,
            "CHECKSUM" | "NO_CHECKSUM" => options.checksum = Some(word == "CHECKSUM"),
            "CONTINUE_AFTER_ERROR" | "STOP_ON_ERROR" => options.continue_after_error = Some(word == "CONTINUE_AFTER_ERROR"),
            "STATS" => options.stats = Some(self.stats()?),
            "MEDIANAME" => options.media_name = Some(self.equal(Self::text)?),
            "BLOCKSIZE" => options.block_size = Some(self.equal(Self::whole)?),
            "BUFFERCOUNT" => options.buffer_count = Some(self.equal(Self::whole)?),
            "MAXTRANSFERSIZE" => options.max_transfer_size = Some(self.equal(Self::whole)?),
            "KEEP_REPLICATION" => options.keep_replication = true,
            "ENABLE_BROKER" | "NEW_BROKER" | "ERROR_BROKER_CONVERSATIONS" => options.broker = Some(word),
            "STOPAT" => options.stop = Some(Stop::At(self.equal(Self::text)?)),
            "STOPATMARK" => {
                let mark = self.equal(Self::text)?;
                options.stop = Some(Stop::AtMark(mark, self.after()?));
            }
            "STOPBEFOREMARK" => {
                let mark = self.equal(Self::text)?;
                options.stop = Some(Stop::BeforeMark(mark, self.after()?));
            }
            // For disks they say nothing.
            "REWIND" | "NOREWIND" | "UNLOAD" | "NOUNLOAD" => {}
            _ => {
                self.at = at;
                return self.unexpected();
            }
        }
        if options.keep_replication && options.recovery == Recovery::NoRecovery {
            return Err(self.at_line(conflict("keep_replication", "norecovery")));
        }
        Ok(())
    }

    /// [AFTER time]
    fn after(&mut self) -> Parsed<Option<crate::sql::ast::Text>> {
        if self.accept("AFTER") { self.text().map(Some) } else { Ok(None) }
    }
}
