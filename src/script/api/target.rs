//! `target::`: where copies are kept.

use super::{BASE, Doc, Kind, Primitive, field, param};

const TARGET: Primitive = Primitive { namespace: "target", ..BASE };

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "list",
        returns: Kind::List,
        fields: &[
            field("name", Kind::Text, Doc("su nombre en relevo.toml", "its name in relevo.toml")),
            field("kind", Kind::Text, Doc("\"dir\" o \"plugin\"", "\"dir\" or \"plugin\"")),
        ],
        doc: Doc("Los destinos de este equipo.", "The targets of this machine."),
        example: "for target in target::list() { log::info(target.name); }",
        ..TARGET
    },
    Primitive {
        name: "verify",
        params: &[param("name", Kind::Text)],
        returns: Kind::Map,
        fields: &[
            field("ok", Kind::Bool, Doc("la cadena vigente está completa y sana", "the chain in use is whole and sound")),
            field("copies", Kind::Int, Doc("copias leídas", "copies read")),
            field("age_s", Kind::Int, Doc("segundos desde la última copia", "seconds since the last copy")),
        ],
        errors: &["unknown_target", "target_unavailable"],
        doc: Doc("Lee y comprueba la cadena vigente de un destino.", "Reads and checks the chain in use on a target."),
        example: "if !target::verify(\"local\").ok { log::warn(\"destino local\"); }",
        ..TARGET
    },
];
