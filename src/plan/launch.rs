//! What a launch may start: by role, epoch and who serves. Pure; the effects are in cli/launch.rs and steps/post.rs.

use crate::error::{Exit, Failure};
use crate::model::{DatabaseState, EpochRecord, Look, Program, Role, Side};
use crate::plan::saga::refuse_open_intent;
use crate::text;
use crate::text::Text;

/// What a launch is decided from.
#[derive(Clone, Debug)]
pub struct LaunchFacts {
    /// This machine.
    pub role: Role,
    /// The program.
    pub program: Program,
    /// Main, as seen from here.
    pub main: Look,
    /// The backup, as seen from here.
    pub backup: Look,
    /// The highest record this machine ever saw.
    pub remembered: Option<EpochRecord>,
    /// The own SvrPdv is alive (asked apart from `serving`, which this launch's own gate makes true).
    pub own_server_alive: bool,
}

/// The decision.
#[derive(Clone, Debug, PartialEq)]
pub enum LaunchPlan {
    /// Start SvrPdv on main.
    StartServer,
    /// SvrPdv is alive already.
    AlreadyServing,
    /// Start SvrPdv on the caja, which holds the epoch.
    Serve,
    /// Start PosPdv against this server.
    StartTill {
        /// Which.
        side: Side,
    },
    /// The caja may take over: ask the person.
    Offer,
    /// Main meets a higher epoch: refused; with `fence` its database is closed and its tail saved.
    Superseded {
        /// The higher record.
        record: EpochRecord,
        /// Close the database (not while only an intent says so).
        fence: bool,
    },
    /// Main's first start after a restore: prove that nobody operates, then start.
    ProveNobody,
    /// The rules refuse it.
    Refuse(Failure),
}

/// Decides.
pub fn launch(facts: &LaunchFacts) -> LaunchPlan {
    match facts.program {
        Program::Svrpdv => server(facts),
        Program::Pospdv => till(facts),
    }
}

/// The highest record in sight. In one epoch the one that was started after a restore wins over the one still waiting.
fn highest(facts: &LaunchFacts) -> EpochRecord {
    let seen = [&facts.main.record, &facts.backup.record, &facts.remembered];
    let own = seen.into_iter().flatten().max_by_key(|r| (r.epoch, !r.awaiting_start));
    own.cloned().unwrap_or_else(|| EpochRecord::first(None))
}

fn server(facts: &LaunchFacts) -> LaunchPlan {
    match facts.role {
        Role::Till => LaunchPlan::Refuse(Failure::refused(
            "not_a_server",
            text!("SvrPdv no se inicia en una caja", "SvrPdv is not started on a till"),
        )),
        Role::Backup => {
            let record = highest(facts);
            if record.holder != Side::Backup || facts.backup.intent.is_some() {
                return LaunchPlan::Refuse(
                    Failure::refused(
                        "backup_does_not_hold",
                        text!(
                            "el servidor de respaldo no está en servicio: SvrPdv no se inicia aquí",
                            "the backup server does not hold the post: SvrPdv is not started here"
                        ),
                    )
                    .hint(text!("si el principal falló: relevo promote", "if main has failed: relevo promote")),
                );
            }
            if facts.own_server_alive { LaunchPlan::AlreadyServing } else { LaunchPlan::Serve }
        }
        Role::Main => {
            if let Some((record, fence)) = superseded(&facts.main, &facts.backup, facts.remembered.as_ref()) {
                return LaunchPlan::Superseded { record, fence };
            }
            if facts.own_server_alive {
                return LaunchPlan::AlreadyServing;
            }
            match &facts.main.record {
                Some(record) if record.awaiting_start => LaunchPlan::ProveNobody,
                _ => LaunchPlan::StartServer,
            }
        }
    }
}

fn till(facts: &LaunchFacts) -> LaunchPlan {
    let record = highest(facts);
    let look = match record.holder {
        Side::Main => &facts.main,
        Side::Backup => &facts.backup,
    };
    let waits = || text!("espere a que le indiquen que puede operar", "wait until told that you may operate");
    if facts.role == Role::Backup
        && !look.serving
        && let Err(failure) = refuse_open_intent(&facts.backup, None)
    {
        return LaunchPlan::Refuse(failure);
    }
    if facts.role == Role::Backup && record.holder == Side::Main && !facts.main.answers() && !facts.main.serving {
        return LaunchPlan::Offer;
    }
    // A server that came back with an older epoch than this machine knows is never sold on.
    if look.reachable && look.record.as_ref().is_some_and(|own| own.epoch < record.epoch) {
        let (own, known) = (look.record.as_ref().map_or(0, |r| r.epoch.0), record.epoch);
        return LaunchPlan::Refuse(
            Failure::new(
                Exit::OtherHolder,
                "server_behind",
                text!(
                    "el servidor está en la época {own} y esta caja conoce la {known}",
                    "the server is in epoch {own} and this till knows {known}"
                ),
            )
            .hint(waits()),
        );
    }
    if !look.serving || !look.answers() || record.awaiting_start {
        let side = record.holder;
        return LaunchPlan::Refuse(
            Failure::refused("not_serving", {
                let Text { es, en } = side.text();
                Text {
                    es: format!("el servidor en servicio ({es}) todavía no atiende"),
                    en: format!("the server that holds the post ({en}) does not serve yet"),
                }
            })
            .hint(waits()),
        );
    }
    LaunchPlan::StartTill { side: record.holder }
}

