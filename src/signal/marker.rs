//! PosBak.txt: its presence says that this terminal is the caja/servidor. When it should be there is decided here, purely.

use crate::config::{Config, Engine};
use crate::model::Role;
use crate::signal::svrbak::{SvrBak, host, same_instance};

/// What to do about PosBak.txt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write it.
    Create,
    /// Remove it.
    Remove,
    /// It is right as it is.
    Keep,
    /// It should go, but this machine holds the epoch.
    KeepWhileHolding,
}

/// Does SvrBak.txt name this machine as the backup?
pub fn names_this_machine(svrbak: &SvrBak, config: &Config) -> bool {
    match config.servers.backup.engine {
        Engine::Embedded => config.machine.role == Role::Backup && same_instance(&svrbak.backup, &config.servers.backup.instance),
        Engine::Sqlserver => host(&svrbak.backup).eq_ignore_ascii_case(&config.machine.name),
    }
}

/// The decision.
pub fn action(present: bool, named: bool, holds: bool) -> Action {
    match (present, named, holds) {
        (false, true, _) => Action::Create,
        (true, false, true) => Action::KeepWhileHolding,
        (true, false, false) => Action::Remove,
        (true, true, _) | (false, false, _) => Action::Keep,
    }
}

/// Its free content: which terminal, since when.
pub fn render(terminal: &str, at: &str) -> String {
    format!("{terminal}\r\n{at}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let mut rows = Vec::new();
        for present in [false, true] {
            for named in [false, true] {
                for holds in [false, true] {
                    rows.push(action(present, named, holds));
                }
            }
        }
        use Action::{Create, Keep, KeepWhileHolding, Remove};
        assert_eq!(rows, [Keep, Keep, Create, Create, Remove, KeepWhileHolding, Keep, Keep]);
    }
}
