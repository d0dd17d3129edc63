//! The logins of the store follow main to the backup with every mirror, so that after a promote whoever could work can work. What cannot
//! be given is said, and keeps no mirror from its work. Never shows a hash or a SID: they do not leave the server module.

use serde_json::{Value, json};

use crate::error::Result;
use crate::model::{DatabaseState, LoginsTaken};
use crate::progress::Watch;
use crate::store::Store;

/// Gives the backup what main has, where both are reached and main holds the post. For the result of a mirror; `null`: not done.
pub fn follow(store: &Store, watch: &Watch) -> Value {
    match try_to_follow(store) {
        Ok(None) => Value::Null,
        Ok(Some(taken)) => {
            taken.notes.iter().for_each(|note| watch.note(note.clone()));
            json!({ "created": taken.created, "changed": taken.changed, "notes": taken.notes })
        }
        Err(failure) => {
            watch.note(failure.message.clone());
            json!({ "created": [], "changed": [], "notes": [failure.message] })
        }
    }
}

fn try_to_follow(store: &Store) -> Result<Option<LoginsTaken>> {
    let (main, backup) = (store.main.look()?, store.backup.look()?);
    if !main.answers() || !backup.reachable || backup.state == DatabaseState::Open {
        return Ok(None);
    }
    let logins = store.main.logins()?;
    if logins.is_empty() { Ok(None) } else { store.backup.take_logins(&logins).map(Some) }
}
