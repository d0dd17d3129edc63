//! The two servers together: versions, collation, size, space, clocks.

use super::facts::{Database, Server};
use super::instance::SKEW;
use super::{Finding, Found, gigabytes};
use crate::model::Side;
use crate::text;

/// Checks what only both sides can tell. `standing`: the backup has the database already, its files need no new space.
pub fn of_pair(main: &Server, backup: &Server, database: Option<&Database>, standing: bool) -> Vec<Finding> {
    let mut found = Found::at(Side::Backup);
    majors(main, backup, &mut found);
    if main.instance.collation != backup.instance.collation {
        let (one, other) = (&main.instance.collation, &backup.instance.collation);
        found.warning(
            "collation_differs",
            text!(
                "la intercalación del principal es {one} y la del respaldo {other}",
                "main's collation is {one} and the backup's {other}"
            ),
            text!(
                "reinstale el respaldo con la misma: las tablas temporales comparan textos con la del servidor",
                "install the backup with the same one: temporary tables compare text by the server's"
            ),
        );
    }
    if let (Some(one), Some(other)) = (main.ahead, backup.ahead)
        && (one - other).abs() > SKEW
    {
        let apart = (one - other).abs();
        found.warning(
            "clocks_differ",
            text!("los relojes de los dos servidores difieren {apart} s", "the clocks of the two servers differ by {apart} s"),
            text!("ponga en hora las computadoras (w32tm /resync)", "set the computers' clocks (w32tm /resync)"),
        );
    }
    if let Some(database) = database {
        edition(database, backup, &mut found);
        size(database, main, Side::Main, &mut found);
        size(database, backup, Side::Backup, &mut found);
        space(database, main, 0, &mut found);
        space(database, backup, if standing { 0 } else { database.data_bytes + database.log_bytes }, &mut found);
    }
    found.list
}

fn majors(main: &Server, backup: &Server, found: &mut Found) {
    let (Some(one), Some(other)) = (main.instance.major, backup.instance.major) else { return };
    let (main, backup) = (&main.instance.version, &backup.instance.version);
    if other > one {
        found.error(
            "backup_newer",
            text!(
                "el respaldo ({backup}) es de una versión más nueva que el principal ({main}): al promover, la base se actualiza sin vuelta atrás y ya no podría volver al principal",
                "the backup ({backup}) is of a newer version than main ({main}): a promote upgrades the database for good, and it could never go back to main"
            ),
            text!("instale la misma versión en los dos", "install the same version on both"),
        );
    } else if other < one {
        found.error(
            "backup_older",
            text!(
                "el respaldo ({backup}) es de una versión anterior al principal ({main}): no puede restaurar sus copias",
                "the backup ({backup}) is of an older version than main ({main}): it cannot restore its copies"
            ),
            text!("instale la misma versión en los dos", "install the same version on both"),
        );
    } else if main != backup {
        found.info(
            "builds_differ",
            text!(
                "la misma versión con distinta actualización: {main} y {backup}",
                "the same version with different updates: {main} and {backup}"
            ),
            text!("instale las mismas actualizaciones cuando pueda", "install the same updates when you can"),
        );
    }
}

fn edition(database: &Database, backup: &Server, found: &mut Found) {
    let features = database.features.as_deref().unwrap_or_default().join(", ");
    if !features.is_empty() && backup.instance.engine_edition != 3 {
        found.error(
            "edition_features",
            text!(
                "la base usa funciones de Enterprise que el respaldo no abre: {features}",
                "the database uses features of Enterprise that the backup does not open: {features}"
            ),
            text!("quítelas, o use la misma edición en el respaldo", "remove them, or use the same edition on the backup"),
        );
    }
    if database.state.encrypted {
        let message = text!("la base está cifrada (TDE)", "the database is encrypted (TDE)");
        let remedy = text!(
            "el respaldo necesita una edición con TDE y el certificado del principal; relevo no lo copia",
            "the backup needs an edition with TDE and main's certificate; relevo does not copy it"
        );
        if backup.instance.express() {
            found.error("encrypted", message, remedy);
        } else {
            found.warning("encrypted", message, remedy);
        }
    }
}

/// Express refuses to restore or attach what exceeds its cap (1827), and to grow beyond it (1105).
fn size(database: &Database, server: &Server, side: Side, found: &mut Found) {
    let Some(cap) = server.instance.size_cap() else { return };
    let (shown, most) = (gigabytes(database.data_bytes), gigabytes(cap));
    let remedy = || {
        text!("use una edición sin ese límite, o depure la base", "use an edition without that limit, or thin the database out")
    };
    found.side = side;
    if database.data_bytes > cap {
        found.error(
            "size_over_cap",
            text!("los datos miden {shown} y la edición admite {most}", "the data has {shown} and the edition takes {most}"),
            remedy(),
        );
    } else if database.data_bytes > cap / 10 * 8 {
        found.warning(
            "size_near_cap",
            text!("los datos miden {shown}; la edición admite {most}", "the data has {shown}; the edition takes {most}"),
            remedy(),
        );
    }
}

/// A full backup has to fit beside what is there, and the files of the database where they are new.
fn space(database: &Database, server: &Server, files: u64, found: &mut Found) {
    found.side = server.side;
    let copy = database.used_bytes.unwrap_or(database.data_bytes);
    let data = server.instance.data_folder.as_deref().unwrap_or_default();
    let exchange = server.exchange.as_ref().map_or(data, |folder| folder.path.as_str());
    let (Some((volume, free)), Some((data_volume, data_free))) = (server.free_at(exchange), server.free_at(data)) else {
        return found.warning(
            "space_unknown",
            text!("no se sabe cuánto espacio queda en sus discos", "it is not known how much space is left on its disks"),
            text!("compruébelo: hace falta lugar para un respaldo completo", "check it: there must be room for a full backup"),
        );
    };
    let mut needs = vec![(volume, free, copy)];
    if files > 0 && volume == data_volume {
        needs[0].2 += files;
    } else if files > 0 {
        needs.push((data_volume, data_free, files));
    }
    for (volume, free, need) in needs {
        let (mount, left, wanted) = (&volume.mount, gigabytes(free), gigabytes(need));
        let message = text!("en {mount} quedan {left}; hacen falta {wanted}", "{left} are left on {mount}; {wanted} are needed");
        let remedy = text!(
            "libere espacio, o cambie la carpeta de intercambio de disco",
            "free space, or move the exchange folder to another disk"
        );
        if free < need {
            found.error("space_short", message, remedy);
        } else if free / 2 < need {
            found.warning("space_tight", message, remedy);
        }
    }
}
