//! `log::`: lines of the run's log. `print` and `debug` are `log::info`.

use super::{BASE, Doc, Effect, Kind, Primitive, param};

const LOG: Primitive = Primitive {
    namespace: "log",
    params: &[param("text", Kind::Words)],
    effect: Effect::Effect,
    undo: Doc("no se deshace", "not undone"),
    ..BASE
};

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "info",
        doc: Doc("Anota un renglón; print hace lo mismo.", "Notes a line; print does the same."),
        example: "log::info(\"listo\");",
        ..LOG
    },
    Primitive {
        name: "warn",
        doc: Doc("Anota una advertencia.", "Notes a warning."),
        example: "log::warn(\"la copia tiene más de un día\");",
        ..LOG
    },
];
