//! `files::`: files below the roots of `[files]`; never signal files or relevo's own state.

use super::{BASE, Doc, Effect, Kind, Primitive, param};

const ERRORS: &[&str] = &["path_refused", "file_too_large", "io"];
const KEPT: Doc = Doc("vuelve el contenido anterior", "the earlier content comes back");

const FILES: Primitive = Primitive { namespace: "files", errors: ERRORS, ..BASE };

pub(super) const ALL: &[Primitive] = &[
    Primitive {
        name: "copy",
        params: &[param("from", Kind::Path), param("to", Kind::Path)],
        returns: Kind::Int,
        effect: Effect::Effect,
        undo: KEPT,
        doc: Doc("Copia un archivo, completo o nada; da sus bytes.", "Copies a file, whole or not at all; gives its bytes."),
        example: "files::copy(\"erp:precios.dat\", \"pdv:precios.dat\");",
        ..FILES
    },
    Primitive {
        name: "exists",
        params: &[param("path", Kind::Path)],
        returns: Kind::Bool,
        doc: Doc("¿Existe el archivo o la carpeta?", "Does the file or folder exist?"),
        example: "if files::exists(\"erp:precios.dat\") { log::info(\"ERP\"); }",
        ..FILES
    },
    Primitive {
        name: "read",
        params: &[param("path", Kind::Path)],
        returns: Kind::Text,
        doc: Doc("El texto de un archivo UTF-8 de hasta 64 KiB.", "The text of a UTF-8 file of up to 64 KiB."),
        example: "let turno = files::read(\"erp:turno.txt\");\nlog::info(turno);",
        ..FILES
    },
    Primitive {
        name: "write",
        params: &[param("path", Kind::Path), param("text", Kind::Text)],
        effect: Effect::Effect,
        undo: KEPT,
        doc: Doc("Escribe un archivo, completo o nada.", "Writes a file, whole or not at all."),
        example: "files::write(\"erp:aviso.txt\", \"respaldo en servicio\");",
        ..FILES
    },
    Primitive {
        name: "remove",
        params: &[param("path", Kind::Path)],
        effect: Effect::Effect,
        undo: KEPT,
        doc: Doc("Borra un archivo; si no existe, no es error.", "Removes a file; a missing one is no error."),
        example: "files::remove(\"erp:aviso.txt\");",
        ..FILES
    },
];
