//! Platform calls for Windows. unix.rs has the same functions; portable meaning stands at their users.
#![allow(unsafe_code)] // the system is called here and nowhere else

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::fs::FileExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::{Component, Path, PathBuf, Prefix};
use std::process::{Child, ExitStatus};
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, ERROR_LOCK_VIOLATION, ERROR_NO_MORE_FILES, ERROR_SHARING_VIOLATION,
    ERROR_USER_MAPPED_FILE, FILETIME, HANDLE_FLAG_INHERIT, HWND, INVALID_HANDLE_VALUE, LPARAM, LocalFree, SetHandleInformation,
    WAIT_TIMEOUT,
};
use windows_sys::Win32::Globalization::GetUserDefaultUILanguage;
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use windows_sys::Win32::Storage::FileSystem::{
    GetDiskFreeSpaceExW, GetDriveTypeW, MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH, MoveFileExW, SYNCHRONIZE,
};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, GetConsoleProcessList, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
    SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::SystemInformation::{ComputerNameNetBIOS, GetComputerNameExW};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, GetCurrentProcess, GetProcessTimes, OpenProcess,
    PROCESS_ACCESS_RIGHTS, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE, QueryFullProcessImageNameW,
    TerminateProcess, WaitForSingleObject,
};
use windows_sys::Win32::UI::Shell::IsUserAnAdmin;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GetWindowThreadProcessId, IsWindowVisible, MB_ICONWARNING, MB_OK, MB_SETFOREGROUND, MessageBoxW, PostMessageW,
    WM_CLOSE,
};
use windows_sys::core::BOOL;

use super::{ProcessId, interrupt};
use crate::text::Lang;

/// The exit code of what is killed, as a shell on unix would show it.
const KILLED: u32 = 137;
/// How long closing the console waits for a clean end; the system itself allows 5 s.
const CONSOLE_CLOSES: Duration = Duration::from_millis(4500);

/// Does somebody hold the file: a reader, a virus scanner, a removal that is not complete?
pub(super) fn is_held(error: &io::Error) -> bool {
    const HELD: [u32; 4] = [ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE];
    error.raw_os_error().is_some_and(|code| HELD.contains(&(code as u32)))
}

/// Renames over; returns when the disk has it.
pub(super) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide_path(from)?, wide_path(to)?);
    // SAFETY: both names end with NUL and outlive the call.
    done(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) })
}

pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Folders cannot be synced here; renames write through.
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// ReFS could; the shops' NTFS cannot.
pub(super) fn clone_content(_from: &File, _to: &File) -> bool {
    false
}

/// Windows has no such wish; it begins by itself.
pub(super) fn write_out(_file: &File, _offset: u64, _length: u64) {}

pub(super) fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.seek_read(buf, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                buf = &mut buf[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

/// Starts `command` without our console and outside our job, where the job lets it.
pub(super) fn spawn_detached(command: &mut std::process::Command) -> io::Result<Child> {
    // Our own streams may be pipes of the program that started us. std starts programs so that they inherit everything
    // inheritable: that program would wait for its pipe's end as long as the new program lives. std makes inheritable
    // copies itself where a stream is to be passed on, so nothing else needs the mark.
    for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: takes a handle of this process or an invalid one, which it refuses.
        unsafe { SetHandleInformation(GetStdHandle(stream), HANDLE_FLAG_INHERIT, 0) };
    }
    // A hidden console rather than none: programs that it starts itself would open visible ones.
    let flags = CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW;
    match command.creation_flags(flags | CREATE_BREAKAWAY_FROM_JOB).spawn() {
        Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED as i32) => command.creation_flags(flags).spawn(),
        started => started,
    }
}

pub(super) fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1) // always there on Windows
}

