//! What this machine and this process are: names, rights, space, language. Changes nothing.

use std::io;
use std::path::Path;

use super::{files, platform};
use crate::text::Lang;

/// Does `path` (or its nearest existing parent) lie on another computer? NFS, SMB, AFS, Coda; on Windows UNC and mapped drives.
pub fn is_network_path(path: &Path) -> bool {
    files::existing(path).is_ok_and(|path| platform::is_network_path(&path))
}

/// Bytes this user may still write where `path` (or its nearest existing parent) lies.
pub fn free_space(path: &Path) -> io::Result<u64> {
    platform::free_space(&files::existing(path)?)
}

/// The name of this computer without its domain; empty when the system does not say.
pub fn host_name() -> String {
    let name = platform::host_name().unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// Does this process have an administrator's rights (root; elevated on Windows)?
pub fn is_administrator() -> bool {
    // Tests often run as root and have to see what everybody else sees.
    if cfg!(debug_assertions) && std::env::var_os("RELEVO_TEST_NOT_ADMIN").is_some() {
        return false;
    }
    platform::is_administrator()
}

/// A file descriptor that the caller of this process left open for us (0 is standard input; Windows knows no other).
pub fn inherited_fd(fd: i32) -> io::Result<Box<dyn io::Read>> {
    if fd == 0 { Ok(Box::new(io::stdin())) } else { platform::inherited_fd(fd) }
}

/// The language that LC_ALL, LC_MESSAGES, LANG or else the desktop asks for; `None` when it is neither of ours.
pub fn system_lang() -> Option<Lang> {
    let variables = ["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| std::env::var(name).unwrap_or_default());
    locale_lang(&variables).or_else(platform::desktop_lang)
}

/// The language of the first locale that is set.
fn locale_lang(locales: &[String]) -> Option<Lang> {
    let locale = locales.iter().find(|locale| !locale.is_empty())?;
    match locale.split(['_', '-', '.', '@']).next()?.to_lowercase().as_str() {
        "es" | "spanish" => Some(Lang::Es),
        "en" | "english" => Some(Lang::En),
        _ => None,
    }
}

/// How to log in to SQL Server with a Windows account (user and password; `None`: the account of this process); `None` where there are none.
pub fn windows_login(account: Option<(&str, &str)>) -> Option<tiberius::AuthMethod> {
    platform::windows_login(account)
}

/// Does the console window close when this process ends (a double-clicked icon), so that nobody could read the last lines?
pub fn own_console() -> bool {
    platform::own_console()
}

/// Shows `message` in a window and waits until it is closed; `false` where that is not possible.
pub fn show_window(title: &str, message: &str) -> bool {
    platform::show_window(title, message)
}

/// Encrypts a secret so that it opens on this machine only (Windows). Elsewhere the bytes as they are: the file's mode protects them.
pub fn protect(bytes: &[u8]) -> io::Result<Vec<u8>> {
    platform::protect(bytes)
}

/// Opens what [`protect`] closed.
pub fn unprotect(bytes: &[u8]) -> io::Result<Vec<u8>> {
    platform::unprotect(bytes)
}

/// How many threads can work at once; at least 1.
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// The most memory that this process ever had at once, in KiB; `None` where the system does not tell (only Linux does, as a file).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_that_is_set_decides() {
        let table = [
            (["", "", "es_MX.UTF-8"], Some(Lang::Es)),
            (["en_US", "", "es_MX.UTF-8"], Some(Lang::En)),
            (["", "es", "en_US"], Some(Lang::Es)),
            (["C", "", "es_MX"], None),
            (["", "", "est_EE"], None),
            (["", "", ""], None),
        ];
        for (locales, lang) in table {
            assert_eq!(locale_lang(&locales.map(str::to_owned)), lang, "{locales:?}");
        }
    }

    #[test]
    fn the_machine_answers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not/yet/there");
        assert!(free_space(&path).unwrap() > 0);
        assert!(!is_network_path(&path));
        assert!(!host_name().is_empty() && !host_name().contains('.'));
        assert!(cpu_count() >= 1);
        assert!(peak_memory().is_none_or(|kib| (500..10_000_000).contains(&kib)));
    }

    #[test]
    fn a_secret_comes_back() {
        let closed = protect(b"s3creto").unwrap();
        assert_eq!(unprotect(&closed).unwrap(), b"s3creto");
    }
}
