//! Platform calls for Linux: /proc, signals, statfs. windows.rs has the same functions; portable meaning stands at their users.
#![allow(unsafe_code)] // the system is called here and nowhere else

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::OnceLock;

use super::{ProcessId, interrupt};
use crate::text::Lang;

/// Readers hold nothing up here.
pub(super) fn is_held(_error: &io::Error) -> bool {
    false
}

#[allow(clippy::disallowed_methods)] // this is the rename behind World::rename
pub(super) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some shares and FUSE file systems cannot sync folders; there is nothing better to do on them.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP | libc::ENOSYS)) => Ok(()),
        synced => synced,
    }
}

pub(super) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buf, offset)
}

pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Only Linux has the call, and only some of its file systems do it (btrfs, XFS, some shares). Whatever it answers but "done", nothing
/// was cloned, and there is a copy to fall back on.
#[cfg(target_os = "linux")]
pub(super) fn clone_content(from: &File, to: &File) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: both descriptors are open as long as the borrowed files are; the call takes no pointer.
    unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) == 0 }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn clone_content(_from: &File, _to: &File) -> bool {
    false
}

#[cfg(target_os = "linux")]
pub(super) fn write_out(file: &File, offset: u64, length: u64) {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open as long as the borrowed file is; the other arguments are integers. A refusal changes nothing.
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), offset.cast_signed(), length.cast_signed(), libc::SYNC_FILE_RANGE_WRITE);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn write_out(_file: &File, _offset: u64, _length: u64) {}

/// Starts `command` in a session of its own, with nothing open but its three standard streams.
pub(super) fn spawn_detached(command: &mut std::process::Command) -> io::Result<Child> {
    let leave = || {
        // SAFETY: setsid and close_range are async-signal-safe and touch no memory of this process.
        unsafe {
            if libc::setsid() == -1 {
                return Err(io::Error::last_os_error());
            }
            // Closes at exec what the program that started us left open (a PIN's pipe); std's own files close there anyway.
            // A kernel before 5.11 refuses, which leaves it as any other program would.
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        }
        Ok(())
    };
    // SAFETY: `leave` runs between fork and exec; it makes two system calls and neither allocates nor locks.
    unsafe { command.pre_exec(leave) };
    command.spawn()
}

pub(super) fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Who runs under `pid`.
pub(super) fn identify(pid: u32) -> io::Result<ProcessId> {
    let started = Stat::read(pid)?.started();
    Ok(ProcessId { pid, started, image: image(pid)? })
}

pub(super) fn is_alive(process: &ProcessId) -> bool {
    let Ok(stat) = Stat::read(process.pid) else { return false };
    let same_image = match image(process.pid) {
        Ok(image) => image == process.image,
        // Another user's program hides its file. Number and start time are its own within a boot, and taking a living
        // server for dead would be the worse mistake.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    !stat.dead && stat.started() == process.started && same_image
}

/// Asks a program to close; always possible here.
pub(super) fn ask_to_close(pid: u32) -> io::Result<bool> {
    signal(pid, libc::SIGTERM)?;
    Ok(true)
}

/// Ends a program at once; one that is gone is no error.
pub(super) fn kill(pid: u32) -> io::Result<()> {
    signal(pid, libc::SIGKILL)
}

/// Ends this very process at once, as a power cut would.
#[cfg(debug_assertions)]
pub(super) fn kill_me() -> ! {
    let _ = kill(std::process::id());
    loop {
        std::thread::park(); // the signal is on its way
    }
}

fn signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    // 0 and negative numbers mean groups, 1 is the system itself.
    let pid = i32::try_from(pid).ok().filter(|&pid| pid > 1).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: kill takes two integers.
    if unsafe { libc::kill(pid, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

/// `(pid, belongs to)` of all processes: parents, and sessions, which keep those whose parent has ended.
pub(super) fn kinships() -> io::Result<Vec<(u32, u32)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Ok(stat) = Stat::read(pid) {
            found.extend([(pid, stat.parent), (pid, stat.session)]);
        }
    }
    Ok(found)
}

/// What /proc/PID/stat says.
#[derive(Debug, PartialEq)]
struct Stat {
    /// A zombie: ended, only not collected.
    dead: bool,
    parent: u32,
    session: u32,
    /// Clock ticks after the start of the system.
    ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> io::Result<Stat> {
        let bytes = std::fs::read(format!("/proc/{pid}/stat"))?;
        Stat::parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(line: &str) -> Option<Stat> {
        // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Stat {
            dead: matches!(*fields.first()?, "Z" | "X" | "x"),
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            ticks: fields.get(19)?.parse().ok()?,
        })
    }

    /// The start as a number that another boot does not repeat: programs that start with the system often get the same pid
    /// and tick again.
    fn started(&self) -> u64 {
        static BOOT: OnceLock<u64> = OnceLock::new();
        let boot = *BOOT.get_or_init(|| {
            let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            u64::from_str_radix(id.get(..8).unwrap_or_default(), 16).unwrap_or(0)
        });
        (boot << 30).wrapping_add(self.ticks) & (i64::MAX as u64) // scripts count in i64
    }
}

