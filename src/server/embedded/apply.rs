//! Applying copies to the standby. standby.json holds the position and, before the first write, the copy being applied: after a
//! crash the same copy is applied again (page writes are idempotent), and its root hash must come out.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};
use crate::model::kept;
use crate::model::{CopyKind, CopyToApply, DatabaseState, Epoch, Mark, Position, Side};
use crate::progress::{Progress, Watch};
use crate::text;
use crate::text::Text;
use crate::world::{Label, World, read_if_there, write_out};

use super::copy::{HEAD, MAGIC};
use super::pages::{self, BLOCK, PageTable, hash_page};
use super::snapshot::Snapshot;
use super::{connection, header, record};

/// standby.json cannot be believed.
const UNKNOWN: &str = "standby_unknown";

/// Blocks of a full copy that are read before they are written.
const AHEAD: usize = 4;

/// standby.json.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standby {
    /// How far the standby is; `None` while a full copy is being put in place.
    pub position: Option<Position>,
    /// The copy whose pages may be half written.
    pub applying: Option<String>,
}

/// A standby: its folder, database file and the operating system.
pub struct Place<'a> {
    /// The operating system.
    pub world: &'a dyn World,
    /// The instance's folder.
    pub dir: &'a Path,
    /// The database file.
    pub path: &'a Path,
}

