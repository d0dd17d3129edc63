//! One instance: version, edition, rights, folders, clock.

use super::facts::{Instance, Rights, Server};
use super::{Finding, Found};
use crate::model::Side;
use crate::text;

/// Clocks may differ by so much (seconds): header dates and logs are compared by people.
pub(super) const SKEW: i64 = 120;

/// Checks one server.
pub fn of_server(server: &Server) -> Vec<Finding> {
    let mut found = Found::at(server.side);
    version(&server.instance, &mut found);
    edition(&server.instance, &mut found);
    rights(server, &mut found);
    folders(server, &mut found);
    exchange(server, &mut found);
    clock(server, &mut found);
    found.list
}

fn version(instance: &Instance, found: &mut Found) {
    let version = &instance.version;
    match instance.major {
        None => found.error(
            "version_unknown",
            text!("no se sabe qué versión de SQL Server es", "it cannot be told which version of SQL Server it is"),
            text!("use SQL Server 2016 o posterior", "use SQL Server 2016 or later"),
        ),
        Some(major) if major < 13 => found.error(
            "version_old",
            text!("SQL Server {version} es anterior a 2016", "SQL Server {version} is older than 2016"),
            text!("actualícelo a 2016 o posterior", "upgrade it to 2016 or later"),
        ),
        Some(major) if major > 17 => found.warning(
            "version_new",
            text!("SQL Server {version} es más nuevo que lo probado", "SQL Server {version} is newer than what was tested"),
            text!("busque una versión de relevo más reciente", "look for a more recent version of relevo"),
        ),
        Some(_) => {}
    }
}

fn edition(instance: &Instance, found: &mut Found) {
    let edition = &instance.edition;
    if instance.local_db {
        found.error(
            "local_db",
            text!("es LocalDB: termina con la sesión de su usuario", "it is LocalDB: it ends with its user's session"),
            text!("instale SQL Server Express como servicio", "install SQL Server Express as a service"),
        );
    } else if !matches!(instance.engine_edition, 2..=4) {
        let number = instance.engine_edition;
        found.error(
            "edition_unsupported",
            text!(
                "la edición «{edition}» ({number}) es de nube o no se conoce",
                "the edition \"{edition}\" ({number}) is of a cloud or unknown"
            ),
            text!(
                "use Express, Web, Standard o Enterprise en la sucursal",
                "use Express, Web, Standard or Enterprise in the shop"
            ),
        );
    } else if instance.edition_id == 610_778_273 || edition.starts_with("Enterprise Evaluation") {
        found.warning(
            "edition_evaluation",
            text!(
                "es una edición de evaluación: deja de funcionar a los 180 días",
                "it is an evaluation edition: it stops after 180 days"
            ),
            text!("instale Express o una edición con licencia", "install Express or a licensed edition"),
        );
    }
    if instance.windows_logins_only {
        found.warning(
            "windows_logins_only",
            text!("solo admite inicios de sesión de Windows", "it takes Windows logins only"),
            text!(
                "habilite la autenticación mixta: el del PDV y el de relevo son de SQL Server",
                "enable mixed authentication: the PDV's and relevo's logins are of SQL Server"
            ),
        );
    }
}

fn rights(server: &Server, found: &mut Found) {
    let none = Rights::default();
    let rights = server.rights.as_ref().unwrap_or(&none);
    if rights.sysadmin {
        return;
    }
    let login = if rights.login.is_empty() { "?" } else { &rights.login };
    let mut lacks = |has: bool, code, right: &str, es: &str, en: &str, must: bool| {
        if has {
            return;
        }
        let message = text!("al inicio de sesión {login} le falta {right}: {es}", "the login {login} lacks {right}: {en}");
        let remedy = text!(
            "GRANT {right} TO [{login}], o dele el papel sysadmin",
            "GRANT {right} TO [{login}], or give it the role sysadmin"
        );
        if must { found.error(code, message, remedy) } else { found.warning(code, message, remedy) }
    };
    lacks(
        rights.view_server_state,
        "no_view_server_state",
        "VIEW SERVER STATE",
        "solo vería su propia sesión, y «nadie opera» sería falso",
        "it would see its own session only, and \"nobody operates\" would be false",
        true,
    );
    lacks(
        rights.alter_any_connection,
        "no_alter_any_connection",
        "ALTER ANY CONNECTION",
        "no puede cerrar sesiones colgadas",
        "it cannot end sessions that hang",
        true,
    );
    lacks(
        rights.create_any_database,
        "no_create_any_database",
        "CREATE ANY DATABASE",
        "no puede restaurar la base ni leer respaldos",
        "it cannot restore the database nor read backups",
        true,
    );
    lacks(
        rights.alter_any_login,
        "no_alter_any_login",
        "ALTER ANY LOGIN",
        "no puede copiar los inicios de sesión",
        "it cannot copy the logins",
        false,
    );
    lacks(
        rights.control_server,
        "no_control_server",
        "CONTROL SERVER",
        "no puede leer los inicios de sesión con su contraseña cifrada",
        "it cannot read the logins with the hash of their password",
        false,
    );
}

