//! By which way a restore brings the database back to main: by the log, where main waits exactly where the backup went on from it, or
//! as a whole. Rules: docs/sqlserver.md, "Restore".

use crate::error::Failure;
use crate::model::{Fencing, LogState};
use crate::text;
use crate::text::Text;

/// The way, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The engine has one way only.
    Only,
    /// The backup's log since it took over is applied to main, which was fenced with its tail.
    Log,
    /// The closed database is copied to main as a whole and attached.
    Whole(Text),
}

impl Route {
    /// How the backup's database is closed for it.
    pub fn fencing(&self) -> Fencing {
        match self {
            Route::Log => Fencing::Handover,
            Route::Only | Route::Whole(_) => Fencing::Aside,
        }
    }

    /// For the plan.
    pub fn text(&self) -> Option<Text> {
        match self {
            Route::Only => None,
            Route::Log => Some(text!(
                "ruta: por el registro de transacciones (el principal quedó esperando justo donde el respaldo siguió)",
                "route: by the transaction log (main waits exactly where the backup went on)"
            )),
            Route::Whole(why) => Some(Text {
                es: format!("ruta: separar, copiar y adjuntar, porque {}", why.es),
                en: format!("route: detach, copy and attach, because {}", why.en),
            }),
        }
    }
}

/// Chooses. Fails where main is of an older version than the backup: a database never goes back to an older SQL Server.
pub fn route(main: Option<&LogState>, backup: Option<&LogState>) -> Result<Route, Failure> {
    let Some(backup) = backup else { return Ok(Route::Only) };
    let Some(main) = main else {
        return Ok(Route::Whole(text!("el principal no tiene la base", "main does not have the database")));
    };
    if main.major < backup.major {
        let (older, newer) = (main.major, backup.major);
        return Err(Failure::refused(
            "main_is_older",
            text!(
                "el SQL Server del principal (versión {older}) es anterior al del respaldo ({newer}): la base no puede volver",
                "main's SQL Server (version {older}) is older than the backup's ({newer}): the database cannot go back"
            ),
        )
        .hint(text!("actualice primero el SQL Server del principal", "upgrade main's SQL Server first")));
    }
    let whole = |why| Ok(Route::Whole(why));
    if main.major > backup.major {
        return whole(text!("las versiones de SQL Server difieren", "the versions of SQL Server differ"));
    }
    let Some(redo) = main.redo else {
        return whole(text!(
            "el principal no quedó cerrado con su último registro",
            "main was not closed with the tail of its log"
        ));
    };
    if !backup.logged {
        return whole(text!("el respaldo no guarda registro (SIMPLE)", "the backup keeps no log (SIMPLE)"));
    }
    if main.family.is_some() && main.family != backup.family {
        return whole(text!("no son copias de la misma base", "they are not copies of one database"));
    }
    if backup.fork_point != Some(redo) {
        return whole(text!("el respaldo no siguió donde el principal quedó", "the backup did not go on where main stopped"));
    }
    match backup.log_from {
        Some(from) if from <= redo => Ok(Route::Log),
        _ => whole(text!(
            "otro programa se llevó parte del registro del respaldo",
            "another program took a part of the backup's log"
        )),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::Lsn;

    fn main() -> LogState {
        let (family, fork) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
        LogState { major: 15, logged: true, family, redo: Some(Lsn(500)), fork, fork_point: None, log_from: None }
    }

    fn backup() -> LogState {
        let fork = Some(Uuid::from_u128(3));
        LogState { redo: None, fork, fork_point: Some(Lsn(500)), log_from: Some(Lsn(500)), ..main() }
    }

    type Change = fn(&mut LogState, &mut LogState);

    #[test]
    fn by_the_log_only_where_everything_fits() {
        assert_eq!(route(None, None), Ok(Route::Only));
        assert_eq!(route(Some(&main()), Some(&backup())), Ok(Route::Log));
        assert_eq!(Route::Log.fencing(), Fencing::Handover);
        let table: [(&str, Change); 7] = [
            ("not fenced with its tail", |m, _| m.redo = None),
            ("went on elsewhere", |_, b| b.fork_point = Some(Lsn(499))),
            ("never promoted", |_, b| b.fork_point = None),
            ("another family", |_, b| b.family = Some(Uuid::from_u128(9))),
            ("no log kept", |_, b| b.logged = false),
            ("a foreign log backup", |_, b| b.log_from = Some(Lsn(700))),
            ("main is newer", |m, _| m.major = 16),
        ];
        for (what, change) in table {
            let (mut main, mut backup) = (main(), backup());
            change(&mut main, &mut backup);
            let found = route(Some(&main), Some(&backup)).unwrap();
            assert!(matches!(found, Route::Whole(_)) && found.fencing() == Fencing::Aside, "{what}: {found:?}");
        }
        assert!(matches!(route(None, Some(&backup())), Ok(Route::Whole(_))));
        let newer = LogState { major: 16, ..backup() };
        assert_eq!(route(Some(&main()), Some(&newer)).unwrap_err().kind, "main_is_older");
    }
}