/// Who runs under `pid`.
pub(super) fn identify(pid: u32) -> io::Result<ProcessId> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let mut name = [0_u16; 1024];
    let mut length = name.len() as u32;
    // SAFETY: the handle is open; `length` is the size of `name` and becomes the number of units written.
    done(unsafe { QueryFullProcessImageNameW(process.as_raw_handle(), PROCESS_NAME_WIN32, name.as_mut_ptr(), &mut length) })?;
    let image = PathBuf::from(std::ffi::OsString::from_wide(&name[..length as usize]));
    Ok(ProcessId { pid, started: started(&process)?, image })
}

pub(super) fn is_alive(process: &ProcessId) -> bool {
    // A program that ended keeps its number as long as somebody holds a handle of it.
    let Ok(handle) = open(process.pid, PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE) else { return false };
    // SAFETY: the handle is open and may be waited for.
    let running = unsafe { WaitForSingleObject(handle.as_raw_handle(), 0) } == WAIT_TIMEOUT;
    running && identify(process.pid).is_ok_and(|found| found == *process)
}

fn open(pid: u32, access: PROCESS_ACCESS_RIGHTS) -> io::Result<OwnedHandle> {
    // SAFETY: takes plain numbers; a handle it returns is ours to close.
    let handle = unsafe { OpenProcess(access, 0, pid) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open and nobody else owns it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// When a process started, in units of 100 ns since 1601.
fn started(process: &OwnedHandle) -> io::Result<u64> {
    let mut times = [FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 }; 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: the handle is open and each pointer is that of a FILETIME of its own.
    done(unsafe { GetProcessTimes(process.as_raw_handle(), created, exited, kernel, user) })?;
    Ok(u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
}

/// Posts WM_CLOSE to the program's windows: the visible ones, or all where it shows none (an icon beside the clock). `false`
/// when it has none: a program without windows cannot be asked, since it has a console of its own that we are not in.
pub(super) fn ask_to_close(pid: u32) -> io::Result<bool> {
    struct Search {
        pid: u32,
        visible: Vec<HWND>,
        hidden: Vec<HWND>,
    }
    unsafe extern "system" fn look(window: HWND, search: LPARAM) -> BOOL {
        // SAFETY: `search` is the Search below, which outlives the enumeration and is used by nobody else during it.
        let search = unsafe { &mut *(search as *mut Search) };
        let mut owner = 0;
        // SAFETY: the system passes a window; one that is gone by now only makes the calls fail.
        let visible = unsafe {
            GetWindowThreadProcessId(window, &mut owner);
            IsWindowVisible(window) != 0
        };
        if owner == search.pid {
            if visible { &mut search.visible } else { &mut search.hidden }.push(window);
        }
        1
    }
    let mut search = Search { pid, visible: Vec::new(), hidden: Vec::new() };
    // SAFETY: `look` gets the address of `search`, which lives until the call returns. Where there is no desktop it fails,
    // which means that there is no window either.
    unsafe { EnumWindows(Some(look), &raw mut search as LPARAM) };
    let windows = if search.visible.is_empty() { search.hidden } else { search.visible };
    let mut asked = false;
    for window in windows {
        // SAFETY: takes a window, or the number of one that is gone, and two numbers.
        asked |= unsafe { PostMessageW(window, WM_CLOSE, 0, 0) } != 0;
    }
    Ok(asked)
}

/// Ends a program at once; one that is gone is no error.
pub(super) fn kill(pid: u32) -> io::Result<()> {
    let process = match open(pid, PROCESS_TERMINATE | SYNCHRONIZE) {
        Err(error) if error.raw_os_error() == Some(ERROR_INVALID_PARAMETER as i32) => return Ok(()),
        opened => opened?,
    };
    // SAFETY: the handle is open and may terminate and be waited for.
    unsafe {
        let ended = done(TerminateProcess(process.as_raw_handle(), KILLED));
        // One that is ending already denies access.
        if WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT { ended } else { Ok(()) }
    }
}

/// Ends this very process at once, as a power cut would.
#[cfg(debug_assertions)]
pub(super) fn kill_me() -> ! {
    // SAFETY: the pseudo handle of this process is always valid; the call does not return.
    unsafe { TerminateProcess(GetCurrentProcess(), KILLED) };
    loop {
        std::thread::park();
    }
}

/// `(pid, belongs to)` of all processes. A parent's number may be that of a later program: only an older one counts.
pub(super) fn kinships() -> io::Result<Vec<(u32, u32)>> {
    // SAFETY: takes plain numbers; the handle is ours to close.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open and nobody else owns it.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..PROCESSENTRY32W::default() };
    let mut pairs = Vec::new();
    // SAFETY: the handle is open and `entry` says its own size.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &mut entry) };
    while more != 0 {
        pairs.push((entry.th32ProcessID, entry.th32ParentProcessID));
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &mut entry) };
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(ERROR_NO_MORE_FILES as i32) {
        return Err(error);
    }
    let since = |pid: u32| open(pid, PROCESS_QUERY_LIMITED_INFORMATION).and_then(|process| started(&process)).ok();
    let begins: HashMap<u32, u64> = pairs.iter().filter_map(|&(pid, _)| Some((pid, since(pid)?))).collect();
    pairs.retain(|(pid, parent)| match (begins.get(parent), begins.get(pid)) {
        (Some(parent), Some(child)) => parent <= child,
        _ => false,
    });
    Ok(pairs)
}

pub(super) fn catch_interrupts() -> io::Result<()> {
    unsafe extern "system" fn caught(event: u32) -> BOOL {
        if let Some(code) = interrupt::interrupted() {
            // SAFETY: the pseudo handle of this process is always valid; at a second Ctrl-C nothing more is to be cleaned up.
            unsafe { TerminateProcess(GetCurrentProcess(), code.into()) };
        }
        if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
            std::thread::sleep(CONSOLE_CLOSES); // the window is closed or the user leaves: returning ends the process
        }
        1
    }
    // SAFETY: `caught` is a function and lives as long as the process; it runs on a thread of its own.
    done(unsafe { SetConsoleCtrlHandler(Some(caught), 1) })
}

pub(super) fn is_network_path(path: &Path) -> bool {
    const DRIVE_REMOTE: u32 = 4;
    // A link may lead away: its destination counts too.
    [Some(path.to_owned()), path.canonicalize().ok()].into_iter().flatten().any(|path| {
        let Some(Component::Prefix(prefix)) = path.components().next() else { return false };
        match prefix.kind() {
            Prefix::UNC(..) | Prefix::VerbatimUNC(..) => true,
            Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
                let root = [letter.into(), u16::from(b':'), u16::from(b'\\'), 0];
                // SAFETY: `root` ends with NUL and outlives the call.
                unsafe { GetDriveTypeW(root.as_ptr()) == DRIVE_REMOTE }
            }
            _ => false,
        }
    })
}