/// Does main meet a higher epoch? An intent at the backup, or a backup database that is open where a standby is expected,
/// counts as one; then nothing is fenced yet, since the role change may still be taken back.
pub fn superseded(main: &Look, backup: &Look, remembered: Option<&EpochRecord>) -> Option<(EpochRecord, bool)> {
    let own = main.record.clone().unwrap_or_else(|| EpochRecord::first(None));
    if let Some(intent) = &backup.intent {
        let record = EpochRecord {
            database: own.database,
            epoch: intent.epoch,
            holder: intent.to,
            run: Some(intent.run),
            awaiting_start: false,
        };
        return Some((record, false));
    }
    let seen = [backup.record.as_ref(), remembered].into_iter().flatten();
    if let Some(higher) = seen.filter(|r| r.epoch > own.epoch).max_by_key(|r| r.epoch) {
        return Some((higher.clone(), higher.holder == Side::Backup));
    }
    if own.holder == Side::Backup {
        return Some((own, true));
    }
    if backup.state == DatabaseState::Open {
        let record = EpochRecord { epoch: own.epoch.next(), holder: Side::Backup, ..own };
        return Some((record, false));
    }
    None
}

/// Main itself holds the higher epoch that [`superseded`] found, but its database is gone, or one of before: a disk that was replaced,
/// a file put back. No other server is in its way, and a restore would not help.
pub fn database_behind(higher: &EpochRecord, backup: &Look) -> Option<Failure> {
    if higher.holder != Side::Main || backup.intent.is_some() {
        return None;
    }
    let epoch = higher.epoch;
    let failure = Failure::new(
        Exit::OtherHolder,
        "database_behind",
        text!(
            "este servidor está en servicio en la época {epoch}, pero su BDPdv falta o es de una época anterior: no atiende",
            "this server holds the post in epoch {epoch}, but its database is missing or of an earlier epoch: it does not serve"
        ),
    );
    Some(failure.hint(text!(
        "conserve lo que haya en su disco; para seguir vendiendo: relevo promote en la caja/servidor",
        "keep whatever its disk has; to go on selling: relevo promote on the caja/servidor"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Epoch, Intent, RunId};

    fn look(state: DatabaseState, record: Option<(u64, Side)>, serving: bool) -> Look {
        let record = record.map(|(epoch, holder)| EpochRecord {
            database: None,
            epoch: Epoch(epoch),
            holder,
            run: None,
            awaiting_start: false,
        });
        let reachable = state != DatabaseState::Unknown;
        Look {
            instance: String::new(),
            reachable,
            state,
            serving,
            record,
            intent: None,
            position: None,
            applying: None,
            trouble: None,
        }
    }

    fn facts(role: Role, program: Program, main: Look, backup: Look) -> LaunchFacts {
        LaunchFacts { role, program, main, backup, remembered: None, own_server_alive: false }
    }

    fn away() -> Look {
        look(DatabaseState::Unknown, None, false)
    }

    fn name(plan: LaunchPlan) -> String {
        match plan {
            LaunchPlan::Refuse(failure) => format!("{}:{}", failure.exit.code(), failure.kind),
            LaunchPlan::Superseded { record, fence } => format!("superseded {} fence={fence}", record.epoch),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_quiet_day() {
        use DatabaseState::{Open, Standby};
        let main = |serving| look(Open, Some((1, Side::Main)), serving);
        let standby = || look(Standby, None, false);
        for (role, program, serving, wanted) in [
            (Role::Main, Program::Svrpdv, false, "StartServer"),
            (Role::Main, Program::Pospdv, true, "StartTill { side: Main }"),
            (Role::Backup, Program::Pospdv, true, "StartTill { side: Main }"),
            (Role::Backup, Program::Pospdv, false, "4:not_serving"),
            (Role::Backup, Program::Svrpdv, true, "4:backup_does_not_hold"),
            (Role::Till, Program::Pospdv, true, "StartTill { side: Main }"),
            (Role::Till, Program::Pospdv, false, "4:not_serving"),
            (Role::Till, Program::Svrpdv, true, "4:not_a_server"),
        ] {
            assert_eq!(name(launch(&facts(role, program, main(serving), standby()))), wanted, "{role} {program} {serving}");
        }
    }

    #[test]
    fn main_is_down() {
        let standby = || look(DatabaseState::Standby, None, false);
        assert_eq!(name(launch(&facts(Role::Backup, Program::Pospdv, away(), standby()))), "Offer");
        assert_eq!(name(launch(&facts(Role::Till, Program::Pospdv, away(), standby()))), "4:not_serving");
        let holds = |serving| look(DatabaseState::Open, Some((2, Side::Backup)), serving);
        assert_eq!(name(launch(&facts(Role::Backup, Program::Svrpdv, away(), holds(false)))), "Serve");
        assert_eq!(name(launch(&facts(Role::Till, Program::Pospdv, away(), holds(true)))), "StartTill { side: Backup }");
        assert_eq!(name(launch(&facts(Role::Till, Program::Pospdv, away(), holds(false)))), "4:not_serving");
    }

    #[test]
    fn an_old_main_comes_back() {
        use DatabaseState::{Fenced, Open, Standby};
        let old = |state| look(state, Some((1, Side::Main)), false);
        let holds = look(Open, Some((2, Side::Backup)), true);
        for state in [Open, Fenced] {
            assert_eq!(name(launch(&facts(Role::Main, Program::Svrpdv, old(state), holds.clone()))), "superseded 2 fence=true");
        }
        assert_eq!(name(launch(&facts(Role::Till, Program::Pospdv, old(Open), holds.clone()))), "StartTill { side: Backup }");
        // the backup is off: what this machine remembers is enough
        let mut remembers = facts(Role::Main, Program::Svrpdv, old(Open), away());
        remembers.remembered = holds.record.clone();
        assert_eq!(name(launch(&remembers)), "superseded 2 fence=true");
        // an announced role change, and one whose record is not yet written, fence nothing
        let mut announced = look(Standby, None, false);
        announced.intent = Some(Intent { run: RunId::new(), to: Side::Backup, epoch: Epoch(2) });
        assert_eq!(name(launch(&facts(Role::Main, Program::Svrpdv, old(Open), announced))), "superseded 2 fence=false");
        let recovered = look(Open, None, false);
        assert_eq!(name(launch(&facts(Role::Main, Program::Svrpdv, old(Open), recovered))), "superseded 2 fence=false");
    }

    #[test]
    fn after_a_restore() {
        use DatabaseState::{Fenced, Open};
        let mut main = look(Open, Some((3, Side::Main)), false);
        main.record.as_mut().unwrap().awaiting_start = true;
        let backup = look(Fenced, main.record.clone().map(|r| (r.epoch.0, r.holder)), false);
        let mut backup_waits = backup.clone();
        backup_waits.record = main.record.clone();
        assert_eq!(name(launch(&facts(Role::Main, Program::Svrpdv, main.clone(), backup_waits.clone()))), "ProveNobody");
        main.serving = true;
        assert_eq!(name(launch(&facts(Role::Till, Program::Pospdv, main.clone(), backup_waits.clone()))), "4:not_serving");
        main.record.as_mut().unwrap().awaiting_start = false;
        assert_eq!(name(launch(&facts(Role::Till, Program::Pospdv, main.clone(), backup_waits))), "StartTill { side: Main }");
    }

    #[test]
    fn a_till_never_goes_back_to_an_older_epoch() {
        let behind = look(DatabaseState::Open, Some((1, Side::Main)), true);
        let mut till = facts(Role::Till, Program::Pospdv, behind, away());
        till.remembered =
            Some(EpochRecord { database: None, epoch: Epoch(3), holder: Side::Main, run: None, awaiting_start: false });
        assert_eq!(name(launch(&till)), "11:server_behind");
        // its server of epoch 2 is away: it waits, it does not fall back to main
        till.remembered =
            Some(EpochRecord { database: None, epoch: Epoch(2), holder: Side::Backup, run: None, awaiting_start: false });
        assert_eq!(name(launch(&till)), "4:not_serving");
    }

    /// Nobody starts SvrPdv on a side that the highest record does not name, in any state.
    #[test]
    fn only_the_holder_is_started() {
        let states =
            [DatabaseState::Open, DatabaseState::Standby, DatabaseState::Fenced, DatabaseState::Missing, DatabaseState::Unknown];
        let records = [None, Some((1, Side::Main)), Some((2, Side::Backup)), Some((3, Side::Main))];
        for main_state in states {
            for backup_state in states {
                for main_record in records {
                    for backup_record in records {
                        for role in [Role::Main, Role::Backup] {
                            let f = facts(
                                role,
                                Program::Svrpdv,
                                look(main_state, main_record, false),
                                look(backup_state, backup_record, false),
                            );
                            let holder = highest(&f).holder;
                            match launch(&f) {
                                LaunchPlan::StartServer | LaunchPlan::ProveNobody => {
                                    assert_eq!((role, holder), (Role::Main, Side::Main), "{f:?}")
                                }
                                LaunchPlan::Serve => assert_eq!((role, holder), (Role::Backup, Side::Backup), "{f:?}"),
                                _ => {}
                            }
                        }
                    }
                }
            }
        }
    }
}
