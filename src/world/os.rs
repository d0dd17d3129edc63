//! The real world. It passes no labelled points of its own: `Faulty` puts them around these bodies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::files::{self, Readers};
use super::{Command, Label, Lock, Moment, ProcessId, World, disk, platform};

/// How often a program that is asked to close is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long a program without any window may take to open one that can be asked to close.
const WINDOW_WAIT: Duration = Duration::from_millis(500);
/// How long the system may take to remove a killed program.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// The operating system as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Os;

impl World for Os {
    #[inline]
    fn reach(&self, _label: Label, _moment: Moment) -> io::Result<()> {
        Ok(())
    }

    fn now(&self) -> jiff::Zoned {
        jiff::Zoned::now()
    }

    fn write_file(&self, _label: Label, path: &Path, bytes: &[u8]) -> io::Result<()> {
        files::replace(path, bytes, Readers::Usual)
    }

    fn append_file(&self, _label: Label, path: &Path, bytes: &[u8]) -> io::Result<()> {
        files::append(path, bytes)
    }

    fn rename(&self, _label: Label, from: &Path, to: &Path) -> io::Result<()> {
        files::rename(from, to)
    }

    fn remove_file(&self, _label: Label, path: &Path) -> io::Result<()> {
        files::remove(path)
    }

    fn write_at(&self, _label: Label, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        disk::write_all_at(file, bytes, offset)
    }

    fn set_len(&self, _label: Label, file: &File, len: u64) -> io::Result<()> {
        disk::set_len(file, len)
    }

    fn clone_content(&self, _label: Label, from: &File, to: &File) -> io::Result<bool> {
        Ok(platform::clone_content(from, to))
    }

