//! `server::`: the two database servers.

use super::{BASE, Doc, Effect, Kind, Primitive, SIDE, field, param};

const SERVER: Primitive = Primitive { namespace: "server", ..BASE };

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "probe",
        params: &[param("side", SIDE)],
        returns: Kind::Map,
        fields: &[
            field("instance", Kind::Text, Doc("su instancia", "its instance")),
            field("reachable", Kind::Bool, Doc("se alcanza", "it can be reached")),
            field("answers", Kind::Bool, Doc("se alcanza y su base está abierta", "it can be reached and its database is open")),
            field("serving", Kind::Bool, Doc("su SvrPdv está atendiendo", "its SvrPdv is alive")),
            field(
                "state",
                Kind::OneOf(&["open", "standby", "fenced", "missing", "unknown"]),
                Doc("estado de su base", "state of its database"),
            ),
        ],
        doc: Doc("Mira un servidor; que no responda no es falla.", "Looks at a server; that it is away is no failure."),
        example: "if !server::probe(\"main\").answers { log::warn(\"sin principal\"); }",
        ..SERVER
    },
    Primitive {
        name: "sessions",
        params: &[param("side", SIDE)],
        returns: Kind::List,
        fields: &[field("name", Kind::Text, Doc("equipo o programa", "machine or program"))],
        errors: &[],
        doc: Doc("Quién tiene abierta la base.", "Who has the database open."),
        example: "for who in server::sessions(\"main\") { log::info(who.name); }",
        ..SERVER
    },
    Primitive {
        name: "release_concurrency",
        returns: Kind::Map,
        fields: &[field(
            "rows",
            Kind::Int,
            Doc("renglones quitados, de los que queda copia", "rows removed, of which a copy is kept"),
        )],
        errors: &["not_the_holder"],
        effect: Effect::Effect,
        undo: Doc("no se deshace; queda copia de los renglones", "not undone; a copy of the rows is kept"),
        doc: Doc(
            "Libera concurrencia: cierra sesiones de terminales muertas y ejecuta [seats] release.",
            "Releases concurrency: ends sessions of dead terminals and runs [seats] release.",
        ),
        example: "server::release_concurrency();",
        ..SERVER
    },
    Primitive {
        name: "query",
        params: &[param("sql", Kind::Text), param("params", Kind::List)],
        returns: Kind::List,
        errors: &["not_the_holder", "statement_refused", "script_login_missing", "script_login_too_strong", "sql"],
        doc: Doc("Consulta en el servidor en servicio; un mapa por renglón.", "Reads on the holder; one map a row."),
        example: "let rows = server::query(\"SELECT COUNT(*) AS n FROM Ventas WHERE Caja = ?\", [\"CAJA2\"]);\nlog::info(`${rows[0].n}`);",
        ..SERVER
    },
    Primitive {
        name: "execute",
        params: &[param("sql", Kind::Text), param("params", Kind::List)],
        returns: Kind::Int,
        errors: &["not_the_holder", "statement_refused", "script_login_missing", "script_login_too_strong", "sql"],
        effect: Effect::Effect,
        undo: Doc("no se deshace", "not undone"),
        doc: Doc(
            "Ejecuta una instrucción en una transacción en el servidor en servicio; da los renglones afectados.",
            "Runs a statement in one transaction on the holder; gives the rows affected.",
        ),
        example: "server::execute(\"DELETE FROM Licencias WHERE Caja = ?\", [\"CAJA2\"]);",
        ..SERVER
    },
];
