//! From a seed to a day: a few plots, each a short story of a bad day with random turns, and accidents strewn between.

use super::action::{Action, CAJA, Fate, MAIN, Machine, Prey, Verb};
use super::random::Random;

/// How a round goes. Every list of [`PLOTS`].len() seeds begins with each of them once, so that each kind of event happens.
type Plot = fn(&mut Random, usize) -> Vec<Action>;
pub const PLOTS: [Plot; 9] = [power_cut, hang, planned, stuck, taken_back, two_operators, lost_disk, stopped_verb, quiet];

/// Rounds of a seed; after each the tickets are counted.
pub fn day(seed: u64, tills: usize) -> Vec<Vec<Action>> {
    let mut random = Random::new(seed);
    let first = PLOTS[(seed % PLOTS.len() as u64) as usize];
    let mut rounds = vec![strewn(first, &mut random, tills)];
    for _ in 0..random.between(1, 2) {
        let plot = random.one(&PLOTS);
        rounds.push(strewn(plot, &mut random, tills));
    }
    rounds
}

/// A plot with accidents between.
fn strewn(plot: Plot, random: &mut Random, tills: usize) -> Vec<Action> {
    let mut actions = Vec::new();
    let often = random.one(&[0, 10, 25]);
    for action in plot(random, tills) {
        if random.chance(often) {
            actions.extend(accident(random, tills));
        }
        actions.push(action);
    }
    actions
}

fn quiet(random: &mut Random, tills: usize) -> Vec<Action> {
    let mut actions = vec![Action::OpenTills];
    for _ in 0..random.between(1, 3) {
        actions.push(pause(random));
        let verb = random.weighted(&[(4, Verb::Mirror), (1, Verb::FullMirror)]);
        let fate = fate(random);
        actions.extend(done(random, MAIN, verb, fate));
        if random.chance(40) {
            let fate = self::fate(random);
            actions.extend(done(random, CAJA, Verb::Mirror, fate));
        }
        actions.extend(accident(random, tills));
    }
    actions
}

fn power_cut(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = opened(random);
    actions.push(Action::Off(MAIN));
    actions.extend(promoted(random));
    actions.push(Action::On(MAIN));
    actions.extend(given_back(random));
    actions
}

fn hang(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = opened(random);
    if random.chance(50) {
        actions.push(Action::Do(MAIN, Verb::Mirror, Fate::StoppedAtPoint(random.between(1, 30))));
    }
    actions.push(Action::Hang(MAIN));
    actions.extend(promoted(random));
    actions.push(Action::Wake(MAIN));
    actions.push(pause(random));
    actions.extend(given_back(random));
    actions
}

/// Main answers: a person closed everything there.
fn planned(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = opened(random);
    actions.extend([Action::CloseTills, Action::CloseServer(MAIN)]);
    actions.extend(promoted(random));
    actions.extend(given_back(random));
    actions
}

/// Main comes back while a promote is beyond its point of no return.
fn stuck(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = opened(random);
    let points = ["database.record:before", "database.record:after", "epoch.file:before", "intent.remove:before"];
    let point = random.one(&points);
    actions.extend([
        Action::Hang(MAIN),
        Action::Do(CAJA, Verb::Promote, Fate::KilledAt(point.to_owned())),
        Action::Wake(MAIN),
        Action::Do(CAJA, Verb::Resume, Fate::Runs),
    ]);
    if random.chance(50) {
        actions.push(Action::Do(MAIN, Verb::Server, Fate::Runs));
    }
    actions.extend([Action::KillServer(MAIN), Action::Do(CAJA, Verb::Resume, Fate::Runs), Action::OpenTills, pause(random)]);
    actions.extend(given_back(random));
    actions
}

/// A planned promote is cut short before its point of no return and taken back.
fn taken_back(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = opened(random);
    actions.extend([Action::CloseTills, Action::CloseServer(MAIN)]);
    let point = random.one(&["intent.write:after", "database.bytes:before", "database.bytes:after", "copy.content:before"]);
    actions.push(Action::Do(CAJA, Verb::Promote, Fate::KilledAt(point.to_owned())));
    if random.chance(40) {
        actions.push(Action::Do(MAIN, Verb::Server, Fate::Runs));
    }
    let fate = random.weighted(&[(3, Fate::Runs), (1, Fate::KilledAtPoint(random.clone().between(1, 10)))]);
    actions.extend([Action::Do(CAJA, Verb::Undo, fate), Action::Do(CAJA, Verb::Resume, Fate::Runs)]);
    actions.extend([Action::Do(MAIN, Verb::Server, Fate::Runs), Action::OpenTills, pause(random)]);
    actions
}

