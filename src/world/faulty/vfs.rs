//! SQLite's way to the faulty disk: the default VFS, with the methods that change a disk going through it. Registered once, as the
//! default, before any connection is opened; everything else is the default VFS's own.
#![allow(unsafe_code)] // SQLite is told here, and nowhere else, what to call

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::sync::{Mutex, OnceLock, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use super::super::disk::{At, Change};
use super::super::files::folder_of;
use super::disk::around;

type Code = std::ffi::c_int;

/// The VFS that does the work.
struct Base(&'static sqlite3_vfs);

// SAFETY: SQLite calls a VFS from any thread; its structure is not changed after it was registered.
unsafe impl Send for Base {}
// SAFETY: as above.
unsafe impl Sync for Base {}

static BASE: OnceLock<Base> = OnceLock::new();
static FILES: Mutex<Option<Files>> = Mutex::new(None);

/// Open files, by the address of SQLite's structure, and our methods, by the address of those they stand in for.
#[derive(Default)]
struct Files {
    open: HashMap<usize, Open>,
    methods: HashMap<usize, &'static sqlite3_io_methods>,
}

#[derive(Clone)]
struct Open {
    path: PathBuf,
    methods: &'static sqlite3_io_methods,
    /// A journal, whose name SQLite makes durable with its first sync, whoever created it.
    names_due: bool,
}

/// Makes the faulty disk SQLite's default.
pub(super) fn register() {
    // SAFETY: finds the default VFS, which lives as long as the process; null is looked for below.
    let Some(base) = (unsafe { ffi::sqlite3_vfs_find(null()).as_ref() }) else { panic!("SQLite has no VFS") };
    let ours =
        Box::leak(Box::new(sqlite3_vfs { zName: c"relevo-faulty".as_ptr(), xOpen: Some(open), xDelete: Some(delete), ..*base }));
    if BASE.set(Base(base)).is_ok() {
        // SAFETY: `ours` is complete, a copy of a valid VFS, and never freed.
        assert_eq!(unsafe { ffi::sqlite3_vfs_register(ours, 1) }, ffi::SQLITE_OK);
    }
}

fn base() -> &'static sqlite3_vfs {
    match BASE.get() {
        Some(base) => base.0,
        None => unreachable!("registered after it was set"),
    }
}

fn files<T>(look: impl FnOnce(&mut Files) -> T) -> T {
    look(FILES.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

/// What [`open`] noted; its methods are only given to files that are noted.
fn noted(file: *mut sqlite3_file) -> Open {
    match files(|files| files.open.get(&(file as usize)).cloned()) {
        Some(open) => open,
        None => unreachable!("a file with our methods is noted"),
    }
}

/// Runs one change; SQLite's own code where SQLite failed, `failed` (or *full*) where the disk did.
fn change(change: Change, failed: Code, act: impl FnOnce(usize) -> Code) -> Code {
    let mut code = ffi::SQLITE_OK;
    let done = around(change, |length| {
        code = act(length);
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    });
    match done {
        Err(_) if code != ffi::SQLITE_OK => code,
        Err(error) if error.kind() == io::ErrorKind::StorageFull => ffi::SQLITE_FULL,
        Err(_) => failed,
        Ok(()) => ffi::SQLITE_OK,
    }
}

/// # Safety
/// `name` ends with NUL and lives while the path is used.
unsafe fn path<'a>(name: *const std::ffi::c_char) -> &'a Path {
    // SAFETY: as the caller says.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()))
}

// SAFETY of all that follow: SQLite calls them with the arguments that its documentation of sqlite3_vfs and sqlite3_io_methods
// promises, and they are handed on unchanged to the method of the same name of the VFS that opened the file.

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const std::ffi::c_char,
    file: *mut sqlite3_file,
    flags: Code,
    out: *mut Code,
) -> Code {
    let base = base();
    let Some(original) = base.xOpen else { return ffi::SQLITE_CANTOPEN };
    let base = std::ptr::from_ref(base).cast_mut();
    if name.is_null() {
        // SAFETY: see above; a temporary file is nobody's.
        return unsafe { original(base, name, file, flags, out) };
    }
    // SAFETY: SQLite's file names end with NUL; it is copied below.
    let path = unsafe { path(name) };
    let creates = flags & ffi::SQLITE_OPEN_CREATE != 0;
    // SAFETY: see above.
    let opening = |_| unsafe { original(base, name, file, flags, out) };
    let code = if creates && !path.exists() { change(Change::Create(path), ffi::SQLITE_CANTOPEN, opening) } else { opening(0) };
    // SAFETY: SQLite gives room for the whole structure; a failed open may leave the methods null.
    let Some(methods) = (unsafe { (*file).pMethods.as_ref() }).filter(|_| code == ffi::SQLITE_OK) else { return code };
    let journal = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
    let ours = files(|files| {
        files.open.insert(file as usize, Open { path: path.to_owned(), methods, names_due: creates && journal });
        *files.methods.entry(std::ptr::from_ref(methods) as usize).or_insert_with(|| {
            let (x_write, x_truncate, x_sync, x_close) =
                (Some(write as _), Some(truncate as _), Some(sync as _), Some(close as _));
            let ours = sqlite3_io_methods {
                xWrite: x_write,
                xTruncate: x_truncate,
                xSync: x_sync,
                xClose: x_close,
                xShmMap: Some(share),
                ..*methods
            };
            Box::leak(Box::new(ours))
        })
    });
    // SAFETY: as above; `ours` is never freed, and its methods call those that they replace.
    unsafe { (*file).pMethods = ours };
    code
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const std::ffi::c_char, sync_folder: Code) -> Code {
    let base = base();
    let Some(original) = base.xDelete else { return ffi::SQLITE_IOERR_DELETE };
    // SAFETY: SQLite's file names end with NUL.
    let path = unsafe { path(name) };
    let code = change(Change::Remove(path), ffi::SQLITE_IOERR_DELETE, |_| {
        // SAFETY: see above.
        unsafe { original(std::ptr::from_ref(base).cast_mut(), name, sync_folder) }
    });
    if code == ffi::SQLITE_OK && sync_folder != 0 {
        return change(Change::SyncFolder(folder_of(path)), ffi::SQLITE_IOERR_DIR_FSYNC, |_| ffi::SQLITE_OK); // it was synced already
    }
    code
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> Code {
    let open = noted(file);
    files(|files| files.open.remove(&(file as usize)));
    // SAFETY: see above.
    open.methods.xClose.map_or(ffi::SQLITE_OK, |original| unsafe { original(file) })
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const std::ffi::c_void, length: Code, offset: i64) -> Code {
    let open = noted(file);
    let Some(original) = open.methods.xWrite else { return ffi::SQLITE_IOERR_WRITE };
    change(Change::Write(At::Named(&open.path), length as usize), ffi::SQLITE_IOERR_WRITE, |length| {
        // SAFETY: see above; never more bytes than SQLite gave.
        unsafe { original(file, bytes, length as Code, offset) }
    })
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> Code {
    let open = noted(file);
    let Some(original) = open.methods.xTruncate else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: see above.
    change(Change::Length(At::Named(&open.path)), ffi::SQLITE_IOERR_TRUNCATE, |_| unsafe { original(file, length) })
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: Code) -> Code {
    let open = noted(file);
    let Some(original) = open.methods.xSync else { return ffi::SQLITE_IOERR_FSYNC };
    // SAFETY: see above.
    let code = change(Change::Sync(At::Named(&open.path)), ffi::SQLITE_IOERR_FSYNC, |_| unsafe { original(file, flags) });
    if code != ffi::SQLITE_OK || !open.names_due {
        return code;
    }
    files(|files| {
        if let Some(open) = files.open.get_mut(&(file as usize)) {
            open.names_due = false;
        }
    });
    change(Change::SyncFolder(folder_of(&open.path)), ffi::SQLITE_IOERR_DIR_FSYNC, |_| ffi::SQLITE_OK) // it was synced already
}

unsafe extern "C" fn share(
    file: *mut sqlite3_file,
    page: Code,
    size: Code,
    extend: Code,
    out: *mut *mut std::ffi::c_void,
) -> Code {
    let open = noted(file);
    let Some(original) = open.methods.xShmMap else { return ffi::SQLITE_IOERR_SHMMAP };
    // SAFETY: see above.
    change(Change::Share(At::Named(&open.path)), ffi::SQLITE_IOERR_SHMMAP, |_| unsafe { original(file, page, size, extend, out) })
}