pub(super) fn free_space(path: &Path) -> io::Result<u64> {
    // The question is for folders only.
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let name = wide_path(folder)?;
    let mut free = 0;
    // SAFETY: `name` ends with NUL, `free` is a u64, and the other two answers may be left out.
    done(unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &mut free, null_mut(), null_mut()) })?;
    Ok(free)
}

/// The NetBIOS name: the one in `SERVIDOR\SQLEXPRESS`.
pub(super) fn host_name() -> io::Result<String> {
    let mut name = [0_u16; 256];
    let mut length = name.len() as u32;
    // SAFETY: `length` is the size of `name` and becomes the number of units written.
    done(unsafe { GetComputerNameExW(ComputerNameNetBIOS, name.as_mut_ptr(), &mut length) })?;
    Ok(String::from_utf16_lossy(&name[..length as usize]))
}

pub(super) fn is_administrator() -> bool {
    // SAFETY: takes nothing.
    unsafe { IsUserAnAdmin() != 0 }
}

pub(super) fn inherited_fd(_fd: i32) -> io::Result<Box<dyn io::Read>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "use descriptor 0: standard input"))
}

pub(super) fn desktop_lang() -> Option<Lang> {
    // SAFETY: takes nothing.
    let language = unsafe { GetUserDefaultUILanguage() };
    match language & 0x3FF {
        0x0A => Some(Lang::Es),
        0x09 => Some(Lang::En),
        _ => None,
    }
}

