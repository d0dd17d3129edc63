//! Disks that fail: what is promised when they do, and a disk that is really full.

#[cfg(target_os = "linux")] // needs a file system of a chosen size
mod disk_full;
mod promises;
