//! Disks that fail: what is promised when they do, a disk that is really full, and a disk that lies, loses power or fails under SQLite.

#[cfg(target_os = "linux")] // needs a file system of a chosen size
mod disk_full;
#[cfg(target_os = "linux")]
mod drawn;
#[cfg(target_os = "linux")]
mod power;
mod promises;
#[cfg(target_os = "linux")]
mod sqlite;