fn folders(server: &Server, found: &mut Found) {
    let known = |folder: &Option<String>| folder.as_ref().is_some_and(|path| !path.is_empty());
    if server.side == Side::Backup && !(known(&server.instance.data_folder) && known(&server.instance.log_folder)) {
        found.error(
            "folders_unknown",
            text!(
                "no se sabe dónde guarda la instancia sus archivos de datos y de registro",
                "it is not known where the instance keeps its data and log files"
            ),
            text!(
                "fije las carpetas predeterminadas en las propiedades del servidor",
                "set the default folders in the properties of the server"
            ),
        );
    }
}

fn exchange(server: &Server, found: &mut Found) {
    let Some(folder) = &server.exchange else { return };
    let path = &folder.path;
    let account = server.account.as_deref().unwrap_or(r"NT SERVICE\MSSQL$…");
    let grant = format!(r#"icacls "{path}" /grant "{account}":(OI)(CI)M"#);
    match folder.seen {
        Some(true) => {}
        Some(false) => found.error(
            "exchange_missing",
            text!("SQL Server no ve la carpeta de intercambio {path}", "SQL Server does not see the exchange folder {path}"),
            text!(
                "créela en la computadora del servidor y dé permiso: {grant}",
                "create it on the server's computer and give the right: {grant}"
            ),
        ),
        None => found.warning(
            "exchange_unknown",
            text!("no se pudo comprobar la carpeta de intercambio {path}", "the exchange folder {path} could not be checked"),
            text!(
                "compruebe que exista y que la cuenta de servicio tenga permiso: {grant}",
                "check that it exists and that the service account has the right: {grant}"
            ),
        ),
    }
    if path.starts_with(r"\\") {
        found.warning(
            "exchange_on_a_share",
            text!("la carpeta de intercambio {path} está en la red", "the exchange folder {path} is on the network"),
            text!(
                "use una carpeta local: la cuenta de servicio no suele poder entrar a una red de grupo de trabajo, y un corte daña el respaldo",
                "use a local folder: the service account usually cannot use a share in a workgroup, and a cut spoils the backup"
            ),
        );
    }
    let lower = path.to_lowercase();
    if lower.contains(r"\users\") || lower.contains("onedrive") {
        found.warning(
            "exchange_in_a_profile",
            text!("la carpeta de intercambio {path} es de un usuario", "the exchange folder {path} belongs to a user"),
            text!("use una carpeta fuera de los perfiles y de OneDrive", "use a folder outside profiles and OneDrive"),
        );
    }
    if let Some(account) = &server.account {
        found.info(
            "service_account",
            text!("SQL Server corre como {account}", "SQL Server runs as {account}"),
            text!("esa cuenta lee y escribe los respaldos: {grant}", "that account reads and writes the backups: {grant}"),
        );
    }
}

fn clock(server: &Server, found: &mut Found) {
    match server.ahead {
        Some(ahead) if ahead.abs() > SKEW => found.warning(
            "clock_skew",
            text!("su reloj difiere {ahead} s del de esta computadora", "its clock differs by {ahead} s from this computer's"),
            text!("ponga en hora las computadoras (w32tm /resync)", "set the computers' clocks (w32tm /resync)"),
        ),
        Some(_) => {}
        None => found.warning(
            "clock_unknown",
            text!("no se pudo leer su reloj", "its clock could not be read"),
            text!("compruebe la hora de esa computadora", "check the time of that computer"),
        ),
    }
}
