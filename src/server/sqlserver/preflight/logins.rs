//! The logins of both servers: after a promote the tills must get in with what they know.

use super::facts::{Login, Server};
use super::{Finding, Found};
use crate::text;

/// Checks main's logins against the backup's. `database`: the name of the store's database.
pub fn of_logins(main: &[Login], backup: &[Login], server: &Server, database: &str) -> Vec<Finding> {
    let mut found = Found::at(server.side);
    for login in main {
        let name = &login.name;
        if login.default_database.eq_ignore_ascii_case(database) {
            found.warning(
                "login_default_database",
                text!(
                    "el inicio de sesión {name} entra directo a {database}: con la base cerrada no podría ni conectarse",
                    "the login {name} enters {database} directly: while it is closed it could not even connect"
                ),
                text!(
                    "ALTER LOGIN [{name}] WITH DEFAULT_DATABASE=[master]",
                    "ALTER LOGIN [{name}] WITH DEFAULT_DATABASE=[master]"
                ),
            );
        }
        match backup.iter().find(|other| other.name.to_lowercase() == name.to_lowercase()) {
            Some(other) if other.sid != login.sid => found.warning(
                "login_sid_differs",
                text!(
                    "el inicio de sesión {name} tiene otro SID en el respaldo: su usuario quedaría huérfano",
                    "the login {name} has another SID on the backup: its user would be orphaned"
                ),
                text!(
                    "relevo lo vuelve a unir al promover; para evitarlo, bórrelo en el respaldo y deje que relevo lo copie",
                    "relevo joins it again when it promotes; to avoid it, drop it on the backup and let relevo copy it"
                ),
            ),
            Some(_) => {}
            None if login.hash.is_none() => found.error(
                "login_missing",
                text!(
                    "el inicio de sesión {name} falta en el respaldo y relevo no puede leerlo",
                    "the login {name} is missing on the backup and relevo cannot read it"
                ),
                text!(
                    "dé a relevo el permiso CONTROL SERVER en el principal, o créelo a mano con el mismo SID",
                    "give relevo the permission CONTROL SERVER on main, or create it by hand with the same SID"
                ),
            ),
            None if login.newer_hash() && server.instance.major < Some(17) => found.error(
                "login_hash_newer",
                text!(
                    "el inicio de sesión {name} tiene una contraseña cifrada como en SQL Server 2025, que el respaldo no admite",
                    "the login {name} has its password hashed as SQL Server 2025 does, which the backup does not take"
                ),
                text!(
                    "créelo a mano en el respaldo, con la misma contraseña y el mismo SID",
                    "create it by hand on the backup, with the same password and the same SID"
                ),
            ),
            None => found.info(
                "login_to_copy",
                text!("el inicio de sesión {name} todavía no está en el respaldo", "the login {name} is not on the backup yet"),
                text!("relevo lo copia con la primera copia", "relevo copies it with the first copy"),
            ),
        }
    }
    found.list
}
