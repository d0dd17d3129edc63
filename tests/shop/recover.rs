//! The faults have stopped: a person who reads what relevo says, and does just that, gets the shop back within a bounded number of
//! steps. Main serves, every till sells, the mirror runs and is verified.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::action::{CAJA, Fate, MAIN, Verb};
use super::yard::{Ended, LONGEST, Yard};

/// Commands that a person may need; most days end within ten.
const STEPS: usize = 24;
const SELL_WITHIN: Duration = Duration::from_secs(20);

impl Yard {
    /// Recovers the shop; what is wrong afterwards is a finding.
    pub fn recover(&mut self) {
        self.faults_stop();
        self.patience = LONGEST;
        let mut verb = Verb::Resume;
        let mut machine = CAJA;
        for step in 0..STEPS {
            let Some(ended) = self.perform(machine, verb, &Fate::Runs) else {
                return self.broken("a verb did not end although nobody disturbs it");
            };
            match self.what_next(machine, verb, &ended) {
                Next::Do(next_machine, next) => (machine, verb) = (next_machine, next),
                Next::Sell => {
                    self.counts.many("steps of recovery", step as u64 + 1);
                    return self.sell_again();
                }
                Next::Helpless => {
                    return self.broken(format!(
                        "nobody knows what to do after {verb:?}: {} → {}",
                        ended.message(),
                        ended.hint()
                    ));
                }
            }
        }
        self.broken(format!("the shop is not back after {STEPS} commands"));
    }

    /// What the message asks for. Its words are for people; the kind is what a test may rely on.
    fn what_next(&mut self, machine: usize, verb: Verb, ended: &Ended) -> Next {
        let again = Next::Do(machine, verb);
        match (verb, ended.code, ended.kind()) {
            (Verb::Resume, 0, _) | (Verb::Resume, 1, "nothing_to_resume") => self.after_the_runs(),
            (Verb::Promote | Verb::AcceptLoss, 0, _) | (_, 4, "already_promoted") => Next::Do(CAJA, Verb::Restore),
            (Verb::Restore, 0, _) | (_, 4, "backup_does_not_hold") => Next::Do(MAIN, Verb::Server),
            (Verb::Server, 0, _) => Next::Sell,
            // "close PosPdv and SvrPdv on those machines and repeat"
            (_, 4 | 12, "tills_operating" | "main_in_use" | "main_serves") => {
                self.close_tills();
                self.close_server(MAIN);
                again
            }
            (_, 4, "main_is_back") => again,
            (_, 4, "loss_not_accepted") => Next::Do(CAJA, Verb::AcceptLoss),
            // "another run is at work: wait until it ends, then repeat"
            (_, 10, "busy" | "run_is_running" | "journal") => {
                std::thread::sleep(Duration::from_millis(200));
                again
            }
            (_, 10, "role_change_open") => Next::Do(CAJA, Verb::Resume),
            // "to come back: relevo restore on the caja/servidor"
            (Verb::Server, 11, "superseded") => Next::Do(CAJA, Verb::Restore),
            // "its database is missing or older: relevo promote on the caja/servidor"
            (Verb::Server, 11, "database_behind") => Next::Do(CAJA, Verb::Promote),
            // "its own instance does not answer"
            (Verb::Server, 4, "main_no_connection") => Next::Do(CAJA, Verb::Promote),
            _ => Next::Helpless,
        }
    }

    /// No run is open: whoever holds the post decides. Tills are closed before the post is given back.
    fn after_the_runs(&mut self) -> Next {
        let seen = self.look();
        if !seen.open.is_empty() {
            return Next::Do(CAJA, Verb::Resume);
        }
        match seen.holder.as_str() {
            "backup" => {
                self.serves_then(CAJA);
                self.close_tills();
                Next::Do(CAJA, Verb::Restore)
            }
            _ => Next::Do(MAIN, Verb::Server),
        }
    }

    /// I5: the holder's launch serves.
    fn serves_then(&mut self, machine: usize) {
        if let Some(ended) = self.perform(machine, Verb::Server, &Fate::Runs)
            && ended.code != 0
        {
            self.broken(format!("I5: the holder's launch does not serve: {} {}", ended.code, ended.message()));
        }
    }

    fn sell_again(&mut self) {
        let before: Vec<usize> = (0..self.tills.len()).map(|till| self.sold(till).len()).collect();
        let until = Instant::now() + SELL_WITHIN;
        loop {
            for till in 1..self.tills.len() {
                if self.tills[till].is_none() {
                    self.act(&super::action::Action::OpenTill(till));
                }
            }
            self.reap();
            let silent: Vec<usize> = (1..self.tills.len()).filter(|till| self.sold(*till).len() <= before[*till]).collect();
            if silent.is_empty() {
                break;
            }
            if Instant::now() > until {
                return self.broken(format!("tills do not sell although main serves: {silent:?}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.mirror_works();
    }

    fn mirror_works(&mut self) {
        for _ in 0..2 {
            match self.perform(MAIN, Verb::Mirror, &Fate::Runs) {
                Some(ended) if ended.code == 0 && (ended.object["verified"] == true || ended.object["kind"] == "skip") => {}
                Some(ended) => return self.broken(format!("the mirror does not work: {} {}", ended.object, ended.err)),
                None => return self.broken("the mirror does not end"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.close_tills();
    }

    /// What every machine says at the end, and what `orphans` reports.
    pub fn told(&mut self) -> Value {
        for machine in 0..self.shop.machines.len() {
            let name = self.name(machine).to_owned();
            let status = self.shop.status(&name);
            let right = status["holder"] == "main" && status["serving"] == "main" && status["runs_open"] == serde_json::json!([]);
            if !right {
                self.broken(format!("I5: {name} says: {status}"));
            }
            if machine == CAJA && status["mirror"]["verified_at"].is_null() {
                self.broken(format!("no verified copy: {status}"));
            }
        }
        let verified = self.shop.json("caja", &["target", "verify", "local"]);
        if verified.code != 0 || verified.json()["ok"] != true {
            self.broken(format!("the copies are not sound: {}{}", verified.out, verified.err));
        }
        self.shop.json("caja", &["orphans"]).expect(0).json()
    }
}

enum Next {
    Do(usize, Verb),
    Sell,
    Helpless,
}
