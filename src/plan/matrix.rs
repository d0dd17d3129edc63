//! The test matrix (PRUEBAS) as one table: what each machine needs to work, and what people are told. Pure and total.

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::model::{Program, Role};
use crate::text;
use crate::text::Text;

/// What a verdict is decided from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// PosBak.txt is present.
    pub marker: bool,
    /// The program being launched; `None`: only asked (status), then the machine's role decides the row.
    pub program: Option<Program>,
    /// The machine's role in relevo.toml.
    pub role: Role,
    /// Main answers.
    pub main_answers: bool,
    /// The backup answers.
    pub backup_answers: bool,
    /// 7th character: mirror authorised.
    pub mirror_licence: bool,
    /// 8th character: backup licence.
    pub backup_licence: bool,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The machine may work.
    pub ok: bool,
    /// The row of the matrix.
    pub row: Role,
    /// Stable code.
    pub code: String,
    /// Why.
    pub message: Text,
    /// What to do.
    pub hint: Option<Text>,
}

/// One line of the matrix: in this row, when this holds, this is the verdict.
struct Line {
    row: Role,
    when: fn(&Facts) -> bool,
    ok: bool,
    code: &'static str,
    es: &'static str,
    en: &'static str,
    hint: Option<(&'static str, &'static str)>,
}

/// The first line of its row that holds is the verdict; the last line of each row always holds.
const MATRIX: [Line; 10] = [
    Line {
        row: Role::Main,
        when: |f| f.backup_licence,
        ok: false,
        code: "main_has_backup_licence",
        es: "Servidor principal: la licencia es de respaldo (SvrBak), no de servidor principal.",
        en: "Main server: the licence is a backup licence (SvrBak), not a main server's.",
        hint: Some(("instale aquí la licencia del servidor principal", "install the main server's licence here")),
    },
    Line {
        row: Role::Main,
        when: |f| !f.main_answers,
        ok: false,
        code: "main_no_connection",
        es: "Servidor principal: su propia instancia no responde.",
        en: "Main server: its own instance does not answer.",
        hint: Some((
            "inicie la base de datos y repita; si no vuelve: relevo promote en la caja/servidor",
            "start the database and repeat; if it does not come back: relevo promote on the caja/servidor",
        )),
    },
    Line {
        row: Role::Main,
        when: |_| true,
        ok: true,
        code: "main_ok",
        es: "Servidor principal: hay conexión y la licencia es correcta.",
        en: "Main server: it answers and the licence is right.",
        hint: None,
    },
    Line {
        row: Role::Backup,
        when: |f| !f.mirror_licence,
        ok: false,
        code: "backup_mirror_not_authorised",
        es: "Caja/servidor: el respaldo espejo no está autorizado.",
        en: "Caja/servidor: the mirror is not authorised.",
        hint: Some(("pida que se autorice el respaldo espejo (posición 7)", "ask for the mirror's authorisation (position 7)")),
    },
    Line {
        row: Role::Backup,
        when: |f| !f.backup_licence,
        ok: false,
        code: "backup_licence_missing",
        es: "Caja/servidor: la licencia no es de respaldo.",
        en: "Caja/servidor: the licence is not a backup licence.",
        hint: Some(("pida la licencia de respaldo (posición 8)", "ask for the backup licence (position 8)")),
    },
    Line {
        row: Role::Backup,
        when: |_| true,
        ok: true,
        code: "backup_ok",
        es: "Caja/servidor: licencia de respaldo autorizada.",
        en: "Caja/servidor: backup licence authorised.",
        hint: None,
    },
    Line {
        row: Role::Till,
        when: |f| f.main_answers,
        ok: true,
        code: "till_main_ok",
        es: "Caja: hay conexión al servidor principal.",
        en: "Till: main answers.",
        hint: None,
    },
    Line {
        row: Role::Till,
        when: |f| f.backup_answers,
        ok: true,
        code: "till_backup_ok",
        es: "Caja: hay conexión al servidor de respaldo.",
        en: "Till: the backup answers.",
        hint: None,
    },
    Line {
        row: Role::Till,
        when: |_| true,
        ok: false,
        code: "till_no_server",
        es: "Caja: no hay conexión a ningún servidor.",
        en: "Till: no server answers.",
        hint: Some(("espere a que le indiquen que puede operar", "wait until told that you may operate")),
    },
    // Never reached: every row above ends with a line that always holds. It keeps the look-up total without a panic.
    Line {
        row: Role::Till,
        when: |_| true,
        ok: false,
        code: "unknown",
        es: "Papel desconocido.",
        en: "Unknown role.",
        hint: None,
    },
];

/// The verdict for a machine.
pub fn verdict(facts: &Facts) -> Verdict {
    let row = row(facts);
    let line = MATRIX.iter().find(|line| line.row == row && (line.when)(facts)).unwrap_or(&MATRIX[MATRIX.len() - 1]);
    let both = |(es, en): (&str, &str)| Text { es: es.to_owned(), en: en.to_owned() };
    Verdict { ok: line.ok, row, code: line.code.to_owned(), message: both((line.es, line.en)), hint: line.hint.map(both) }
}

