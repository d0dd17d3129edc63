//! `store::`: what holds in this store, its signal files and its settings.

use super::{BASE, Doc, Effect, Field, Key, Kind, PROGRAM, Primitive, SIDE, field, optional, param};

const VERDICT: &[Key] = &[Key {
    name: "program",
    kind: PROGRAM,
    default: None,
    doc: Doc("el programa que se va a iniciar", "the program that is to be started"),
}];

const JUDGED: &[Field] = &[
    field("ok", Kind::Bool, Doc("se puede iniciar", "it may be started")),
    field(
        "row",
        Kind::OneOf(&["main", "backup", "till"]),
        Doc("renglón de la prueba: qué es este equipo", "row of the test: what this machine is"),
    ),
    field("code", Kind::Text, Doc("código estable", "stable code")),
    field("message", Kind::Text, Doc("por qué y qué hacer, en español", "why and what to do, in Spanish")),
    field("message_en", Kind::Text, Doc("lo mismo en inglés", "the same in English")),
    field("exit", Kind::Int, Doc("código de salida si se lanza: 3, 4 u 11", "exit code when it is thrown: 3, 4 or 11")),
];

const SIGNALS: &[Key] = &[
    Key {
        name: "main",
        kind: Kind::Text,
        default: None,
        doc: Doc("instancia del servidor principal", "instance of the main server"),
    },
    Key {
        name: "backup",
        kind: Kind::Text,
        default: None,
        doc: Doc("instancia del servidor de respaldo", "instance of the backup server"),
    },
    Key {
        name: "valid_until",
        kind: Kind::Text,
        default: Some("()"),
        doc: Doc(
            "fecha AAAA-MM-DD hasta la que se autoriza el respaldo; () sin límite",
            "date YYYY-MM-DD until which the backup is authorised; () no limit",
        ),
    },
];