    fn sync(&self, _label: Label, file: &File) -> io::Result<()> {
        disk::sync_data(file)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        files::create_last_folder(files::folder_of(path))?;
        // std's handles are not inherited by programs, hence the lock is not either.
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = files::patiently(open)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock::new(file, path.to_owned()))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn start(&self, _label: Label, command: &Command) -> io::Result<ProcessId> {
        let mut program = program(command)?;
        program.stdin(Stdio::null());
        match &command.log {
            None => program.stdout(Stdio::null()).stderr(Stdio::null()),
            Some(log) => {
                files::create_folder(files::folder_of(log))?;
                let file = OpenOptions::new().append(true).create(true).open(log)?;
                program.stdout(file.try_clone()?).stderr(file)
            }
        };
        let mut child = platform::spawn_detached(&mut program)?;
        let id = identify(&mut child, command)?;
        // Whoever starts programs and lives on (the demo, a test) must not collect zombies. Without the thread they would
        // only be untidy: is_alive takes them for dead.
        let reaper = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || child.wait());
        drop(reaper);
        Ok(id)
    }

    fn run(&self, command: &Command) -> io::Result<i32> {
        Ok(platform::exit_code(program(command)?.status()?))
    }

    fn is_alive(&self, process: &ProcessId) -> bool {
        platform::is_alive(process)
    }

    fn me(&self) -> io::Result<ProcessId> {
        platform::identify(std::process::id())
    }

    fn stop(&self, _label: Label, process: &ProcessId, timeout: Duration) -> io::Result<()> {
        if !self.is_alive(process) {
            return Ok(());
        }
        let begin = Instant::now();
        let mut asked = platform::ask_to_close(process.pid)?;
        while !asked && begin.elapsed() < timeout.min(WINDOW_WAIT) && self.is_alive(process) {
            std::thread::sleep(POLL);
            asked = platform::ask_to_close(process.pid)?;
        }
        let patience = if asked { timeout.saturating_sub(begin.elapsed()) } else { Duration::ZERO };
        if gone_within(process, patience) {
            return Ok(());
        }
        let family = family(process.pid, &platform::kinships()?);
        platform::kill(process.pid)?; // first, so that it starts no new ones
        for pid in family {
            // One that is already gone or belongs to another user does not keep the program itself alive.
            let _ = platform::kill(pid);
        }
        if gone_within(process, KILL_WAIT) { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}

/// The program, its arguments, variables and folder, for std.
fn program(command: &Command) -> io::Result<std::process::Command> {
    let (file, arguments) =
        command.argv.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is named"))?;
    let mut program = std::process::Command::new(file);
    program.args(arguments).envs(command.env.iter().map(|(name, value)| (name, value)));
    // A fault ordered for this process is not meant for what it starts.
    for order in ["CRASH", "CRASH_AT", "FAIL", "LABELS", "DISK", "DISK_FAIL", "POWER", "LIE"] {
        program.env_remove(format!("RELEVO_TEST_{order}"));
    }
    if let Some(dir) = &command.dir {
        program.current_dir(dir);
    }
    Ok(program)
}

/// Who `child` is. One that ended before we could look gets an identity that is never alive: its end is the caller's to notice.
fn identify(child: &mut Child, command: &Command) -> io::Result<ProcessId> {
    let begin = Instant::now();
    loop {
        let error = match platform::identify(child.id()) {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if child.try_wait()?.is_some() {
            return Ok(ProcessId { pid: child.id(), started: 0, image: command.argv[0].clone().into() });
        }
        if begin.elapsed() > KILL_WAIT {
            // A program that nobody could know again must not go on.
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
        std::thread::sleep(POLL);
    }
}

fn gone_within(process: &ProcessId, patience: Duration) -> bool {
    let begin = Instant::now();
    loop {
        if !platform::is_alive(process) {
            return true;
        }
        if begin.elapsed() >= patience {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

/// All descendants of `root` among `(pid, belongs to)` pairs, without `root` and without this very process.
fn family(root: u32, kinships: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        for &(pid, belongs_to) in kinships {
            if belongs_to == parent && !found.contains(&pid) {
                found.push(pid);
            }
        }
        next += 1;
    }
    found.retain(|&pid| pid != root && pid != std::process::id());
    found
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    const ROLE: &str = "RELEVO_TEST_CHILD_ROLE";
    const FILE: &str = "RELEVO_TEST_CHILD_FILE";

    /// Not a test by itself: what this executable does when a test below starts it as a program.
    #[test]
    fn child() {
        let Ok(role) = std::env::var(ROLE) else { return };
        let nap = || std::thread::sleep(Duration::from_secs(60));
        match role.as_str() {
            "sleep" => nap(),
            "stubborn" => {
                super::super::on_interrupt(Arc::new(AtomicBool::new(false))).unwrap();
                let id = Os.start(Label::ServiceStart, &as_child("sleep", None)).unwrap();
                let file = PathBuf::from(std::env::var(FILE).unwrap());
                Os.write_file(Label::FilesWrite, &file, &serde_json::to_vec(&id).unwrap()).unwrap();
                nap();
            }
            other => panic!("{other}"),
        }
    }

    fn as_child(role: &str, file: Option<&Path>) -> Command {
        let exe = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
        let mut env = vec![(ROLE.to_owned(), role.to_owned())];
        env.extend(file.map(|file| (FILE.to_owned(), file.to_str().unwrap().to_owned())));
        Command { argv: vec![exe, "--exact".into(), "world::os::tests::child".into()], env, ..Command::default() }
    }

    fn until(what: impl Fn() -> bool) {
        let begin = Instant::now();
        while !what() {
            assert!(begin.elapsed() < Duration::from_secs(20), "it does not happen");
            std::thread::sleep(POLL);
        }
    }

    #[test]
    fn a_lock_excludes_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/role-change.lock");
        let lock = Os.try_lock(&path).unwrap().unwrap();
        assert_eq!(lock.path(), Some(path.as_path()));
        assert!(Os.try_lock(&path).unwrap().is_none());
        drop(lock);
        assert!(Os.try_lock(&path).unwrap().is_some());
    }

    /// Found by the random shop: a till that announced itself on a main that had just gone away made an empty folder of it, and main
    /// looked like a server whose database is missing.
    #[test]
    fn a_lock_never_brings_back_what_its_folder_lay_in() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("main").join("instance");
        assert_eq!(Os.try_lock(&gone.join("sessions").join("x.lock")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(Os.try_lock(&gone.join("server.lock")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!dir.path().join("main").exists());
    }

    #[test]
    fn a_lock_is_not_inherited_by_a_program() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.lock");
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        let program = Os.start(Label::ServiceStart, &as_child("sleep", None)).unwrap();
        drop(file); // without unlocking, as a crash would
        until(|| Os.try_lock(&path).unwrap().is_some());
        assert!(Os.is_alive(&program));
        Os.stop(Label::ServiceStop, &program, Duration::ZERO).unwrap();
    }

    #[test]
    fn a_program_is_started_known_and_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("logs/program.log");
        let program = Os.start(Label::ServiceStart, &Command { log: Some(log.clone()), ..as_child("sleep", None) }).unwrap();
        assert!(Os.is_alive(&program));
        assert_eq!(program.image.file_name(), std::env::current_exe().unwrap().file_name());
        assert!(!Os.is_alive(&ProcessId { started: program.started + 1, ..program.clone() }));
        assert!(!Os.is_alive(&ProcessId { image: "other".into(), ..program.clone() }));
        until(|| std::fs::read_to_string(&log).unwrap().contains("running 1 test"));
        Os.stop(Label::ServiceStop, &program, Duration::from_secs(10)).unwrap();
        assert!(!Os.is_alive(&program));
        Os.stop(Label::ServiceStop, &program, Duration::ZERO).unwrap();
    }

    #[test]
    fn a_program_that_does_not_close_is_ended_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("grandchild");
        let program = Os.start(Label::ServiceStart, &as_child("stubborn", Some(&file))).unwrap();
        until(|| file.exists());
        let grandchild: ProcessId = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert!(Os.is_alive(&program) && Os.is_alive(&grandchild));
        Os.stop(Label::ServiceStop, &program, Duration::from_millis(200)).unwrap();
        assert!(!Os.is_alive(&program));
        until(|| !Os.is_alive(&grandchild));
    }

    #[test]
    fn a_program_that_ended_is_not_alive_although_its_starter_lives_on() {
        let exe = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
        let command = Command { argv: vec![exe, "--list".into()], ..Command::default() };
        let program = Os.start(Label::ServiceStart, &command).unwrap();
        until(|| !Os.is_alive(&program));
    }

    #[test]
    fn the_exit_code_of_a_program_comes_back() {
        let exe = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
        let command = Command { argv: vec![exe, "--no-such-option".into()], ..Command::default() };
        assert_eq!(Os.run(&command).unwrap(), 101);
        let missing = Command { argv: vec!["no-such-program-anywhere".into()], ..Command::default() };
        assert_eq!(Os.run(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(Os.run(&Command::default()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn i_am_alive() {
        let me = Os.me().unwrap();
        assert_eq!(me.pid, std::process::id());
        assert!(Os.is_alive(&me));
    }

    #[test]
    fn a_family_is_all_descendants() {
        let kinships = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 6), (3, 4)];
        assert_eq!(family(2, &kinships), [3, 4]);
        assert_eq!(family(6, &kinships), [0; 0]);
        assert_eq!(family(1, &[(std::process::id(), 1), (7, 1)]), [7]);
    }

    #[test]
    fn a_clone_is_whole_or_empty_and_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        std::fs::write(&from, vec![7; 300_000]).unwrap();
        std::fs::write(&to, b"").unwrap();
        let [source, copy] = [&from, &to].map(|path| files::open_shared(path, true).unwrap());
        let cloned = Os.clone_content(Label::DatabaseIncoming, &source, &copy).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), vec![7; if cloned { 300_000 } else { 0 }]);
        Os.write_at(Label::DatabaseIncoming, &copy, b"other", 100).unwrap();
        files::write_out(&copy, 0, 4096);
        assert_eq!(std::fs::read(&from).unwrap(), vec![7; 300_000]);
    }

    #[test]
    fn pages_are_written_at_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        std::fs::write(&path, b"aaaabbbb").unwrap();
        let file = files::open_shared(&path, true).unwrap();
        Os.write_at(Label::StandbyPages, &file, b"XX", 6).unwrap();
        Os.set_len(Label::StandbyPages, &file, 10).unwrap();
        Os.sync(Label::StandbyPages, &file).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"aaaabbXX\0\0");
    }
}
