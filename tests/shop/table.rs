//! How a verb may end in the state the shop is in: exit code and kind, each with the state in which it is right. What is not in
//! the table is wrong. A refusal says what happened and what to do.

use super::action::{CAJA, MAIN, Verb};
use super::seen::Seen;
use super::yard::{Ended, Job};

/// Judges an end. `disturbed`: something else happened meanwhile, so that the shop was in states that nobody saw.
pub fn judge(job: &Job, ended: &Ended, after: &Seen, disturbed: bool) -> Result<(), String> {
    if ended.code == 137 {
        return if job.killed { Ok(()) } else { Err("it ended by a signal that nobody sent".to_owned()) };
    }
    if ended.object.is_null() {
        return Err("it printed no object".to_owned());
    }
    // `status` prints what it saw, and no code.
    if job.verb != Verb::Status && ended.object["code"].as_i64() != Some(i64::from(ended.code)) {
        return Err("the code in its object is another one".to_owned());
    }
    if ended.code != 0 {
        if ended.message().is_empty() {
            return Err("it says nothing".to_owned());
        }
        if ended.hint().is_empty() && !disturbed {
            return Err("it does not say what to do".to_owned());
        }
    }
    let right = Rules { job, before: &job.before, after, disturbed }.allow(ended.code, ended.kind());
    right.then_some(()).ok_or_else(|| "that is no right end in this state".to_owned())
}

struct Rules<'a> {
    job: &'a Job,
    before: &'a Seen,
    after: &'a Seen,
    disturbed: bool,
}

