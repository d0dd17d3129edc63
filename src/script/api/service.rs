//! `service::`: SvrPdv and PosPdv on this machine. Role and epoch are checked in Rust.

use super::{BASE, Doc, Effect, Kind, PROGRAM, Primitive, field, param};

const SERVICE: Primitive = Primitive { namespace: "service", params: &[param("program", PROGRAM)], ..BASE };

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "start",
        returns: Kind::Map,
        fields: &[field("already", Kind::Bool, Doc("ya estaba en marcha", "it was running already"))],
        errors: &[
            "not_the_holder",
            "not_a_server",
            "database_not_open",
            "program_not_started",
            "program_ended",
            "program_not_serving",
        ],
        effect: Effect::Effect,
        undo: Doc("se cierra lo que se inició", "what was started is closed"),
        doc: Doc(
            "Inicia el programa y espera a que esté listo; si ya está en marcha, nada.",
            "Starts the program and waits until it is ready; nothing while it runs.",
        ),
        example: "service::start(\"svrpdv\");",
        ..SERVICE
    },
    Primitive {
        name: "stop",
        effect: Effect::Effect,
        undo: Doc("se inicia lo que se cerró", "what was closed is started"),
        doc: Doc(
            "Cierra el programa con buen modo; pasado el plazo, lo termina.",
            "Closes the program politely; after the time allowed, ends it.",
        ),
        example: "service::stop(\"svrpdv\");",
        ..SERVICE
    },
    Primitive {
        name: "status",
        returns: Kind::Map,
        fields: &[field("running", Kind::Bool, Doc("está en marcha en este equipo", "it runs on this machine"))],
        doc: Doc("¿Está en marcha?", "Is it running?"),
        example: "if !service::status(\"svrpdv\").running { log::warn(\"SvrPdv\"); }",
        ..SERVICE
    },
];
