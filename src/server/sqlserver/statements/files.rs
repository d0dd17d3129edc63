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
