//! `files::` of scripts never leaves its root, on any system: what one takes for a device, a stream, another volume or a signal file is
//! refused on all.

use std::path::PathBuf;

const SIGNAL_FILES: [&str; 4] = ["svrbak.txt", "posbak.txt", "vecbak.txt", "fecbak.txt"];

use proptest::prelude::*;

use relevo::steps::files::confined;

/// A root with a folder, a guarded folder and, where the system has them, links of every kind; and what lies outside.
fn place() -> (tempfile::TempDir, PathBuf, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("root");
    let guarded = vec![base.join("state"), dir.path().join("instance")];
    for folder in [&base.join("a/b"), &guarded[0], &guarded[1], &dir.path().join("outside")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    #[cfg(unix)]
    for (to, name) in [
        ("../outside", "out"),
        ("../nowhere/yet", "dangling"),
        ("a", "in"),
        ("state", "s"),
        ("../instance", "i"),
        ("loop", "loop"),
        ("../outside/f", "file"),
    ] {
        std::os::unix::fs::symlink(to, base.join(name)).unwrap();
    }
    (dir, base, guarded)
}

#[test]
fn what_is_refused_and_what_is_not() {
    let (_dir, base, guarded) = place();
    for path in [
        "",
        "/",
        "//x",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/..",
        ".",
        "a/.",
        "a//b",
        "a/",
        "C:x",
        "a:b",
        "a/f.txt:stream",
        "\\\\srv\\share",
        "a\\b",
        "..\\x",
        "NUL",
        "nul.txt",
        "a/CON",
        "Aux.rhai",
        "COM1",
        "com¹",
        "lpt9.log",
        "CONIN$",
        "x.",
        "x ",
        "a./b",
        "a /b",
        "SvrBak.txt",
        "svrbak.TXT",
        "a/POSBAK.txt",
        "SvrBak.txt.",
        "ſvrbak.txt",
        "state",
        "state/x",
        "state/runs/x",
        "a\u{7}b",
        "what?",
        "*",
        "x|y",
        "\0",
    ] {
        assert!(confined(&base, &guarded, path).is_err(), "{path:?}");
    }
    for path in [
        "x",
        "a/b/c.txt",
        "ñandú.txt",
        "common.txt",
        "com",
        "com10",
        "nulo",
        "svrbak.txt.bak",
        "a/estado.json",
        ".hidden",
        "SvrВak.txt",
    ] {
        assert!(confined(&base, &guarded, path).is_ok(), "{path:?}");
    }
    #[cfg(unix)]
    for path in ["out/x", "dangling", "dangling/x", "s/x", "i/relevo.intent", "loop/x", "file", "out", "in/../../x"] {
        assert!(confined(&base, &guarded, path).is_err(), "{path:?}");
    }
}

proptest! {
    /// Whatever a script asks for: what is written lands below the root, in no guarded folder, and under no signal file's name.
    #[test]
    fn nothing_lands_outside(
        parts in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "..", ".", "", "a", "b", "x", "out", "dangling", "in", "s", "i", "loop", "file", "state", "STATE", "NUL", "con.txt",
                    "a:b", "C:", "\\\\srv", "x.", "x ", "SvrBak.txt", "svrbak.TXT", "instance", "~", "%TEMP%", "a\u{200b}",
                ]).prop_map(str::to_owned),
                "[a-c.: \\\\/~]{0,4}",
                any::<String>(),
            ],
            0..6,
        ),
        separator in prop::sample::select(vec!["/", "/", "/", "\\", "//"]),
    ) {
        let (dir, base, guarded) = place();
        let asked = parts.join(separator);
        if let Ok(full) = confined(&base, &guarded, &asked)
            && std::fs::create_dir_all(full.parent().unwrap()).and_then(|()| std::fs::write(&full, b"x")).is_ok()
        {
            let real = full.canonicalize().unwrap();
            prop_assert!(real.starts_with(base.canonicalize().unwrap()), "{:?} landed in {}", asked, real.display());
            for folder in &guarded {
                prop_assert!(!real.starts_with(folder.canonicalize().unwrap()), "{:?} landed in {}", asked, real.display());
            }
            let name = real.file_name().unwrap().to_string_lossy().to_lowercase();
            prop_assert!(!SIGNAL_FILES.contains(&name.as_str()), "{}", asked);
            prop_assert!(!dir.path().join("nowhere").exists());
        }
    }
}
