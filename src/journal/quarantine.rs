//! A journal file that is no database any more, or damaged beyond reading. It is set aside, never removed, and a new one begins: it
//! holds no sale, and a role change that it recorded is known by its announcement beside the backup's database (docs/journal.md).
//! Never while a run of this store directory is at work.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Exit, Failure, Result};
use crate::model::RunId;
use crate::text;
use crate::world::{Label, World, is_locked};

/// How long another process may take to set it aside.
const WAIT: Duration = Duration::from_secs(5);

/// Does SQLite say that the file itself is damaged? A format that it may only read is one that nobody wrote here.
pub fn is_damage(path: &Path, error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => true,
        Some(rusqlite::ErrorCode::ReadOnly) => {
            format_of(path).is_some_and(|bytes| bytes.iter().any(|byte| !(1..=2).contains(byte)))
        }
        _ => false,
    }
}

/// The two bytes of the header that say who may write and read the file. Only asked once SQLite has refused it.
fn format_of(path: &Path) -> Option<[u8; 2]> {
    let mut head = [0; 20];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).ok()?;
    Some([head[18], head[19]])
}

/// Moves the journal with what SQLite keeps beside it to the first free name; where it is kept then. `still` asks again whether it
/// is damaged: another process may have been faster.
pub fn set_aside(
    world: &dyn World,
    path: &Path,
    locks: &Path,
    own: Option<RunId>,
    still: impl Fn() -> bool,
) -> Result<Option<PathBuf>> {
    let guard = path.with_extension("lock");
    let until = Instant::now() + WAIT;
    let _lock = loop {
        match world.try_lock(&guard) {
            Ok(Some(lock)) => break lock,
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => return Err(damaged(path, "another process holds it")),
            Err(e) => return Err(Failure::io(text!("no se pudo bloquear", "could not lock"), &guard, &e)),
        }
    };
    if !still() {
        return Ok(None);
    }
    if let Some(run) = at_work(locks, own) {
        return Err(damaged(path, &format!("run {run} is at work")));
    }
    let named = |end: &str, number: u32| PathBuf::from(format!("{}.damaged-{number}{end}", path.display()));
    let number = (1..).find(|n| ["", "-wal", "-shm"].iter().all(|end| !named(end, *n).exists())).unwrap_or(1);
    // The file itself last: as long as it is there, whoever comes finds it damaged and goes on.
    for end in ["-wal", "-shm", ""] {
        let from = PathBuf::from(format!("{}{end}", path.display()));
        if from.exists() {
            world
                .rename(Label::StateWrite, &from, &named(end, number))
                .map_err(|e| Failure::io(text!("no se pudo renombrar", "could not rename"), &from, &e))?;
        }
    }
    Ok(Some(named("", number)))
}

/// A run whose owner is alive.
fn at_work(locks: &Path, own: Option<RunId>) -> Option<String> {
    let own = own.map(|run| format!("{run}.lock"));
    let entries = std::fs::read_dir(locks).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find(|name| name.ends_with(".lock") && Some(name) != own.as_ref() && is_locked(&locks.join(name)).unwrap_or(true))
}

/// The journal's file is damaged and has to be set aside by a person, or by the next verb once nobody is at work.
pub fn damaged(path: &Path, cause: &str) -> Failure {
    let shown = path.display();
    Failure::new(
        Exit::Stuck,
        "journal_damaged",
        text!("el diario {shown} está dañado", "the journal {shown} is damaged"),
    )
    .cause(cause)
    .hint(text!(
        "no guarda ventas: mueva {shown} (con -wal y -shm) a otro lugar, consérvelo y repita; un cambio de papel a medias lo retoma relevo promote o relevo restore",
        "it holds no sales: move {shown} (with -wal and -shm) elsewhere, keep it and repeat; an unfinished role change is taken over by relevo promote or relevo restore"
    ))
}