/// Two people promote at once, and one promotes while another starts main; in this order or the other.
fn two_operators(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut others = [(CAJA, Verb::Promote), (MAIN, Verb::Server)];
    if random.chance(50) {
        others.reverse();
    }
    for other in others {
        actions.extend(opened(random));
        if other.0 == MAIN || random.chance(40) {
            actions.extend([Action::CloseTills, Action::CloseServer(MAIN)]);
        } else {
            actions.push(Action::Off(MAIN));
        }
        let gap = random.one(&[0, 0, 20, 60]);
        actions.push(if random.chance(50) {
            Action::Together((CAJA, Verb::Promote), other, gap)
        } else {
            Action::Together(other, (CAJA, Verb::Promote), gap)
        });
        actions.extend([Action::OpenTills, pause(random), Action::On(MAIN)]);
        actions.extend(given_back(random));
    }
    actions
}

fn lost_disk(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = opened(random);
    actions.push(Action::DestroyMain);
    if random.chance(50) {
        actions.push(Action::On(MAIN));
        actions.push(Action::Do(MAIN, Verb::Server, Fate::Runs));
    }
    actions.extend(promoted(random));
    actions.push(Action::On(MAIN));
    actions.extend(given_back(random));
    actions
}

/// A verb stands still in the middle, somebody else does something, then it goes on.
fn stopped_verb(random: &mut Random, _: usize) -> Vec<Action> {
    let mut actions = opened(random);
    let off = random.chance(60);
    if off {
        actions.push(Action::Off(MAIN));
    } else {
        actions.extend([Action::CloseTills, Action::CloseServer(MAIN)]);
    }
    actions.push(Action::Do(CAJA, Verb::Promote, Fate::StoppedAtPoint(random.between(1, 25))));
    let between: [(u64, Action); 7] = [
        (3, Action::Do(MAIN, Verb::Server, Fate::Runs)),
        (2, Action::Do(CAJA, Verb::Promote, Fate::Runs)),
        (2, Action::Do(MAIN, Verb::Mirror, Fate::Runs)),
        (1, Action::Do(CAJA, Verb::Mirror, Fate::Runs)),
        (1, Action::Do(CAJA, Verb::Resume, Fate::Runs)),
        (1, Action::OpenTills),
        (1, Action::Do(CAJA, Verb::Undo, Fate::Runs)),
    ];
    if off && random.chance(70) {
        actions.push(Action::On(MAIN));
    }
    for _ in 0..random.between(1, 2) {
        actions.push(random.weighted(&between));
    }
    actions.push(if random.chance(75) { Action::GoVerbs } else { Action::KillVerbs });
    actions.extend([Action::Do(CAJA, Verb::Resume, Fate::Runs), Action::OpenTills, pause(random), Action::On(MAIN)]);
    actions.extend(given_back(random));
    actions
}

/// The shop sells, most often with a fresh mirror.
fn opened(random: &mut Random) -> Vec<Action> {
    let mut actions = vec![Action::Do(MAIN, Verb::Server, Fate::Runs), Action::OpenTills, pause(random)];
    if random.chance(70) {
        actions.extend([Action::Do(MAIN, Verb::Mirror, Fate::Runs), pause(random)]);
    }
    actions
}

/// The backup takes over, more or less smoothly.
fn promoted(random: &mut Random) -> Vec<Action> {
    let fate = fate(random);
    let mut actions = done(random, CAJA, Verb::Promote, fate);
    if random.chance(25) {
        actions.push(Action::Do(CAJA, Verb::Till, Fate::Runs));
    }
    if random.chance(30) {
        actions.push(Action::Do(CAJA, Verb::AcceptLoss, Fate::Runs));
    }
    actions.extend([Action::OpenTills, pause(random)]);
    actions
}

/// Main gets its post back, more or less smoothly.
fn given_back(random: &mut Random) -> Vec<Action> {
    let mut actions = Vec::new();
    if random.chance(60) {
        let fate = fate(random);
        actions.extend(done(random, MAIN, Verb::Server, fate));
    }
    if random.chance(20) {
        actions.push(Action::Do(MAIN, Verb::Mirror, Fate::Runs));
    }
    if random.chance(85) {
        actions.push(Action::CloseTills);
    }
    let fate = fate(random);
    actions.extend(done(random, CAJA, Verb::Restore, fate));
    actions.push(Action::Do(MAIN, Verb::Server, self::fate(random)));
    actions.extend([Action::OpenTills, pause(random)]);
    if random.chance(60) {
        actions.push(Action::Do(MAIN, Verb::Mirror, self::fate(random)));
    }
    actions
}

