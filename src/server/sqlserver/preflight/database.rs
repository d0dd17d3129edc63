//! Main's database: what makes mirroring, promoting and restoring it harder or impossible.

use super::facts::Database;
use super::{Finding, Found, gigabytes};
use crate::model::Side;
use crate::server::sqlserver::decide::{Access, Condition, State};
use crate::server::sqlserver::statements::Model;
use crate::text;

/// Checks main's database. `interval_minutes`: how often the mirror runs.
pub fn of_database(database: &Database, interval_minutes: u64) -> Vec<Finding> {
    let mut found = Found::at(Side::Main);
    condition(&database.state, &mut found);
    model(database, interval_minutes, &mut found);
    options(&database.state, &mut found);
    found.list
}

fn condition(state: &State, found: &mut Found) {
    match state.condition {
        Condition::Online if !state.in_standby => {}
        Condition::Suspect | Condition::RecoveryPending | Condition::Emergency => found.error(
            "database_damaged",
            text!("la base no arranca o está dañada", "the database does not start or is damaged"),
            text!("revise los discos; considere promover el respaldo", "check the disks; consider promoting the backup"),
        ),
        _ => found.warning(
            "database_not_open",
            text!("la base no está abierta", "the database is not open"),
            text!("relevo status dice por qué", "relevo status says why"),
        ),
    }
    if state.access != Access::Multi {
        found.warning(
            "database_not_for_all",
            text!("la base está en modo de un solo usuario o restringido", "the database is in single-user or restricted mode"),
            text!(
                "ALTER DATABASE … SET MULTI_USER, si nadie la está manteniendo",
                "ALTER DATABASE … SET MULTI_USER, if nobody maintains it"
            ),
        );
    }
    if state.read_only {
        found.warning(
            "database_read_only",
            text!("la base es de solo lectura", "the database is read-only"),
            text!("ALTER DATABASE … SET READ_WRITE", "ALTER DATABASE … SET READ_WRITE"),
        );
    }
}

fn model(database: &Database, interval_minutes: u64, found: &mut Found) {
    let state = &database.state;
    if state.model == Model::Simple {
        return found.warning(
            "model_simple",
            text!(
                "el modelo SIMPLE no guarda registro: si el principal muere se pierde lo vendido desde la última copia (hasta {interval_minutes} minutos), y no hay cola que salvar",
                "the SIMPLE model keeps no log: if main dies, what was sold since the last copy is lost (up to {interval_minutes} minutes), and there is no tail to save"
            ),
            text!(
                "ALTER DATABASE … SET RECOVERY FULL, y después relevo mirror --full",
                "ALTER DATABASE … SET RECOVERY FULL, then relevo mirror --full"
            ),
        );
    }
    if state.next_log.is_none() && state.open() {
        found.info(
            "no_log_chain",
            text!(
                "el modelo es FULL, pero ningún respaldo completo inició la cadena: se comporta como SIMPLE",
                "the model is FULL, but no full backup has begun the chain: it behaves as SIMPLE"
            ),
            text!("la primera copia (relevo mirror) la inicia", "the first copy (relevo mirror) begins it"),
        );
    }
    if state.log_reuse_wait == "LOG_BACKUP" && database.log_bytes > (1 << 30) && database.log_bytes > database.data_bytes {
        let size = gigabytes(database.log_bytes);
        found.warning(
            "log_grows",
            text!("el registro mide {size} y espera un respaldo", "the log has {size} and waits for a backup"),
            text!(
                "en modelo FULL solo el respaldo del registro lo vacía: deje correr relevo mirror",
                "in the FULL model only log backups empty it: let relevo mirror run"
            ),
        );
    }
}

fn options(state: &State, found: &mut Found) {
    if state.auto_close {
        found.warning(
            "auto_close",
            text!(
                "AUTO_CLOSE está encendido: la base se cierra y abre sin parar",
                "AUTO_CLOSE is on: the database closes and opens all the time"
            ),
            text!("ALTER DATABASE … SET AUTO_CLOSE OFF", "ALTER DATABASE … SET AUTO_CLOSE OFF"),
        );
    }
    if state.page_verify != "CHECKSUM" {
        let verify = &state.page_verify;
        found.warning(
            "page_verify",
            text!(
                "PAGE_VERIFY es {verify}: un disco que falla no se notaría",
                "PAGE_VERIFY is {verify}: a failing disk would not be noticed"
            ),
            text!("ALTER DATABASE … SET PAGE_VERIFY CHECKSUM", "ALTER DATABASE … SET PAGE_VERIFY CHECKSUM"),
        );
    }
    if state.async_statistics {
        found.warning(
            "async_statistics",
            text!(
                "AUTO_UPDATE_STATISTICS_ASYNC está encendido: un hilo del servidor puede tomar el único lugar al separar la base",
                "AUTO_UPDATE_STATISTICS_ASYNC is on: a thread of the server may take the single slot when the database is fenced"
            ),
            text!(
                "ALTER DATABASE … SET AUTO_UPDATE_STATISTICS_ASYNC OFF",
                "ALTER DATABASE … SET AUTO_UPDATE_STATISTICS_ASYNC OFF"
            ),
        );
    }
    if state.owner.is_none() {
        found.warning(
            "owner_missing",
            text!("la base no tiene dueño conocido", "the database has no known owner"),
            text!("ALTER AUTHORIZATION ON DATABASE::… TO [sa]", "ALTER AUTHORIZATION ON DATABASE::… TO [sa]"),
        );
    }
    if state.trustworthy || state.broker {
        found.info(
            "options_reset",
            text!(
                "usa TRUSTWORTHY o Service Broker, que se apagan al restaurar en otro servidor",
                "it uses TRUSTWORTHY or Service Broker, which a restore on another server switches off"
            ),
            text!(
                "relevo los enciende de nuevo al promover y al restaurar",
                "relevo switches them on again when it promotes and restores"
            ),
        );
    }
}