/// PosBak.txt makes it the caja/servidor; without it the program tells main (SvrPdv) and till (PosPdv) apart.
fn row(facts: &Facts) -> Role {
    match (facts.marker, facts.program) {
        (true, _) => Role::Backup,
        (false, Some(Program::Svrpdv)) => Role::Main,
        (false, Some(Program::Pospdv)) => Role::Till,
        (false, None) if facts.role == Role::Main => Role::Main,
        (false, None) => Role::Till,
    }
}

/// The marker, the program and relevo.toml must tell the same story; a main machine may also launch PosPdv.
pub fn role_agrees(marker: bool, role: Role, program: Program) -> Result<(), Failure> {
    let shown = if marker { Role::Backup } else { row(&Facts { marker, program: Some(program), ..Facts::nothing(role) }) };
    let agrees = match (marker, role, program) {
        (true, role, _) => role == Role::Backup,
        (false, Role::Main, _) | (false, Role::Till, Program::Pospdv) => true,
        // A till that launches SvrPdv is refused by the rules (exit 4), not by its settings.
        (false, Role::Till, Program::Svrpdv) => true,
        (false, Role::Backup, _) => false,
    };
    if agrees {
        return Ok(());
    }
    let posbak =
        if marker { ("hay PosBak.txt", "PosBak.txt is present") } else { ("no hay PosBak.txt", "there is no PosBak.txt") };
    Err(Failure::invalid(
        "role_disagrees",
        Text {
            es: format!("{} (este equipo sería {shown}) y relevo.toml dice role = \"{role}\"", posbak.0),
            en: format!("{} (this machine would be {shown}) and relevo.toml says role = \"{role}\"", posbak.1),
        },
    )
    .hint(text!(
        "corrija [machine] role, o SvrBak.txt con relevo setup en el principal",
        "correct [machine] role, or SvrBak.txt with relevo setup on main"
    )))
}

impl Facts {
    fn nothing(role: Role) -> Facts {
        Facts {
            marker: false,
            program: None,
            role,
            main_answers: false,
            backup_answers: false,
            mirror_licence: false,
            backup_licence: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Facts> {
        let mut all = Vec::new();
        for bits in 0..32u8 {
            for role in [Role::Main, Role::Backup, Role::Till] {
                for program in [None, Some(Program::Svrpdv), Some(Program::Pospdv)] {
                    let bit = |n: u8| bits & (1 << n) != 0;
                    all.push(Facts {
                        marker: bit(0),
                        program,
                        role,
                        main_answers: bit(1),
                        backup_answers: bit(2),
                        mirror_licence: bit(3),
                        backup_licence: bit(4),
                    });
                }
            }
        }
        all
    }

    /// The three rows of the procedure, written down a second time as sentences of logic.
    #[test]
    fn the_whole_matrix() {
        let mut codes = std::collections::BTreeMap::new();
        for f in all() {
            let v = verdict(&f);
            let wanted = match v.row {
                Role::Main => f.main_answers && !f.backup_licence,
                Role::Backup => f.mirror_licence && f.backup_licence,
                Role::Till => f.main_answers || f.backup_answers,
            };
            assert_eq!(v.ok, wanted, "{f:?} {v:?}");
            assert_eq!(v.row == Role::Backup, f.marker, "{f:?}");
            assert_ne!(v.code, "unknown", "{f:?}");
            assert!(v.ok || v.hint.is_some(), "a refusal says what to do: {f:?}");
            // One verdict, and the words for it in both languages.
            for text in std::iter::once(&v.message).chain(&v.hint) {
                assert!(!text.es.is_empty() && !text.en.is_empty() && text.es != text.en, "{f:?} {text:?}");
            }
            assert_eq!(verdict(&f), v);
            codes.entry(v.code.clone()).or_insert_with(|| v.message.clone());
            assert_eq!(codes[&v.code], v.message, "one code, one message");
        }
        assert_eq!(codes.len(), MATRIX.len() - 1, "every line but the last is somebody's verdict: {codes:?}");
    }

    #[test]
    fn which_stories_agree() {
        let mut refused = Vec::new();
        for marker in [false, true] {
            for role in [Role::Main, Role::Backup, Role::Till] {
                for program in [Program::Svrpdv, Program::Pospdv] {
                    if let Err(failure) = role_agrees(marker, role, program) {
                        assert_eq!(failure.kind, "role_disagrees");
                        refused.push((marker, role, program));
                    }
                }
            }
        }
        use Program::{Pospdv, Svrpdv};
        let wanted = [
            (false, Role::Backup, Svrpdv),
            (false, Role::Backup, Pospdv),
            (true, Role::Main, Svrpdv),
            (true, Role::Main, Pospdv),
            (true, Role::Till, Svrpdv),
            (true, Role::Till, Pospdv),
        ];
        assert_eq!(refused, wanted);
    }
}