/// A verb and what follows when it does not run through.
fn done(random: &mut Random, machine: Machine, verb: Verb, fate: Fate) -> Vec<Action> {
    let mut actions = vec![Action::Do(machine, verb, fate.clone())];
    match fate {
        Fate::Runs => {}
        Fate::StoppedAtPoint(_) | Fate::StoppedAfter(_) => {
            if random.chance(50) {
                actions.push(Action::Do(CAJA, random.one(&[Verb::Resume, Verb::Promote, Verb::Status]), Fate::Runs));
            }
            actions.push(pause(random));
            actions.push(if random.chance(75) { Action::GoVerbs } else { Action::KillVerbs });
        }
        _ if random.chance(25) => actions.push(Action::OpenTills),
        _ => {}
    }
    if verb.changes_role() {
        let next = random.weighted(&[(6, Verb::Resume), (2, Verb::Undo), (1, Verb::Promote), (1, Verb::Status)]);
        let fate = if random.chance(25) { self::fate(random) } else { Fate::Runs };
        actions.push(Action::Do(CAJA, next, fate));
        actions.push(Action::Do(CAJA, Verb::Resume, Fate::Runs));
        actions.push(Action::Do(CAJA, verb, Fate::Runs));
    } else if random.chance(70) {
        actions.push(Action::Do(machine, verb, Fate::Runs));
    }
    actions
}

fn fate(random: &mut Random) -> Fate {
    let (point, after) = (random.between(1, 60), random.between(0, 500));
    let early = random.between(1, 25);
    random.weighted(&[
        (8, Fate::Runs),
        (5, Fate::KilledAtPoint(point)),
        (3, Fate::KilledAfter(after)),
        (2, Fate::StoppedAtPoint(early)),
        (1, Fate::StoppedAfter(after)),
    ])
}

/// Something that nobody wanted, and that somebody puts right soon, or not.
fn accident(random: &mut Random, tills: usize) -> Vec<Action> {
    let till = random.between(1, tills as u64) as Machine;
    let other = random.between(2, tills as u64) as Machine;
    let prey = random.one(&[Prey::Program, Prey::Launch, Prey::Both]);
    let side = random.one(&[MAIN, CAJA]);
    let what: [Vec<Action>; 12] = [
        vec![Action::KillTill(till, prey)],
        vec![Action::StopTill(till), pause(random), Action::GoTill(till)],
        vec![Action::StopTill(till)],
        vec![Action::GoTill(till), Action::OpenTill(till)],
        vec![Action::CloseTill(till), Action::OpenTill(till)],
        vec![Action::KillServer(side), Action::Do(side, Verb::Server, Fate::Runs), Action::OpenTills],
        vec![Action::StopServer(side), pause(random), Action::GoServer(side)],
        vec![Action::Off(other), pause(random), Action::On(other)],
        vec![Action::Off(CAJA), Action::Do(MAIN, Verb::Server, Fate::Runs), Action::OpenTills, pause(random), Action::On(CAJA)],
        vec![Action::Hang(other), pause(random), Action::Wake(other)],
        vec![Action::Freeze(side), pause(random), Action::Thaw(side)],
        vec![Action::Do(CAJA, Verb::Mirror, Fate::Runs), Action::Do(MAIN, Verb::Status, Fate::Runs)],
    ];
    random.one(&what)
}

fn pause(random: &mut Random) -> Action {
    Action::Pause(random.one(&[30, 80, 150, 300]))
}

#[test]
fn a_seed_gives_the_same_day_and_every_plot_comes_first_once() {
    assert_eq!(day(5, 3), day(5, 3));
    let days: Vec<_> = (0..PLOTS.len() as u64).map(|seed| day(seed, 3)).collect();
    assert!(days.iter().all(|rounds| (2..=3).contains(&rounds.len())));
    let all: Vec<Action> = days.into_iter().flatten().flatten().collect();
    assert!(all.contains(&Action::DestroyMain) && all.contains(&Action::Wake(MAIN)) && all.contains(&Action::GoVerbs));
}