impl Rules<'_> {
    /// It held before or after; where others acted meanwhile nobody knows.
    fn at(&self, holds: impl Fn(&Seen) -> bool) -> bool {
        self.disturbed || !self.before.known || !self.after.known || holds(self.before) || holds(self.after)
    }

    fn holder(&self, side: &str) -> bool {
        self.at(|seen| seen.holder == side)
    }

    /// Somebody uses main or the backup, whether they say so or not.
    fn in_use(&self) -> bool {
        self.at(|seen| seen.tills > 0 || seen.main_serves || seen.backup_serves)
    }

    fn announced(&self) -> bool {
        self.at(|seen| seen.intent || !seen.open.is_empty())
    }

    fn main_away(&self) -> bool {
        self.at(|seen| !seen.main_there)
    }

    fn caja_away(&self) -> bool {
        self.at(|seen| !seen.caja_there)
    }

    fn allow(&self, code: i32, kind: &str) -> bool {
        // Whoever waits for a lock that another one holds.
        match (code, kind) {
            (10, "busy" | "run_is_running") => return self.disturbed,
            // Somebody stands still in the middle of a commit.
            (10, "journal") => return self.disturbed,
            (10, "role_change_open") => return self.announced(),
            // We killed SvrPdv while it was being started, or a restore closed it.
            (1, "program_ended") => return self.disturbed,
            _ => {}
        }
        match (self.job.verb, self.job.machine) {
            (Verb::Status, _) => code == 0,
            (Verb::Mirror | Verb::FullMirror, MAIN) => self.mirror_on_main(code, kind),
            (Verb::Mirror | Verb::FullMirror, _) => self.mirror_on_the_caja(code, kind),
            (Verb::Promote | Verb::AcceptLoss, _) => self.promote(code, kind),
            (Verb::Restore, _) => self.restore(code, kind),
            (Verb::Resume, _) => self.resume(code, kind),
            (Verb::Undo, _) => self.undo(code, kind),
            (Verb::Server, MAIN) => self.server_of_main(code, kind),
            (Verb::Server, CAJA) => self.server_of_the_caja(code, kind),
            (Verb::Server, _) => (code, kind) == (4, "not_a_server"),
            (Verb::Till, machine) => self.till(code, kind, machine),
        }
    }

    fn mirror_on_main(&self, code: i32, kind: &str) -> bool {
        match (code, kind) {
            (0, _) => self.holder("main") && self.at(|seen| seen.caja_there),
            (1, "target_unavailable") => self.caja_away(),
            (1, _) => self.disturbed && self.caja_away(),
            (4, "database_not_open") => self.at(|seen| seen.main_state != "open"),
            (4, "awaiting_start") => self.at(|seen| seen.awaiting),
            (11, "database_behind") => self.at(|seen| seen.main_state != "open"),
            (11, "not_the_holder" | "superseded") => self.holder("backup") || self.announced(),
            _ => false,
        }
    }

    fn mirror_on_the_caja(&self, code: i32, kind: &str) -> bool {
        match (code, kind) {
            (0, _) => self.at(|seen| seen.backup_state != "open"),
            (4, "backup_holds") => self.at(|seen| seen.backup_state == "open"),
            _ => false,
        }
    }

    fn promote(&self, code: i32, kind: &str) -> bool {
        match (code, kind) {
            (0, _) => self.disturbed || self.before.holder == "main",
            (4, "already_promoted") => self.holder("backup"),
            (4, "main_in_use" | "main_serves" | "tills_operating") => self.in_use(),
            (4, "main_is_back") => self.at(|seen| seen.main_there) && self.disturbed,
            // The backup has only what the last restore closed: nobody can say how old that is.
            (4, "loss_not_accepted") => self.job.verb == Verb::Promote && self.at(|seen| seen.backup_state == "fenced"),
            (12, _) => self.at(|seen| seen.main_serves),
            _ => false,
        }
    }

    fn restore(&self, code: i32, kind: &str) -> bool {
        match (code, kind) {
            (0, _) => self.disturbed || self.before.holder == "backup",
            (4, "backup_does_not_hold") => self.holder("main"),
            (4, "main_unreachable") => self.main_away(),
            (4, "tills_operating") => self.in_use(),
            (1, _) => self.disturbed && self.main_away(),
            _ => false,
        }
    }

    fn resume(&self, code: i32, kind: &str) -> bool {
        let open = self.disturbed || !self.before.open.is_empty();
        match (code, kind) {
            (1, "nothing_to_resume") => self.disturbed || self.before.open.is_empty(),
            (0, _) => open,
            (4, "main_serves" | "main_in_use" | "tills_operating") => open && self.in_use(),
            (4, "main_is_back") => open && self.at(|seen| seen.main_there),
            (4, "main_unreachable") => open && self.main_away(),
            (12, _) => open && self.at(|seen| seen.main_serves || !seen.main_there),
            (1, _) => open && self.disturbed && self.main_away(),
            _ => false,
        }
    }

    fn undo(&self, code: i32, kind: &str) -> bool {
        match (code, kind) {
            (0, _) | (4, "beyond_the_point") => true,
            (4, "run_ended") => self.disturbed,
            (12, _) => self.main_away(),
            _ => false,
        }
    }

    fn server_of_main(&self, code: i32, kind: &str) -> bool {
        match (code, kind) {
            (0, _) => self.holder("main"),
            (11, "superseded" | "not_the_holder") => self.holder("backup") || self.announced(),
            (11, "database_behind") => self.at(|seen| seen.main_state != "open"),
            (4, "tills_operating") => self.at(|seen| seen.awaiting) && self.in_use(),
            (4, "main_no_connection") => self.at(|seen| seen.main_state != "open"),
            _ => false,
        }
    }

    fn server_of_the_caja(&self, code: i32, kind: &str) -> bool {
        match (code, kind) {
            (0, _) => self.holder("backup"),
            (4, "backup_does_not_hold") => self.holder("main") || self.announced(),
            (4, "main_down") => self.at(|seen| !seen.main_there || seen.main_state != "open"),
            _ => false,
        }
    }

    /// A till's launch lives as long as its program: much may happen meanwhile.
    fn till(&self, code: i32, kind: &str, machine: usize) -> bool {
        match (code, kind) {
            (0, _) => true,
            // A till that remembers the backup does not go back to main while the caja is away.
            (4, "not_serving" | "server_gone" | "till_no_server") => self.at(|seen| !seen.served() || !seen.caja_there),
            (4, "main_down") => machine == CAJA && self.at(|seen| !seen.main_there || seen.main_state != "open"),
            (1, "program_failed") => self.job.prey,
            (11, "server_behind") => self.disturbed,
            _ => false,
        }
    }
}
