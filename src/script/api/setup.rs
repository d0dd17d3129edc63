//! `setup::`: what only `setup.rhai` does.

use super::{BASE, Doc, Effect, Kind, Primitive, field};

pub(super) const ALL: &[Primitive] = &[Primitive {
    namespace: "setup",
    name: "remove_shortcut",
    returns: Kind::Map,
    fields: &[field("removed", Kind::Bool, Doc("había uno y se quitó", "there was one and it was removed"))],
    effect: Effect::Effect,
    undo: Doc("no se deshace", "not undone"),
    doc: Doc(
        "Quita del escritorio el acceso directo de SvrPdv ([setup] shortcut).",
        "Removes SvrPdv's shortcut from the desktop ([setup] shortcut).",
    ),
    example: "setup::remove_shortcut();",
    ..BASE
}];
