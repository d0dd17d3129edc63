//! May the backup server take over from main at all? SQL Server upgrades a database that a newer version opens, for good.

use crate::error::{Failure, Result};
use crate::model::Versions;
use crate::text;

/// Refuses a backup server newer than main, with `backup_newer`. Where main is away, the copies in the standby say which version it was.
pub fn refuse_newer_backup(main: Versions, backup: Versions) -> Result<()> {
    let (Some(own), Some(main)) = (backup.own, main.own.or(backup.of_copies)) else { return Ok(()) };
    if own <= main {
        return Ok(());
    }
    Err(Failure::refused(
        "backup_newer",
        text!(
            "el servidor de respaldo (SQL Server {own}) es de una versión más nueva que el principal ({main}): al relevar, la base se actualizaría sin vuelta atrás y no podría volver al principal",
            "the backup server (SQL Server {own}) is of a newer version than main ({main}): a promote would upgrade the database for good, and it could not go back to main"
        ),
    )
    .hint(text!("instale la misma versión en los dos servidores: relevo doctor", "install the same version on both servers: relevo doctor")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_backup_that_is_known_to_be_newer() {
        let is = |own, of_copies| Versions { own, of_copies };
        for (main, backup, refused) in [
            (is(None, None), is(None, None), false),
            (is(Some(15), None), is(Some(15), Some(15)), false),
            (is(Some(15), None), is(Some(14), None), false),
            (is(Some(15), None), is(Some(16), None), true),
            (is(Some(16), None), is(Some(16), Some(15)), false), // main was upgraded since
            (is(None, None), is(Some(16), Some(15)), true),
            (is(None, None), is(Some(16), Some(16)), false),
            (is(None, None), is(Some(16), None), false),
            (is(Some(15), None), is(None, None), false),
        ] {
            let outcome = refuse_newer_backup(main, backup);
            assert_eq!(outcome.is_err_and(|failure| failure.kind == "backup_newer"), refused, "{main:?} {backup:?}");
        }
    }
}
