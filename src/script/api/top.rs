//! Top level: the three primitives, time, and what helps with failures.

use super::{BASE, Doc, Effect, Field, Key, Kind, Primitive, field, param};

const MIRROR: &[Key] = &[
    Key {
        name: "full",
        kind: Kind::Bool,
        default: Some("false"),
        doc: Doc("copia completa aunque baste un incremento", "a full copy even where an increment would do"),
    },
    Key {
        name: "apply",
        kind: Kind::Bool,
        default: Some("true"),
        doc: Doc(
            "aplicar la copia en el respaldo, si se alcanza; false: sólo dejarla en los destinos",
            "apply the copy to the backup where it can be reached; false: only put it on the targets",
        ),
    },
    Key {
        name: "target",
        kind: Kind::Text,
        default: Some("()"),
        doc: Doc("sólo este destino; sin ella, todos los de [mirror]", "only this target; without it, all of [mirror]"),
    },
];

const MIRRORED: &[Field] = &[
    field("kind", Kind::OneOf(&["full", "increment", "skip", "apply"]), Doc("qué se hizo", "what was done")),
    field("reason", Kind::Text, Doc("por qué", "why")),
    field("copy", Kind::Text, Doc("nombre de la copia; () si no hubo", "name of the copy; () if there was none")),
    field("sequence", Kind::Int, Doc("número de la copia en su época", "number of the copy in its epoch")),
    field("pages", Kind::Int, Doc("páginas copiadas", "pages copied")),
    field("bytes", Kind::Int, Doc("bytes puestos en cada destino", "bytes put on each target")),
    field("applied", Kind::Bool, Doc("ya está en el respaldo", "it is in the backup already")),
    field("verified", Kind::Bool, Doc("se aplicó y su contenido coincide", "it was applied and its content agrees")),
    field("age_s", Kind::Int, Doc("segundos desde la última copia verificada", "seconds since the last verified copy")),
];

const PROMOTE: &[Key] = &[
    Key {
        name: "accept_loss",
        kind: Kind::Bool,
        default: Some("false"),
        doc: Doc(
            "una persona autorizada acepta perder lo que no se copió",
            "an authorised person accepts the loss of what was not copied",
        ),
    },
    Key {
        name: "reason",
        kind: Kind::Text,
        default: Some("()"),
        doc: Doc("por qué; queda en el diario", "why; kept in the journal"),
    },
];

const PROMOTED: &[Field] = &[
    field("planned", Kind::Bool, Doc("el principal respondía: nada se perdió", "main answered: nothing was lost")),
    field("epoch", Kind::Int, Doc("época que comienza", "the epoch that begins")),
    field("loss", Kind::Any, Doc("pérdida estimada; () si ninguna", "estimated loss; () if none")),
    field("position", Kind::Map, Doc("hasta dónde llega la base", "how far the database is")),
];

const RESTORED: &[Field] = &[
    field("epoch", Kind::Int, Doc("época que comienza", "the epoch that begins")),
    field("orphans", Kind::Int, Doc("ventas huérfanas halladas en el antiguo principal", "orphan sales found in the old main")),
    field("kept", Kind::Text, Doc("dónde quedó la base antigua", "where the old database was kept")),
    field("awaiting_start", Kind::Bool, Doc("falta iniciar el principal", "main is still to be started")),
];

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "mirror",
        params: &[param("options", Kind::Options(MIRROR))],
        returns: Kind::Map,
        fields: MIRRORED,
        errors: &["mirror_not_authorised", "not_the_holder", "not_on_a_till", "role_change_open", "busy", "target_unavailable"],
        effect: Effect::Composite,
        undo: Doc("nada: una copia de más no estorba", "nothing: one copy more does no harm"),
        doc: Doc(
            "Copia al respaldo lo que cambió en la base del principal.",
            "Copies what changed in main's database to the backup.",
        ),
        example: "let done = mirror(#{});\nlog::info(`${done.kind}: ${done.pages}`);",
        ..BASE
    },
    Primitive {
        name: "promote",
        params: &[param("options", Kind::Options(PROMOTE))],
        returns: Kind::Map,
        fields: PROMOTED,
        errors: &[
            "main_in_use",
            "loss_not_accepted",
            "needs_authorisation",
            "no_copy",
            "already_promoted",
            "not_the_backup",
            "role_change_open",
            "busy",
        ],
        effect: Effect::Composite,
        undo: Doc(
            "hasta recuperar la base del respaldo; después, restore",
            "until the backup's database is recovered; after that, restore",
        ),
        doc: Doc(
            "El respaldo toma el relevo: comienza una época con él en servicio. No inicia programas.",
            "The backup takes over: an epoch with it as holder begins. Starts no program.",
        ),
        example: "let done = promote(#{});\nlog::info(`${done.epoch}`);",
        ..BASE
    },
    Primitive {
        name: "restore",
        params: &[param("options", Kind::Options(&[]))],
        returns: Kind::Map,
        fields: RESTORED,
        errors: &["tills_operating", "backup_does_not_hold", "main_unreachable", "not_the_backup", "role_change_open", "busy"],
        effect: Effect::Composite,
        undo: Doc(
            "hasta el registro de la época nueva en el principal; después, promote",
            "until the record of the new epoch in main; after that, promote",
        ),
        doc: Doc(
            "Devuelve el servicio al principal con la base del respaldo; la base antigua se conserva.",
            "Gives the post back to main with the backup's database; the old database is kept.",
        ),
        example: "let done = restore(#{});\nlog::info(`${done.orphans}`);",
        ..BASE
    },
    Primitive {
        name: "now",
        returns: Kind::Text,
        doc: Doc("La hora, RFC 3339 con zona. Al reanudar, la misma.", "The time, RFC 3339 with offset. The same on resume."),
        example: "log::info(now());",
        ..BASE
    },
    Primitive {
        name: "sleep",
        params: &[param("seconds", Kind::Number)],
        effect: Effect::Effect,
        doc: Doc("Espera estos segundos; se puede interrumpir.", "Waits so many seconds; can be interrupted."),
        example: "sleep(2);",
        ..BASE
    },
    Primitive {
        name: "err",
        params: &[param("thrown", Kind::Any)],
        returns: Kind::Map,
        fields: &[
            field("kind", Kind::Text, Doc("código estable", "stable code")),
            field("message", Kind::Text, Doc("qué pasó, en español", "what happened, in Spanish")),
            field("message_en", Kind::Text, Doc("qué pasó, en inglés", "what happened, in English")),
            field("hint", Kind::Text, Doc("qué hacer; ()", "what to do; ()")),
            field("hint_en", Kind::Text, Doc("qué hacer, en inglés; ()", "what to do, in English; ()")),
            field("exit", Kind::Int, Doc("código de salida", "exit code")),
            field(
                "retry",
                Kind::OneOf(&["permanent", "temporary", "exhausted"]),
                Doc("¿repetir ayuda?", "would trying again help?"),
            ),
            field(
                "causes",
                Kind::List,
                Doc("lo que hay detrás, con el lugar en el script", "what lies behind, with the place in the script"),
            ),
        ],
        effect: Effect::Pure,
        doc: Doc(
            "Lo atrapado por catch, siempre con estas claves: falla de una primitiva, error de Rhai o texto lanzado.",
            "What catch caught, always with these keys: a primitive's failure, an error of Rhai or a thrown string.",
        ),
        example: "try { mirror(#{}); } catch (e) {\n    if err(e).kind != \"busy\" { throw e; }\n}",
        ..BASE
    },
];
