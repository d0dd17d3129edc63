//! What only `setup` does beyond the signal files.

use serde_json::{Value, json};

use crate::error::{Failure, Result};
use crate::model::{DatabaseState, Role};
use crate::steps::Context;
use crate::text;
use crate::world::Label;

/// Gives main's database its identity and relevo's tables, once.
pub fn identify(cx: &Context) -> Result<Value> {
    let store = cx.store;
    if store.config.machine.role != Role::Main {
        return Err(Failure::refused(
            "not_main",
            text!("la identidad se da en el servidor principal", "the identity is given on the main server"),
        ));
    }
    let look = store.main.look()?;
    if look.state != DatabaseState::Open {
        let (instance, state) = (look.instance, look.state);
        return Err(Failure::refused(
            "database_not_open",
            text!("no hay BDPdv abierta en {instance} (@)", "there is no open database in {instance} (@)").fill(&state.text()),
        )
        .hint(text!("revise [servers.main] instance", "check [servers.main] instance")));
    }
    Ok(json!(store.main.identify(&store.config.store.id)?))
}

/// Removes the desktop shortcut of SvrPdv, so that nobody starts it by hand.
pub fn remove_shortcut(cx: &Context) -> Result<Value> {
    let store = cx.store;
    let Some(path) = store.config.setup.shortcut.as_ref().filter(|p| p.exists()) else {
        return Ok(json!({ "removed": false }));
    };
    if path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("lnk")) {
        let shown = path.display();
        return Err(Failure::invalid(
            "not_a_shortcut",
            text!("{shown} no es un acceso directo (.lnk)", "{shown} is not a shortcut (.lnk)"),
        )
        .hint(text!("revise [setup] shortcut", "check [setup] shortcut")));
    }
    store
        .world
        .remove_file(Label::ShortcutRemove, path)
        .map_err(|e| Failure::io(text!("no se pudo borrar", "could not remove"), path, &e))?;
    Ok(json!({ "removed": true }))
}