const STORE: Primitive = Primitive { namespace: "store", ..BASE };

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "facts",
        returns: Kind::Map,
        doc: Doc("Todo lo observado, como `relevo status --json`.", "All that was observed, as in `relevo status --json`."),
        example: "let facts = store::facts();\nlog::info(facts.store);",
        ..STORE
    },
    Primitive {
        name: "role",
        returns: Kind::OneOf(&["main", "backup", "till"]),
        doc: Doc("El papel de este equipo según relevo.toml.", "The role of this machine as relevo.toml has it."),
        example: "if store::role() == \"backup\" { log::info(\"caja/servidor\"); }",
        ..STORE
    },
    Primitive {
        name: "verdict",
        params: &[param("options", Kind::Options(VERDICT))],
        returns: Kind::Map,
        fields: JUDGED,
        doc: Doc(
            "El resultado de PRUEBAS para este equipo. Lanzarlo con throw es rechazar el inicio.",
            "The result of the test matrix for this machine. To throw it is to refuse the start.",
        ),
        example: "let verdict = store::verdict(#{ program: \"pospdv\" });\nif !verdict.ok { throw verdict; }",
        ..STORE
    },
    Primitive {
        name: "setting",
        params: &[param("name", Kind::Text), optional("default", Kind::Any)],
        returns: Kind::Any,
        errors: &["unknown_setting"],
        doc: Doc(
            "Un valor de [settings] en relevo.toml; sin él, el segundo argumento o una falla.",
            "A value of [settings] in relevo.toml; without it, the second argument or a failure.",
        ),
        example: "let espera = store::setting(\"espera\", 5);\nsleep(espera);",
        ..STORE
    },
    Primitive {
        name: "epoch",
        returns: Kind::Map,
        fields: &[
            field("epoch", Kind::Int, Doc("la época más alta conocida", "the highest epoch known")),
            field("holder", SIDE, Doc("quién está en servicio", "who holds it")),
            field(
                "awaiting_start",
                Kind::Bool,
                Doc("restaurado; falta iniciar el principal", "restored; main is still to be started"),
            ),
        ],
        doc: Doc("La época y quién está en servicio.", "The epoch and its holder."),
        example: "if store::epoch().holder == \"backup\" { log::info(\"respaldo\"); }",
        ..STORE
    },
    Primitive {
        name: "in_use",
        returns: Kind::Map,
        fields: &[
            field("side", SIDE, Doc("qué servidor usar ahora", "which server to use now")),
            field("instance", Kind::Text, Doc("su instancia", "its instance")),
            field("serving", Kind::Bool, Doc("su SvrPdv está atendiendo", "its SvrPdv is alive")),
        ],
        doc: Doc("El servidor que las cajas deben usar ahora.", "The server that tills are to use now."),
        example: "log::info(store::in_use().instance);",
        ..STORE
    },
    Primitive {
        name: "fetch_signals",
        returns: Kind::Map,
        fields: &[
            field("copied", Kind::Bool, Doc("se copiaron del principal", "they were copied from main")),
            field("kept", Kind::Bool, Doc("se conserva la última copia buena", "the last good copy is kept")),
        ],
        errors: &[],
        effect: Effect::Effect,
        doc: Doc(
            "Copia SvrBak.txt y VecBak.txt del principal; si no se alcanza, conserva la última copia buena y lo dice.",
            "Copies SvrBak.txt and VecBak.txt from main; where it is away, keeps the last good copy and says so.",
        ),
        example: "store::fetch_signals();",
        ..STORE
    },
    Primitive {
        name: "sync_marker",
        returns: Kind::Map,
        fields: &[
            field("present", Kind::Bool, Doc("este equipo es la caja/servidor", "this machine is the caja/servidor")),
            field("changed", Kind::Bool, Doc("se creó o se borró ahora", "it was created or removed now")),
        ],
        effect: Effect::Effect,
        undo: Doc("la próxima llamada lo pone en regla", "the next call brings it into line"),
        doc: Doc(
            "Crea PosBak.txt si SvrBak.txt nombra a este equipo como respaldo; si no, lo borra.",
            "Creates PosBak.txt where SvrBak.txt names this machine as the backup; else removes it.",
        ),
        example: "let marker = store::sync_marker();\nlog::info(`${marker.present}`);",
        ..STORE
    },
    Primitive {
        name: "write_signals",
        params: &[param("options", Kind::Options(SIGNALS))],
        errors: &["needs_authorisation", "not_main", "instances_disagree"],
        effect: Effect::Effect,
        undo: Doc("no se deshace; se repite con los datos anteriores", "not undone; repeat it with the earlier data"),
        doc: Doc(
            "Escribe SvrBak.txt y VecBak.txt en el principal. Requiere una persona autorizada.",
            "Writes SvrBak.txt and VecBak.txt on main. Needs an authorised person.",
        ),
        example: "store::write_signals(#{ main: \"SERVIDOR\\\\SQLEXPRESS\", backup: \"CAJA1\\\\SQLEXPRESS\" });",
        ..STORE
    },
    Primitive {
        name: "identify",
        returns: Kind::Text,
        effect: Effect::Effect,
        undo: Doc("nada: la identidad no estorba", "nothing: the identity does no harm"),
        doc: Doc(
            "Da a la base del principal su identidad y las tablas de relevo, una vez; da la identidad.",
            "Gives main's database its identity and relevo's tables, once; gives the identity.",
        ),
        example: "log::info(store::identify());",
        ..STORE
    },
    Primitive {
        name: "mark_terminal",
        effect: Effect::Effect,
        undo: Doc(
            "no se deshace; la próxima llamada de sync_marker lo pone en regla",
            "not undone; the next call of sync_marker brings it into line",
        ),
        doc: Doc(
            "Declara a esta terminal caja/servidor: escribe PosBak.txt.",
            "Makes this terminal the caja/servidor: writes PosBak.txt.",
        ),
        example: "store::mark_terminal();",
        ..STORE
    },
];
