//! BACKUP, and the devices that RESTORE shares with it.

use super::{Parsed, Parser};
use crate::sql::{
    ast::{Backup, BackupOptions, Device, Kind, Scope},
    message::{conflict, unsupported_option},
    token::Token,
};

/// Options that are switches: the word, and the one that says the opposite.
const PAIRS: [(&str, &str); 6] = [
    ("FORMAT", "NOFORMAT"),
    ("INIT", "NOINIT"),
    ("SKIP", "NOSKIP"),
    ("CHECKSUM", "NO_CHECKSUM"),
    ("CONTINUE_AFTER_ERROR", "STOP_ON_ERROR"),
    ("COMPRESSION", "NO_COMPRESSION"),
];

impl Parser<'_> {
    pub(super) fn backup(&mut self) -> Parsed<Kind> {
        self.skip();
        let scope = match self.one_of(&["DATABASE", "LOG"]) {
            Some("DATABASE") => Scope::Database,
            Some(_) => Scope::Log,
            None => return self.unexpected(),
        };
        let database = self.name_or_variable()?;
        self.expect("TO")?;
        let devices = self.list(Self::device)?;
        let mut options = BackupOptions::default();
        let mut seen = Vec::new();
        if self.accept("WITH") {
            self.list(|parser| parser.backup_option(scope, &mut options, &mut seen))?;
        }
        Ok(Kind::Backup(Backup { scope, database, devices, options }))
    }

    /// DISK = path, or the name of a device.
    pub(super) fn device(&mut self) -> Parsed<Device> {
        if self.accept("DISK") {
            self.expect_symbol("=")?;
            return self.text().map(Device::Disk);
        }
        self.name_or_variable().map(Device::Logical)
    }

    /// The word of an option, in upper case, once only.
    pub(super) fn option_word(&mut self, seen: &mut Vec<String>) -> Parsed<String> {
        let Token::Word(word) = self.peek() else { return self.unexpected() };
        let word = word.to_ascii_uppercase();
        if seen.contains(&word) {
            return Err(self.at_line(conflict(&word, &word)));
        }
        let opposite = PAIRS.iter().find_map(|(yes, no)| match word.as_str() {
            word if word == *yes => Some(*no),
            word if word == *no => Some(*yes),
            _ => None,
        });
        if let Some(opposite) = opposite.filter(|opposite| seen.iter().any(|seen| seen == opposite)) {
            return Err(self.at_line(conflict(&word, opposite)));
        }
        seen.push(word.clone());
        Ok(word)
    }

    fn backup_option(&mut self, scope: Scope, options: &mut BackupOptions, seen: &mut Vec<String>) -> Parsed<()> {
        let word = self.option_word(seen)?;
        let of_log = ["NORECOVERY", "STANDBY", "NO_TRUNCATE"].contains(&word.as_str());
        let of_database = word == "DIFFERENTIAL";
        if (of_log && scope == Scope::Database) || (of_database && scope == Scope::Log) {
            return Err(self.at_line(unsupported_option(&word.to_lowercase())));
        }
        let at = self.at;
        self.skip();
        match word.as_str() {
            "DIFFERENTIAL" => options.differential = true,
            "COPY_ONLY" => options.copy_only = true,
            "FORMAT" | "NOFORMAT" => options.format = Some(word == "FORMAT"),
            "INIT" | "NOINIT" => options.init = Some(word == "INIT"),
            "SKIP" | "NOSKIP" => options.skip = Some(word == "SKIP"),
            "CHECKSUM" | "NO_CHECKSUM" => options.checksum = Some(word == "CHECKSUM"),
            "CONTINUE_AFTER_ERROR" | "STOP_ON_ERROR" => options.continue_after_error = Some(word == "CONTINUE_AFTER_ERROR"),
            "COMPRESSION" => self.compression(options)?,
            "NO_COMPRESSION" => options.compression = Some(false),
            "STATS" => options.stats = Some(self.stats()?),
            "NAME" => options.name = Some(self.equal(Self::text)?),
            "DESCRIPTION" => options.description = Some(self.equal(Self::text)?),
            "MEDIANAME" => options.media_name = Some(self.equal(Self::text)?),
            "MEDIADESCRIPTION" => options.media_description = Some(self.equal(Self::text)?),
            "EXPIREDATE" => options.expire_date = Some(self.equal(Self::text)?),
            "RETAINDAYS" => options.retain_days = Some(self.equal(Self::whole)?),
            "BLOCKSIZE" => options.block_size = Some(self.equal(Self::whole)?),
            "BUFFERCOUNT" => options.buffer_count = Some(self.equal(Self::whole)?),
            "MAXTRANSFERSIZE" => options.max_transfer_size = Some(self.equal(Self::whole)?),
            "NORECOVERY" => options.no_recovery = true,
            "STANDBY" => options.standby = Some(self.equal(Self::text)?),
            "NO_TRUNCATE" => options.no_truncate = true,
            // For disks they say nothing.
            "REWIND" | "NOREWIND" | "UNLOAD" | "NOUNLOAD" | "RESTART" => {}
            _ => {
                self.at = at;
                return self.unexpected();
            }
        }
        if options.no_recovery && options.standby.is_some() {
            return Err(self.at_line(conflict("norecovery", "standby")));
        }
        if options.format == Some(true) && options.init == Some(false) {
            return Err(self.at_line(conflict("noinit", "format")));
        }
        if options.expire_date.is_some() && options.retain_days.is_some() {
            return Err(self.at_line(conflict("retaindays", "expiredate")));
        }
        Ok(())
    }

    /// = value
    pub(super) fn equal<T>(&mut self, value: fn(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.expect_symbol("=")?;
        value(self)
    }

    /// [= percent]
    pub(super) fn stats(&mut self) -> Parsed<Option<i64>> {
        if self.accept_symbol("=") { self.whole().map(Some) } else { Ok(None) }
    }

    /// [(ALGORITHM = x [, LEVEL = y])], after COMPRESSION.
    fn compression(&mut self, options: &mut BackupOptions) -> Parsed<()> {
        options.compression = Some(true);
        if !self.accept_symbol("(") {
            return Ok(());
        }
        self.expect("ALGORITHM")?;
        self.expect_symbol("=")?;
        let Some(algorithm) = self.one_of(&["MS_XPRESS", "QAT_DEFLATE", "ZSTD"]) else { return self.unexpected() };
        options.algorithm = Some(algorithm.to_owned());
        if self.accept_symbol(",") {
            self.expect("LEVEL")?;
            self.expect_symbol("=")?;
            let Some(level) = self.one_of(&["LOW", "MEDIUM", "HIGH"]) else { return self.unexpected() };
            options.level = Some(level.to_owned());
        }
        self.expect_symbol(")")
    }
}
