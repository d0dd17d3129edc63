//! The servers' own history of backups grows with every mirror; once a month what is older than a quarter is forgotten. Never in the way of a
//! mirror: what goes wrong is said, and tried again a month later.

use serde_json::json;

use crate::model::kept;
use crate::progress::Watch;
use crate::steps::own_side;
use crate::store::Store;
use crate::world::Label;

/// How often.
const EVERY_DAYS: i64 = 30;
/// What is kept: who else backed main up is looked for since the newest copy only.
const KEPT_DAYS: u32 = 90;
const DAY_S: i64 = 24 * 3600;

/// Cleans the server of this machine up, when it is time.
pub fn clean(store: &Store, watch: &Watch) {
    let Some(side) = own_side(store) else { return };
    let (path, now) = (store.state.join("history.json"), store.world.now().timestamp());
    let last = std::fs::read(&path).ok().and_then(|body| kept::decode::<serde_json::Value>(&body).ok());
    let last = last.and_then(|value| value["cleaned"].as_i64());
    // A clock that was put back waits no years for its next turn.
    if last.is_some_and(|last| (0..EVERY_DAYS * DAY_S).contains(&(now.as_second() - last))) {
        return;
    }
    match store.server(side).forget_history(KEPT_DAYS) {
        Ok(true) => {}
        Ok(false) => return,
        Err(failure) => watch.note(failure.message),
    }
    let body = kept::encode(&json!({ "cleaned": now.as_second() }));
    if let Err(error) = store.world.write_file(Label::StateWrite, &path, &body) {
        tracing::warn!(%error, "history.json");
    }
}
