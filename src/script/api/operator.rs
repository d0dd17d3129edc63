//! `operator::`: the person in front of this machine.

use super::{BASE, Doc, Effect, Kind, Primitive, param};

const OPERATOR: Primitive = Primitive { namespace: "operator", params: &[param("text", Kind::Words)], ..BASE };

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "notify",
        effect: Effect::Effect,
        undo: Doc("no se deshace", "not undone"),
        doc: Doc("Muestra un aviso y sigue.", "Shows a notice and goes on."),
        example: "operator::notify(#{ es: \"Pueden continuar.\", en: \"You may go on.\" });",
        ..OPERATOR
    },
    Primitive {
        name: "confirm",
        returns: Kind::Bool,
        effect: Effect::Effect,
        doc: Doc("Pregunta sí o no; sin nadie que conteste, no.", "Asks yes or no; with nobody to answer, no."),
        example: "if operator::confirm(\"¿Continuar?\") { log::info(\"sí\"); }",
        ..OPERATOR
    },
];
