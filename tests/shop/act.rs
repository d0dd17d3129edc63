//! Performs one action. What cannot happen now (a machine that is off runs nothing) is skipped and noted.

use std::time::{Duration, Instant};

use super::action::{Action, Fate, MAIN, Machine, Prey, Verb};
use super::processes;
use super::yard::{Ended, Power, Yard};

/// How long cashiers may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(8);

impl Yard {
    pub fn act(&mut self, action: &Action) {
        self.reap();
        self.note(format!("{action:?}"));
        self.actions.push(action.clone());
        match action {
            Action::Pause(ms) => std::thread::sleep(Duration::from_millis(*ms)),
            Action::OpenTills => (1..self.tills.len()).for_each(|till| self.open_till(till)),
            Action::CloseTills => self.close_tills(),
            Action::OpenTill(till) => self.open_till(*till),
            Action::CloseTill(till) => self.close_till(*till),
            Action::KillTill(till, prey) => self.kill_till(*till, *prey),
            Action::StopTill(till) => self.signal_programs(*till, "pospdv", "STOP"),
            Action::GoTill(till) => self.signal_programs(*till, "pospdv", "CONT"),
            Action::CloseServer(side) => self.close_server(*side),
            Action::KillServer(side) => self.signal_programs(*side, "svrpdv", "KILL"),
            Action::StopServer(side) => self.signal_programs(*side, "svrpdv", "STOP"),
            Action::GoServer(side) => self.signal_programs(*side, "svrpdv", "CONT"),
            Action::Do(machine, verb, fate) => drop(self.perform(*machine, *verb, fate)),
            Action::Together(first, second, gap) => self.together(*first, *second, *gap),
            Action::GoVerbs => self.verbs_go(),
            Action::KillVerbs => self.kill_verbs(),
            Action::Off(machine) => self.set_power(*machine, Power::Off),
            Action::On(machine) | Action::Wake(machine) | Action::Thaw(machine) => {
                if *machine == MAIN && self.power[MAIN] == Power::Hung {
                    self.counts.add("a hung main that woke up");
                }
                self.set_power(*machine, Power::On);
            }
            Action::Hang(machine) => self.set_power(*machine, Power::Hung),
            Action::Freeze(machine) => self.set_power(*machine, Power::Frozen),
            Action::DestroyMain => self.destroy_main(),
        }
        self.reap();
    }

    /// A verb, waited for.
    pub fn perform(&mut self, machine: Machine, verb: Verb, fate: &Fate) -> Option<Ended> {
        let open = verb == Verb::Till && self.tills[machine].is_some();
        let Some(job) = (if open { None } else { self.start(machine, verb, fate) }) else {
            self.note("  nobody can");
            return None;
        };
        self.stand_before(job, fate)
    }