/// The named account, or the one that this process runs as.
pub(super) fn windows_login(account: Option<(&str, &str)>) -> Option<tiberius::AuthMethod> {
    Some(match account {
        Some((user, password)) => tiberius::AuthMethod::windows(user, password),
        None => tiberius::AuthMethod::Integrated,
    })
}

/// A launcher that gave us a hidden console and reads our streams is not alone at a window: it asks for no key.
pub(super) fn own_console() -> bool {
    let mut pids = [0_u32; 2];
    // SAFETY: the length is that of `pids`.
    let count = unsafe { GetConsoleProcessList(pids.as_mut_ptr(), pids.len() as u32) };
    count == 1 && io::stderr().is_terminal()
}

pub(super) fn show_window(title: &str, message: &str) -> bool {
    let (title, message) = (wide(title.encode_utf16()), wide(message.encode_utf16()));
    // SAFETY: both texts end with NUL and outlive the call; there is no owner window.
    unsafe { MessageBoxW(null_mut(), message.as_ptr(), title.as_ptr(), MB_OK | MB_ICONWARNING | MB_SETFOREGROUND) != 0 }
}

pub(super) fn protect(bytes: &[u8]) -> io::Result<Vec<u8>> {
    dpapi(bytes, |input, output| {
        let flags = CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN; // cashiers and services are different users
        // SAFETY: both blobs are valid during the call and everything else may be left out.
        unsafe { CryptProtectData(input, null(), null(), null(), null(), flags, output) }
    })
}

pub(super) fn unprotect(bytes: &[u8]) -> io::Result<Vec<u8>> {
    dpapi(bytes, |input, output| {
        // SAFETY: both blobs are valid during the call and everything else may be left out.
        unsafe { CryptUnprotectData(input, null_mut(), null(), null(), null(), CRYPTPROTECT_UI_FORBIDDEN, output) }
    })
}

fn dpapi(bytes: &[u8], call: impl FnOnce(*const CRYPT_INTEGER_BLOB, *mut CRYPT_INTEGER_BLOB) -> BOOL) -> io::Result<Vec<u8>> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let input = CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() };
    let mut output = CRYPT_INTEGER_BLOB { cbData: 0, pbData: null_mut() };
    done(call(&input, &mut output))?;
    // SAFETY: the call succeeded: `output` names memory of that length, which is ours to free, once, after it is copied.
    unsafe {
        let copy = std::slice::from_raw_parts(output.pbData, output.cbData as usize).to_vec();
        LocalFree(output.pbData.cast());
        Ok(copy)
    }
}

fn done(result: BOOL) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn wide(units: impl Iterator<Item = u16>) -> Vec<u16> {
    units.chain([0]).collect()
}

/// A path for the system, which takes more than 260 units only in its verbatim form.
fn wide_path(path: &Path) -> io::Result<Vec<u16>> {
    const SHORT: usize = 240;
    let absolute = std::path::absolute(path)?;
    let name: Vec<u16> = absolute.as_os_str().encode_wide().collect();
    if name.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path cannot hold NUL"));
    }
    let verbatim = match absolute.components().next() {
        Some(Component::Prefix(prefix)) if name.len() > SHORT => match prefix.kind() {
            Prefix::Disk(_) => Some((r"\\?\", 0)),
            Prefix::UNC(..) => Some((r"\\?\UNC\", 2)), // instead of the two backslashes that it begins with
            _ => None,
        },
        _ => None,
    };
    let (before, skip) = verbatim.unwrap_or(("", 0));
    Ok(wide(before.encode_utf16().chain(name.into_iter().skip(skip))))
}
