//! Logins and users. A login is copied with its SID and the hash of its password, so that no user of the database loses its login;
//! the password itself is never known here.

use super::{Column, DatabaseName, HexBytes, Kind, LoginName, Statement};

/// The SQL logins of the server except `sa` and the server's own: `name`, `sid`, `password_hash`, `disabled`, `policy`, `expiration`,
/// `default_database`, `sysadmin`. Needs CONTROL SERVER: without it hashes are NULL. Its rows are secret.
pub fn logins() -> Statement {
    Statement::select("logins", "", &COLUMNS, &format!("FROM sys.sql_logins l {OURS}"))
}

/// Those of [`logins`] that have a user in the open database: whoever works with the store enters by one of them.
pub fn store_logins(database: &DatabaseName) -> Statement {
    let rest = format!("FROM sys.sql_logins l JOIN {}.sys.database_principals p ON p.sid=l.sid {OURS}", database.identifier());
    Statement::select("store_logins", "", &COLUMNS, &rest)
}

const COLUMNS: [Column; 8] = [
    Column::new("name", Kind::Words, "l.name"),
    Column::new("sid", Kind::Hex, "l.sid"),
    Column::new("password_hash", Kind::Hex, "l.password_hash"),
    Column::new("disabled", Kind::Int, "l.is_disabled"),
    Column::new("policy", Kind::Int, "l.is_policy_checked"),
    Column::new("expiration", Kind::Int, "l.is_expiration_checked"),
    Column::new("default_database", Kind::Words, "l.default_database_name"),
    Column::new("sysadmin", Kind::Int, "IS_SRVROLEMEMBER('sysadmin', l.name)"),
];

/// Principal 1 is sa under whatever name; ##…## belong to the server.
const OURS: &str = "WHERE l.principal_id>1 AND LEFT(l.name, 2)<>N'##' ORDER BY l.name";

/// The login that owns everything, under its name of today (sa may be renamed): `name`.
pub fn owner_login() -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("name", Kind::Words, "SUSER_SNAME(0x01)")];
    Statement::select("owner_login", "", &COLUMNS, "")
}

/// Creates a login with the SID and hash that it has on the other server. Its default database is master: BDPdv may be closed, and then
/// it could not log in at all. The policy is off, since the hash was accepted by the other server's policy.
pub fn create_login(name: &LoginName, sid: &HexBytes, hash: &HexBytes) -> Statement {
    let (name, sid, hash) = (name.identifier(), sid.literal(), hash.literal());
    let text = format!(
        "CREATE LOGIN {name} WITH PASSWORD={hash} HASHED, SID={sid}, DEFAULT_DATABASE=[master], CHECK_POLICY=OFF, CHECK_EXPIRATION=OFF;"
    );
    Statement::new("create_login", text).secret()
}

/// Gives an existing login the hash that it has on the other server.
pub fn set_login_hash(name: &LoginName, hash: &HexBytes) -> Statement {
    let text = format!("ALTER LOGIN {} WITH PASSWORD={} HASHED;", name.identifier(), hash.literal());
    Statement::new("set_login_hash", text).secret()
}

/// Blocks a login or lets it in again.
pub fn set_login(name: &LoginName, enabled: bool) -> Statement {
    let (statement, word) = if enabled { ("enable_login", "ENABLE") } else { ("disable_login", "DISABLE") };
    Statement::new(statement, format!("ALTER LOGIN {} {word};", name.identifier()))
}

/// Users of an open database whose login does not exist on this server: `name`, `sid`, `login_sid` (of the login of the same name, NULL where
/// there is none). Users without login and contained ones are not meant to have one.
pub fn orphaned_users(database: &DatabaseName) -> Statement {
    const COLUMNS: [Column; 3] = [
        Column::new("name", Kind::Words, "p.name"),
        Column::new("sid", Kind::Hex, "p.sid"),
        Column::new("login_sid", Kind::Hex, "s.sid"),
    ];
    let rest = format!(
        "FROM {}.sys.database_principals p LEFT JOIN sys.server_principals m ON m.sid=p.sid \
         LEFT JOIN sys.server_principals s ON s.name=p.name COLLATE DATABASE_DEFAULT AND s.type='S' \
         WHERE p.type='S' AND p.authentication_type=1 AND p.principal_id>4 AND m.sid IS NULL ORDER BY p.name",
        database.identifier()
    );
    Statement::select("orphaned_users", "", &COLUMNS, &rest)
}

/// Joins a user to the login of the same name, and leaves the database again.
pub fn join_user(database: &DatabaseName, user: &LoginName) -> Statement {
    let (place, name, user) = (database.identifier(), database.literal(), user.identifier());
    // Where USE fails the batch may go on in master, which may have a user of that name.
    let text = format!("USE {place};\nIF DB_NAME()={name} ALTER USER {user} WITH LOGIN={user};\nUSE [master];");
    Statement::new("join_user", text)
}