    fn together(&mut self, first: (Machine, Verb), second: (Machine, Verb), gap: u64) {
        // Looked at before the first begins, so that nothing comes between the two.
        let before = self.look();
        let Some(one) = self.start_in(before.clone(), first.0, first.1, &Fate::Runs) else { return self.note("  nobody can") };
        self.jobs.push(one);
        std::thread::sleep(Duration::from_millis(gap));
        let Some(two) = self.start_in(before, second.0, second.1, &Fate::Runs) else { return };
        let what = if first.0 == second.0 { "two operators at once" } else { "a promote beside a launch" };
        let both = self.jobs.last_mut().is_some_and(|one| one.child.try_wait().unwrap().is_none());
        if both {
            self.counts.add(what);
        }
        self.stand_before(two, &Fate::Runs);
        let until = Instant::now() + Duration::from_secs(3);
        while !self.jobs.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            self.reap();
        }
    }

    fn open_till(&mut self, till: Machine) {
        if self.tills[till].is_some() || self.power[till] != Power::On {
            return;
        }
        let _ = std::fs::remove_file(self.close_file(till));
        // A program whose launch was killed sells on beside the new one, as a second window would.
        self.tills[till] = self.start(till, Verb::Till, &Fate::Runs);
    }

    fn close_till(&mut self, till: Machine) {
        if self.power[till] == Power::On {
            std::fs::write(self.close_file(till), b"").unwrap();
        }
    }

    /// As far as somebody stands before a till that moves.
    pub fn close_tills(&mut self) {
        for till in 1..self.tills.len() {
            self.close_till(till);
            if self.power[till] == Power::On {
                self.signal_programs(till, "pospdv", "CONT");
            }
        }
        let until = Instant::now() + CLOSE_WITHIN;
        let open = |yard: &Yard| {
            (1..yard.tills.len()).any(|till| {
                yard.power[till] == Power::On
                    && (yard.tills[till].is_some() || !processes::running(&yard.store(till), "pospdv").is_empty())
            })
        };
        while open(self) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
            self.reap();
        }
    }

    fn kill_till(&mut self, till: Machine, prey: Prey) {
        if let Some(job) = self.tills[till].as_mut() {
            let launch = job.child.id();
            match prey {
                Prey::Program => job.prey = true,
                Prey::Launch | Prey::Both => job.killed = true,
            }
            self.disturbances += 1;
            if prey == Prey::Launch {
                self.known.two_windows.insert(till);
            }
            if prey != Prey::Program {
                processes::signal("KILL", &[launch]);
            }
        }
        if prey != Prey::Launch {
            self.signal_programs(till, "pospdv", "KILL");
        }
    }

    /// A signal to the stand-ins of a machine.
    pub fn signal_programs(&mut self, machine: Machine, program: &str, signal: &str) {
        let pids = processes::running(&self.store(machine), program);
        if !pids.is_empty() && self.power[machine] == Power::On {
            processes::signal(signal, &pids);
            self.disturbances += 1;
        }
    }

    /// A person closes SvrPdv.
    pub fn close_server(&mut self, machine: Machine) {
        self.signal_programs(machine, "svrpdv", "TERM");
        let until = Instant::now() + Duration::from_secs(2);
        while !processes::running(&self.store(machine), "svrpdv").is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stopped verbs go on, and are waited for.
    pub fn verbs_go(&mut self) {
        for job in &mut self.jobs {
            if job.stopped && self.power[job.machine] == Power::On {
                self.counts.add("a stopped verb that went on");
                job.stopped = false;
                processes::signal("CONT", &[job.child.id()]);
            }
        }
        self.disturbances += 1;
        let until = Instant::now() + Duration::from_secs(5);
        while !self.jobs.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            self.reap();
        }
    }

    fn kill_verbs(&mut self) {
        for job in &mut self.jobs {
            job.killed = true;
            processes::signal("KILL", &[job.child.id()]);
        }
        let until = Instant::now() + Duration::from_secs(5);
        while !self.jobs.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            self.reap();
        }
    }

    fn destroy_main(&mut self) {
        self.set_power(MAIN, Power::Off);
        self.remember_what_is_kept();
        let instance = self.instance(MAIN);
        std::fs::remove_dir_all(&instance).unwrap();
        std::fs::create_dir_all(&instance).unwrap();
        self.known.disk_lost();
        self.counts.add("a disk of main that never came back");
    }

    /// The faults stop: everything is switched on, nothing stands still, and what was begun ends.
    pub fn faults_stop(&mut self) {
        self.note("the faults stop");
        for machine in 0..self.shop.machines.len() {
            self.set_power(machine, Power::On);
            for program in ["svrpdv", "pospdv"] {
                self.signal_programs(machine, program, "CONT");
            }
        }
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            self.verbs_go();
            if self.jobs.is_empty() {
                return;
            }
            if Instant::now() > until {
                let still: Vec<String> = self.jobs.iter().map(|job| format!("#{} {:?}", job.number, job.verb)).collect();
                return self.broken(format!("verbs never end although nobody disturbs them: {still:?}"));
            }
        }
    }
}