impl Place<'_> {
    fn json(&self) -> PathBuf {
        self.dir.join("standby.json")
    }

    /// What standby.json says; `None` where there is none.
    pub fn read(&self) -> Result<Option<Standby>> {
        let path = self.json();
        match read_if_there(&path) {
            Ok(Some(body)) => kept::decode(&body).map(Some).map_err(|e| {
                let shown = path.display();
                Failure::failed(
                    UNKNOWN,
                    text!(
                        "{shown} está dañado: el respaldo necesita una copia completa",
                        "{shown} is damaged: the standby needs a full copy"
                    ),
                )
                .cause(e)
            }),
            Ok(None) => Ok(None),
            Err(e) => Err(Failure::io(text!("no se pudo leer", "could not read"), &path, &e)),
        }
    }

    fn write(&self, standby: &Standby) -> Result<()> {
        let path = self.json();
        self.world.write_file(Label::StandbyState, &path, &kept::encode(standby)).map_err(|e| self.failed(&path, &e))
    }

    /// Removes standby.json: the database is open and no standby any more.
    pub fn forget(&self) -> Result<()> {
        let path = self.json();
        if !path.exists() {
            return Ok(());
        }
        self.world.remove_file(Label::StandbyState, &path).map_err(|e| self.failed(&path, &e))
    }

    fn failed(&self, path: &Path, error: &std::io::Error) -> Failure {
        Failure::io(text!("no se pudo escribir", "could not write"), path, error)
    }

    /// See `DatabaseServer::detached`. Its epoch is the one that the restore ended; no copy was ever made of it, hence number 0.
    pub fn detached(&self, watch: &Watch) -> Result<Option<Position>> {
        if header::state_of(self.path)? != DatabaseState::Fenced {
            return Ok(None);
        }
        let Some(record) = record::read_file(self.dir)?.filter(|r| r.holder == Side::Main && r.epoch > Epoch::FIRST) else {
            return Ok(None);
        };
        let Some(database) = record.database else { return Ok(None) };
        let (_, root) = pages::hash_file(self.path, watch)?;
        Ok(Some(Position { database, epoch: Epoch(record.epoch.0 - 1), sequence: 0, mark: Mark::Pages { root } }))
    }

    /// See `DatabaseServer::follow_again`. The position is durable before the state that makes it count.
    pub fn follow_again(&self, position: &Position) -> Result<()> {
        match header::state_of(self.path)? {
            DatabaseState::Standby if self.read()?.unwrap_or_default().position.as_ref() == Some(position) => return Ok(()),
            DatabaseState::Fenced => {}
            state => {
                let shown = self.path.display();
                return Err(Failure::failed(
                    "not_detached",
                    text!("{shown} no está separada (@)", "{shown} is not detached (@)").fill(&state.text()),
                ));
            }
        }
        self.write(&Standby { position: Some(position.clone()), applying: None })?;
        header::remove_beside(self.world, self.path)?;
        header::write_state(self.world, &connection::plain(self.path, true)?, self.path, header::STANDBY)
    }

    /// Applies a copy; see `DatabaseServer::apply`.
    pub fn apply(&self, copy: &CopyToApply, content: &mut dyn Read, watch: &Watch) -> Result<()> {
        let standby = match self.read() {
            // A full copy asks nothing of what is there: it is the remedy.
            Err(failure) if failure.kind == UNKNOWN && copy.kind == CopyKind::Full => Standby::default(),
            read => read?.unwrap_or_default(),
        };
        let state = header::state_of(self.path)?;
        if state == DatabaseState::Open {
            return Err(wrong(
                "backup_is_open",
                copy,
                text!("la base del respaldo está abierta", "the backup's database is open"),
            )
            .hint(text!(
                "el respaldo está en servicio o quedó un relevo a medias: relevo status",
                "the backup is in service, or a role change is unfinished: relevo status"
            )));
        }
        if standby.position.as_ref() == Some(&copy.to) && standby.applying.is_none() && state == DatabaseState::Standby {
            return Ok(());
        }
        match copy.kind {
            CopyKind::Full => self.full(copy, state, content, watch),
            CopyKind::Increment => self.increment(copy, state, &standby, content, watch),
            CopyKind::Differential | CopyKind::Tail => {
                Err(wrong("copy_is_a_tail", copy, text!("es la cola de un antiguo principal", "it is the tail of an old main")))
            }
        }
    }

    fn full(&self, copy: &CopyToApply, state: DatabaseState, content: &mut dyn Read, watch: &Watch) -> Result<()> {
        // A detached database is replaced only when its epoch is over: its content went to main and was verified there.
        if matches!(state, DatabaseState::Fenced | DatabaseState::Unknown) {
            let over = record::read_file(self.dir)?.is_some_and(|r| r.holder == Side::Main && r.epoch <= copy.to.epoch);
            if !over {
                return Err(wrong(
                    "standby_not_replaceable",
                    copy,
                    text!("lo que hay en el respaldo no es un respaldo (@)", "what the backup has is no standby (@)")
                        .fill(&state.text()),
                )
                .hint(text!("consérvelo en otro lugar y repita", "keep it elsewhere and repeat")));
            }
        }
        let new = with_end(self.path, ".new");
        let outcome = self.build(&new, copy, content, watch);
        let table = match outcome {
            Ok(table) => table,
            Err(failure) => {
                let _ = self.world.remove_file(Label::StandbyPages, &new); // the failure is what matters; a later build overwrites it
                return Err(failure);
            }
        };
        self.write(&Standby { position: None, applying: Some(copy.name.clone()) })?;
        header::remove_beside(self.world, self.path)?;
        self.world.rename(Label::StandbyPlace, &new, self.path).map_err(|e| self.failed(self.path, &e))?;
        pages::keep(self.world, self.dir, &copy.to, &table, None)?;
        self.write(&Standby { position: Some(copy.to.clone()), applying: None })
    }

    /// Builds a full copy beside the standby, in standby state, its root hash compared.
    fn build(&self, new: &Path, copy: &CopyToApply, content: &mut dyn Read, watch: &Watch) -> Result<PageTable> {
        let failed = |e: &std::io::Error| self.failed(new, e);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(new).map_err(|e| failed(&e))?;
        watch.report(Progress::Begin(text!("aplicando copia completa", "applying a full copy"), copy.bytes));
        let at = self.write_all(&file, copy, content, watch, failed)?;
        watch.report(Progress::End);
        if at != copy.bytes {
            return Err(wrong(
                "copy_truncated",
                copy,
                text!("tiene {at} bytes y debía tener {}", "it has {at} bytes and should have {}", copy.bytes),
            ));
        }
        // While the disk writes, the processor reads and compares what it was given.
        let (synced, hashed) = std::thread::scope(|scope| {
            let syncing = scope.spawn(|| self.world.sync(Label::StandbyPages, &file));
            let hashed = pages::hash_file(new, watch);
            (syncing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), hashed)
        });
        synced.map_err(|e| failed(&e))?;
        drop(file);
        let (table, root) = hashed?;
        if Some(root) != copy.to.mark.root() {
            return Err(wrong(
                "copy_damaged",
                copy,
                text!("su contenido no es el que dice su manifiesto", "its content is not what its manifest says"),
            ));
        }
        Ok(table)
    }

    /// Writes a full copy's content by a thread of its own while this one reads and opens what follows. Returns its length.
    fn write_all(
        &self,
        file: &File,
        copy: &CopyToApply,
        content: &mut dyn Read,
        watch: &Watch,
        failed: impl Fn(&std::io::Error) -> Failure,
    ) -> Result<u64> {
        std::thread::scope(|scope| {
            let (send, blocks) = sync_channel::<(Vec<u8>, u64)>(AHEAD);
            let writer = scope.spawn(move || {
                blocks.into_iter().try_for_each(|(block, at)| {
                    self.world.write_at(Label::StandbyPages, file, &block, at)?;
                    write_out(file, at, block.len() as u64);
                    Ok(())
                })
            });
            let mut at = 0;
            loop {
                watch.check()?;
                let mut block = vec![0; BLOCK];
                let read = fill(content, &mut block).map_err(|e| unreadable(copy, &e))?;
                if read == 0 {
                    break;
                }
                if at == 0 {
                    if read < header::HEADER || header::page_size(&block).is_none() {
                        return Err(wrong("copy_damaged", copy, text!("no contiene una base", "it holds no database")));
                    }
                    block[header::AT..header::AT + 2].fill(header::STANDBY);
                }
                block.truncate(read);
                if send.send((block, at)).is_err() {
                    break; // the writer says why
                }
                at += read as u64;
                watch.report(Progress::Advance(read as u64));
            }
            drop(send);
            let written: std::io::Result<()> = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            written.map(|()| at).map_err(|e| failed(&e))
        })
    }

    fn increment(
        &self,
        copy: &CopyToApply,
        state: DatabaseState,
        standby: &Standby,
        content: &mut dyn Read,
        watch: &Watch,
    ) -> Result<()> {
        let Some(position) = standby.position.as_ref().filter(|_| state == DatabaseState::Standby) else {
            return Err(wrong(
                "copy_does_not_follow",
                copy,
                text!("el respaldo no tiene base a la que aplicarla", "the standby has no database to apply it to"),
            ));
        };
        if copy.to.database != position.database {
            return Err(wrong("copy_of_other_database", copy, text!("es de otra base de datos", "it is of another database")));
        }
        if copy.to.epoch != position.epoch {
            let (copys, own) = (copy.to.epoch, position.epoch);
            return Err(wrong(
                "copy_of_other_epoch",
                copy,
                text!(
                    "es de la época {copys} y el respaldo está en la {own}",
                    "it is of epoch {copys} and the standby is in {own}"
                ),
            ));
        }
        if copy.from.as_ref() != Some(position) {
            let own = position.sequence;
            return Err(wrong(
                "copy_does_not_follow",
                copy,
                text!(
                    "no sigue a la copia {own}, que es la que tiene el respaldo",
                    "it does not follow copy {own}, which is what the standby has"
                ),
            ));
        }
        if let Some(other) = standby.applying.as_ref().filter(|name| **name != copy.name) {
            return Err(wrong(
                "other_copy_half_applied",
                copy,
                text!("quedó a medias la copia {other}: esa va primero", "copy {other} is half applied: that one comes first"),
            ));
        }
        let mut head = [0; HEAD];
        let word = |head: &[u8; HEAD], at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        content.read_exact(&mut head).map_err(|e| unreadable(copy, &e))?;
        let (page_size, page_count, pages) = (word(&head, 8), word(&head, 12), word(&head, 16));
        let mut table = match pages::kept(self.dir, position) {
            Some(table) => table,
            None => pages::hash_file(self.path, watch)?.0,
        };
        // A database that grew carries every new page: more pages than that are claimed by damage, and no memory is given for them.
        let most = table.hashes.len() as u64 + u64::from(pages);
        if &head[..8] != MAGIC || page_size != table.page_size || pages > page_count || u64::from(page_count) > most {
            return Err(wrong(
                "copy_damaged",
                copy,
                text!(
                    "su formato no es el de una copia incremental de esta base",
                    "its format is not that of an increment of this database"
                ),
            ));
        }
        if copy.bytes != HEAD as u64 + u64::from(pages) * (4 + u64::from(page_size)) {
            return Err(wrong(
                "copy_truncated",
                copy,
                text!("su longitud no corresponde a sus {pages} páginas", "its length does not agree with its {pages} pages"),
            ));
        }
        self.write(&Standby { position: Some(position.clone()), applying: Some(copy.name.clone()) })?;
        table.hashes.resize(page_count as usize, [0; 16]);
        self.write_pages(copy, page_size, page_count, pages, &mut table, content, watch)?;
        if Some(table.root()) != copy.to.mark.root() {
            return Err(wrong(
                "copy_damaged",
                copy,
                text!("el respaldo no quedó como dice su manifiesto", "the standby did not come out as its manifest says"),
            )
            .hint(text!("haga una copia completa: relevo mirror --full", "make a full copy: relevo mirror --full")));
        }
        pages::keep(self.world, self.dir, &copy.to, &table, Some(position))?;
        self.write(&Standby { position: Some(copy.to.clone()), applying: None })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one header; a struct would be used once")]
    fn write_pages(
        &self,
        copy: &CopyToApply,
        page_size: u32,
        page_count: u32,
        pages: u32,
        table: &mut PageTable,
        content: &mut dyn Read,
        watch: &Watch,
    ) -> Result<()> {
        let size = page_size as usize;
        let file = connection::plain(self.path, true)?;
        let failed = |e: std::io::Error| self.failed(self.path, &e);
        watch.report(Progress::Begin(text!("aplicando copia incremental", "applying an increment"), copy.bytes));
        // Runs of neighbours go out in one write.
        let (mut run, mut run_at, mut last) = (Vec::new(), 0, 0);
        for _ in 0..pages {
            let mut number = [0; 4];
            content.read_exact(&mut number).map_err(|e| unreadable(copy, &e))?;
            let page = u32::from_le_bytes(number);
            if page <= last || page > page_count {
                return Err(wrong("copy_damaged", copy, text!("sus páginas no están en orden", "its pages are not in order")));
            }
            if page != last + 1 || run.len() + size > BLOCK {
                self.world_write(&file, &run, run_at).map_err(failed)?;
                run.clear();
                run_at = u64::from(page - 1) * u64::from(page_size);
            }
            let start = run.len();
            run.resize(start + size, 0);
            content.read_exact(&mut run[start..]).map_err(|e| unreadable(copy, &e))?;
            table.hashes[page as usize - 1] = hash_page(&run[start..]);
            if page == 1 {
                run[start + header::AT..start + header::AT + 2].fill(header::STANDBY);
            }
            watch.report(Progress::Advance(size as u64));
            last = page;
        }
        self.world_write(&file, &run, run_at).map_err(failed)?;
        watch.report(Progress::End);
        std::io::copy(content, &mut std::io::sink()).map_err(|e| unreadable(copy, &e))?; // to the end: that is where its hash is compared
        let length = u64::from(page_count) * u64::from(page_size);
        self.world.set_len(Label::StandbyPages, file.file(), length).map_err(failed)?;
        self.world.sync(Label::StandbyPages, file.file()).map_err(failed)
    }

    fn world_write(&self, file: &connection::PlainFile, run: &[u8], at: u64) -> std::io::Result<()> {
        if run.is_empty() { Ok(()) } else { self.world.write_at(Label::StandbyPages, file.file(), run, at) }
    }

    /// Hashes the whole standby and compares with the position it claims.
    pub fn verify(&self, watch: &Watch) -> Result<Position> {
        let standby = self.read()?.unwrap_or_default();
        let shown = self.path.display();
        let Some(position) = standby.position.filter(|_| standby.applying.is_none()) else {
            return Err(Failure::failed(
                "standby_incomplete",
                text!("{shown}: quedó una copia a medias", "{shown}: a copy is half applied"),
            ));
        };
        let snapshot = Snapshot::of(self.path)?;
        let table = pages::hash_all(&snapshot, watch)?;
        if Some(table.root()) != position.mark.root() {
            // What the copies say of it is not true any more: it is built again from a full copy, not continued.
            self.write(&Standby::default())?;
            return Err(Failure::failed(
                "standby_damaged",
                text!("{shown} no es lo que dicen sus copias", "{shown} is not what its copies say"),
            )
            .hint(text!(
                "repita la orden: se rehace con las copias de los destinos",
                "repeat the command: it is built again from the copies on the targets"
            )));
        }
        Ok(position)
    }
}

fn wrong(kind: &str, copy: &CopyToApply, why: Text) -> Failure {
    let (name, Text { es, en }) = (&copy.name, why);
    Failure::failed(
        kind,
        Text { es: format!("la copia {name} no se aplica: {es}"), en: format!("copy {name} is not applied: {en}") },
    )
}

fn unreadable(copy: &CopyToApply, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error.kind() {
        UnexpectedEof => wrong("copy_truncated", copy, text!("se acaba antes de tiempo", "it ends too early")).cause(error),
        InvalidData => wrong("copy_damaged", copy, text!("está dañada", "it is damaged")).cause(error),
        _ => wrong("copy_unreadable", copy, text!("no se pudo leer", "it could not be read")).cause(error),
    }
}

/// Reads until the buffer is full or the content ends.
fn fill(content: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The path with something appended to its name.
pub fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
