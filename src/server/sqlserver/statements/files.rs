//! Files and space on the computer of a server, as its service sees them.

use super::{Column, DatabaseName, Kind, ServerPath, Statement};

/// Does it exist: `File Exists`, `File is a Directory`, `Parent Directory Exists` (0 or 1).
pub fn file_exists(path: &ServerPath) -> Statement {
    const COLUMNS: [Column; 3] = [
        Column::own("File Exists", "int"),
        Column::own("File is a Directory", "int"),
        Column::own("Parent Directory Exists", "int"),
    ];
    let text = format!("EXEC master.dbo.xp_fileexist {};", path.literal());
    Statement::new("file_exists", text).returning(&COLUMNS)
}

/// Size of a file, in bytes. The server reads all of it: only where nothing else reaches the file.
pub fn file_size(path: &ServerPath) -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("bytes", Kind::Big, "DATALENGTH(b.BulkColumn)")];
    Statement::select("file_size", "", &COLUMNS, &bulk(path)).long()
}

/// A whole file of at most 2 GiB − 1: `content`. Small files only; the client holds all of it.
pub fn file_content(path: &ServerPath) -> Statement {
    const COLUMNS: [Column; 1] = [Column::new("content", Kind::Bytes, "b.BulkColumn")];
    Statement::select("file_content", "", &COLUMNS, &bulk(path)).long()
}

/// `length` bytes of a file from `offset` on: `content`. The server reads the file anew for each piece.
pub fn file_piece(path: &ServerPath, offset: u32, length: u32) -> Statement {
    const COLUMNS: [Column; 1] = [Column { name: "content", kind: Kind::Bytes, from: "" }];
    let from = u64::from(offset) + 1;
    let text = format!("SELECT SUBSTRING(b.BulkColumn, {from}, {length}) AS [content] {};", bulk(path));
    Statement::new("file_piece", text).returning(&COLUMNS).long()
}

fn bulk(path: &ServerPath) -> String {
    format!("FROM OPENROWSET(BULK {}, SINGLE_BLOB) AS b", path.literal())
}

/// Space on the volumes of an attached database's files (of master's where there is none yet): `volume`, `free_bytes`, `total_bytes`.
pub fn free_space(database: Option<&DatabaseName>) -> Statement {
    const COLUMNS: [Column; 3] = [
        Column::new("volume", Kind::Words, "v.volume_mount_point"),
        Column::new("free_bytes", Kind::Big, "v.available_bytes"),
        Column::new("total_bytes", Kind::Big, "v.total_bytes"),
    ];
    let name = database.map_or_else(|| "N'master'".to_owned(), DatabaseName::literal);
    let rest = format!("FROM sys.dm_os_volume_stats(DB_ID({name}), 1) AS v");
    Statement::select("free_space", "", &COLUMNS, &rest)
}

/// Free space of the server's local drives: `drive` (a letter), `MB free`. Windows only.
pub fn drives() -> Statement {
    const COLUMNS: [Column; 2] = [Column::own("drive", "nvarchar(1)"), Column::own("MB free", "int")];
    Statement::new("drives", "EXEC master.dbo.xp_fixeddrives;".to_owned()).returning(&COLUMNS)
}

/// The folder for backups of servers before 2019, which do not say it as a property: `Value`, `Data`. Needs sysadmin.
pub fn backup_folder() -> Statement {
    const COLUMNS: [Column; 2] = [Column::own("Value", "nvarchar(512)"), Column::own("Data", "nvarchar(512)")];
    let text = r"EXEC master.dbo.xp_instance_regread N'HKEY_LOCAL_MACHINE', N'Software\Microsoft\MSSQLServer\MSSQLServer', N'BackupDirectory';";
    Statement::new("backup_folder", text.to_owned()).returning(&COLUMNS)
}