fn image(pid: u32) -> io::Result<PathBuf> {
    let path = std::fs::read_link(format!("/proc/{pid}/exe"))?.into_os_string().into_vec();
    // An update replaced the file of a running program: it is still the same program.
    let path = path.strip_suffix(b" (deleted)").unwrap_or(&path);
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}

pub(super) fn catch_interrupts() -> io::Result<()> {
    extern "C" fn caught(_signal: libc::c_int) {
        if let Some(code) = interrupt::interrupted() {
            // SAFETY: _exit is async-signal-safe; at a second Ctrl-C nothing more is to be cleaned up.
            unsafe { libc::_exit(code.into()) }
        }
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: an all-zero sigaction is valid, the handler only touches atomics, and `action` outlives the call.
        let done = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = caught as extern "C" fn(libc::c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &action, std::ptr::null_mut())
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

pub(super) fn is_network_path(path: &Path) -> bool {
    const NETWORK: [u32; 7] = [
        0x6969,      // NFS
        0x517B,      // SMB
        0xFF53_4D42, // CIFS
        0xFE53_4D42, // SMB2
        0x5346_414F, // AFS
        0x6B41_4653, // kAFS
        0x7375_7245, // Coda
    ];
    let Ok(path) = c_path(path) else { return false };
    let mut facts = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `path` ends with NUL and `facts` is as large as the call fills it; all zero is a valid statfs.
    let facts = unsafe {
        if libc::statfs(path.as_ptr(), facts.as_mut_ptr()) != 0 {
            return false;
        }
        facts.assume_init()
    };
    NETWORK.contains(&(facts.f_type as u32)) // the width of f_type differs; the numbers have 32 bits
}

pub(super) fn free_space(path: &Path) -> io::Result<u64> {
    let path = c_path(path)?;
    let mut facts = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` ends with NUL and `facts` is as large as the call fills it; all zero is a valid statvfs.
    let facts = unsafe {
        if libc::statvfs(path.as_ptr(), facts.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        facts.assume_init()
    };
    #[allow(clippy::unnecessary_cast)] // 32 bits on some machines
    Ok((facts.f_bavail as u64).saturating_mul(facts.f_frsize as u64))
}

fn c_path(path: &Path) -> io::Result<std::ffi::CString> {
    Ok(std::ffi::CString::new(path.as_os_str().as_bytes())?)
}

pub(super) fn host_name() -> io::Result<String> {
    let mut name = [0_u8; 256];
    // SAFETY: the call writes at most the given length; the last byte stays 0.
    if unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..end]).into_owned())
}

pub(super) fn is_administrator() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

pub(super) fn inherited_fd(fd: i32) -> io::Result<Box<dyn io::Read>> {
    // A duplicate is ours to close; a number that is not open fails here.
    // SAFETY: dup takes any number and touches no memory.
    let own = unsafe { libc::dup(fd) };
    if own < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `own` was just made for us and nobody else closes it.
    Ok(Box::new(unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(own) }))
}

/// The environment says it all here.
pub(super) fn desktop_lang() -> Option<Lang> {
    None
}

/// There are no Windows accounts here.
pub(super) fn windows_login(_account: Option<(&str, &str)>) -> Option<tiberius::AuthMethod> {
    None
}

/// Terminals stay open when a program ends.
pub(super) fn own_console() -> bool {
    false
}

/// There is no window that every desktop has.
pub(super) fn show_window(_title: &str, _message: &str) -> bool {
    false
}

/// The file's mode protects it.
pub(super) fn protect(bytes: &[u8]) -> io::Result<Vec<u8>> {
    Ok(bytes.to_vec())
}

pub(super) fn unprotect(bytes: &[u8]) -> io::Result<Vec<u8>> {
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read_whatever_the_program_is_called() {
        let rest = "4 5 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 7654321 9 9";
        let live = Stat { dead: false, parent: 4, session: 6, ticks: 7_654_321 };
        for name in ["svrpdv", "a b", "a) S 1 (b", "", ")"] {
            assert_eq!(Stat::parse(&format!("77 ({name}) S {rest}")), Some(Stat { ..live }), "{name}");
        }
        assert!(Stat::parse(&format!("77 (x) Z {rest}")).is_some_and(|stat| stat.dead));
        assert_eq!(Stat::parse("77 (x) S 4"), None);
    }

    #[test]
    fn groups_and_the_system_are_never_signalled() {
        for pid in [0, 1, u32::MAX] {
            assert_eq!(kill(pid).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn the_exit_code_of_a_signal() {
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(4 << 8)), 4);
    }

    #[test]
    fn a_private_file_is_its_owners() {
        use super::super::{Label, Os, World, write_private};
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let (private, usual) = (dir.path().join("secrets"), dir.path().join("SvrBak.txt"));
        std::fs::write(&private, b"for all").unwrap();
        write_private(&Os, Label::StateWrite, &private, b"x").unwrap();
        Os.write_file(Label::SignalWrite, &usual, b"x").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(std::fs::read(&private).unwrap(), b"x");
        assert_eq!(mode(&private), 0o600);
        std::fs::write(dir.path().join("plain"), b"").unwrap();
        assert_eq!(mode(&usual), mode(&dir.path().join("plain")));
    }

    /// The process to interrupt is this test itself, started once more.
    #[test]
    fn the_first_interrupt_sets_the_flag_and_the_second_ends_the_process() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::time::Duration;

        const DIR: &str = "RELEVO_TEST_CHILD_DIR";
        let nap = || std::thread::sleep(Duration::from_millis(5));
        if let Ok(dir) = std::env::var(DIR) {
            let flag = Arc::new(AtomicBool::new(false));
            interrupt::on_interrupt(Arc::clone(&flag)).unwrap();
            interrupt::on_interrupt(Arc::default()).unwrap_err();
            std::fs::write(Path::new(&dir).join("ready"), b"").unwrap();
            while !flag.load(Ordering::SeqCst) {
                nap();
            }
            std::fs::write(Path::new(&dir).join("seen"), b"").unwrap();
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let name = "world::unix::tests::the_first_interrupt_sets_the_flag_and_the_second_ends_the_process";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let mut child = command.args(["--exact", name]).env(DIR, dir.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
        for (file, number) in [("ready", libc::SIGINT), ("seen", libc::SIGTERM)] {
            while !dir.path().join(file).exists() {
                assert!(child.try_wait().unwrap().is_none());
                nap();
            }
            signal(child.id(), number).unwrap();
        }
        assert_eq!(exit_code(child.wait().unwrap()), 10);
    }

    #[test]
    fn a_detached_program_gets_nothing_but_its_streams_and_a_session_of_its_own() {
        use std::os::fd::AsRawFd;

        let file = tempfile::tempfile().unwrap();
        // SAFETY: the descriptor is open and its flags are numbers.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) }; // as if our own starter had left it open
        let mut command = std::process::Command::new("sleep");
        let mut child = spawn_detached(command.arg("60").stdin(std::process::Stdio::null())).unwrap();
        let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
        let session = Stat::read(child.id()).unwrap().session;
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((open, session), (3, child.id()));
    }
}
