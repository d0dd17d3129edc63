//! Promote: who may take the post, from which copy, at what loss, in which steps. Rules: docs/architecture.md, "Roles".

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::model::{DatabaseState, Epoch, EpochRecord, Intent, Position, Role, RunId, Side};
use crate::model::{Fencing, FolioRule, Look, Session};
use crate::plan::saga::{Saga, refuse_open_intent};
use crate::plan::step::Step;
use crate::text;
use crate::text::Text;

/// What a promote is decided from.
#[derive(Clone, Debug)]
pub struct PromoteFacts {
    /// The run that will do it.
    pub run: RunId,
    /// This machine.
    pub role: Role,
    /// The test matrix' verdict for the caja/servidor: the failure it gives, if any.
    pub licence: Result<(), Failure>,
    /// VecBak.txt expired, or the clock is earlier than FecBak.txt: the reason why a person's word is needed.
    pub doubt: Option<Text>,
    /// An authorised person gave it.
    pub authorised: bool,
    /// `--accept-loss` with its reason.
    pub accept_loss: Option<String>,
    /// Main, as seen first and in each later probe.
    pub main: Look,
    /// None of the probes found main answering.
    pub main_failed: bool,
    /// Who uses main.
    pub operating: Vec<Session>,
    /// The backup.
    pub backup: Look,
    /// Where the copies on the targets can bring the standby.
    pub reach: Option<Reach>,
    /// Copies after that position that are missing or damaged, in words.
    pub gaps: Vec<Text>,
    /// Limit of age, seconds.
    pub max_age_s: u64,
    /// What the tills' own files know.
    pub tills: Option<TillsKnow>,
    /// `[promote] folio_gap`.
    pub folio_gap: i64,
    /// The highest epoch this machine ever saw.
    pub remembered: Option<Epoch>,
    /// A role change is announced and nobody can go on with it: its run is not in the journal (any more).
    pub abandoned: bool,
}

/// The position that a promote would open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The position.
    pub position: Position,
    /// Age of its copy, seconds; `None`: its copy is on no target that can be read, or the clock is earlier than it.
    pub age_s: Option<u64>,
    /// When its copy was made, as its manifest says.
    pub made_at: Option<String>,
    /// Highest folio it holds.
    pub last_folio: Option<i64>,
}

/// What tills that this machine can read have acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillsKnow {
    /// Highest folio.
    pub last_folio: i64,
    /// Tickets above the folio that the standby would hold.
    pub beyond: u64,
    /// Every till of `[promote] acknowledged` could be read.
    pub complete: bool,
}

/// What an unplanned promote loses for now (the tickets lie on the old main's disk).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Age of the copy, seconds; `None`: unknown.
    pub age_s: Option<u64>,
    /// Tickets that the copy does not hold; `None`: no till reports.
    pub tickets: Option<u64>,
    /// `tickets` counts every till.
    pub exact: bool,
    /// The reason given with `--accept-loss`.
    pub accepted: Option<String>,
}

impl Loss {
    /// One sentence for people.
    pub fn describe(&self) -> Text {
        let age = match self.age_s {
            Some(age) => text!("la copia tiene {age} s", "the copy is {age} s old"),
            None => text!("no se sabe qué edad tiene la copia", "the age of the copy is unknown"),
        };
        let missing = match (self.tickets, self.exact) {
            (Some(n), true) => {
                text!("le faltan {n} tickets", "{n} tickets are not in it")
            }
            (Some(n), false) => text!(
                "le faltan al menos {n} tickets (estimación: no todas las cajas reportan)",
                "at least {n} tickets are not in it (estimate: not every till reports)"
            ),
            (None, _) => text!(
                "no se sabe cuántos tickets le faltan (ninguna caja reporta)",
                "it is unknown how many tickets are not in it (no till reports)"
            ),
        };
        Text { es: format!("{}; {}", age.es, missing.es), en: format!("{}; {}", age.en, missing.en) }
    }
}

/// Decides a promote, or says why not.
pub fn promote(facts: &PromoteFacts) -> Result<Saga, Failure> {
    if facts.role != Role::Backup {
        return Err(Failure::refused(
            "not_the_backup",
            text!("el relevo se hace en la caja/servidor", "promote runs on the caja/servidor"),
        ));
    }
    facts.licence.clone()?;
    let record = current(facts);
    if record.holder == Side::Backup {
        let epoch = record.epoch;
        return Err(Failure::refused(
            "already_promoted",
            text!(
                "el servidor de respaldo ya está en servicio (época {epoch})",
                "the backup server already holds the post (epoch {epoch})"
            ),
        )
        .hint(text!("inicie la caja: relevo launch --program pospdv", "start the till: relevo launch --program pospdv")));
    }
    if !facts.abandoned {
        refuse_open_intent(&facts.backup, Some(facts.run))?;
    }
    if let Some(doubt) = &facts.doubt
        && !facts.authorised
    {
        return Err(Failure::refused("needs_authorisation", doubt.clone()).hint(text!(
            "una persona autorizada debe dar su PIN (relevo promote --pin-fd N, o en la terminal)",
            "an authorised person must give the PIN (relevo promote --pin-fd N, or on the terminal)"
        )));
    }
    if facts.abandoned && facts.backup.state == DatabaseState::Open {
        return Ok(after_recovery(facts, &record));
    }
    let planned = is_planned(facts, &record);
    if planned {
        if facts.main.serving || !facts.operating.is_empty() {
            let names: Vec<&str> = facts.operating.iter().map(|s| s.name.as_str()).collect();
            let who = if names.is_empty() { "SvrPdv".to_owned() } else { names.join(", ") };
            return Err(Failure::refused(
                "main_in_use",
                text!("el servidor principal responde y lo usan: {who}", "the main server answers and is in use by: {who}"),
            )
            .hint(text!(
                "ciérrelos ahí y repita: el relevo no cierra programas del principal",
                "close them there and repeat: promote never stops programs on main"
            )));
        }
    } else if !facts.main_failed {
        let why = if facts.main.serving {
            text!("SvrPdv está atendiendo en el servidor principal", "SvrPdv is serving on the main server")
        } else {
            text!(
                "el servidor principal responde, pero su base es de una época anterior a la que este equipo conoce",
                "the main server answers, but its database is of an older epoch than this machine knows"
            )
        };
        return Err(Failure::refused("main_answers", why).hint(text!(
            "cierre SvrPdv y apague el servidor principal, y repita; conserve su base y llame a soporte",
            "close SvrPdv and switch the main server off, then repeat; keep its database and call support"
        )));
    }
    let reach = facts.reach.as_ref().ok_or_else(|| {
        Failure::refused("no_copy", text!("no hay copia de la que relevar", "there is no copy to promote from"))
            .hint(text!("revise los destinos: relevo target list", "check the targets: relevo target list"))
    })?;
    let loss = Loss {
        age_s: reach.age_s,
        tickets: facts.tills.map(|t| t.beyond),
        exact: facts.tills.is_some_and(|t| t.complete),
        accepted: facts.accept_loss.clone(),
    };
    if !planned {
        accept(facts, reach, &loss)?;
    }
    Ok(saga(facts, &record, reach, loss, planned))
}

/// The highest record in sight; what this machine remembers counts as well.
fn current(facts: &PromoteFacts) -> EpochRecord {
    let seen = [&facts.main.record, &facts.backup.record].into_iter().flatten().max_by_key(|r| r.epoch).cloned();
    seen.unwrap_or_else(|| EpochRecord::first(facts.reach.as_ref().map(|r| r.position.database)))
}

/// Main answers, or it was fenced by a promote that did not end: then its tail can be taken and nothing is lost.
fn is_planned(facts: &PromoteFacts, record: &EpochRecord) -> bool {
    facts.main.reachable
        && matches!(facts.main.state, DatabaseState::Open | DatabaseState::Fenced)
        && facts.main.record.as_ref().is_none_or(|r| r.epoch == record.epoch)
}

fn accept(facts: &PromoteFacts, reach: &Reach, loss: &Loss) -> Result<(), Failure> {
    let reason = if let Some(gap) = facts.gaps.first() {
        Some(("gap", gap.clone()))
    } else if let (None, Some(at)) = (reach.age_s, &reach.made_at) {
        Some((
            "clock",
            text!(
                "reloj dudoso: la copia es de {at}, que para este equipo todavía no llega",
                "clock unsure: the copy is of {at}, which is still to come for this machine"
            ),
        ))
    } else if reach.age_s.is_none() {
        Some((
            "unknown",
            text!("la copia que tiene el respaldo no está en ningún destino", "the copy that the standby has is on no target"),
        ))
    } else if let Some(age) = reach.age_s.filter(|age| *age > facts.max_age_s) {
        let limit = facts.max_age_s;
        Some((
            "old",
            text!("la copia tiene {age} s y el límite es {limit} s", "the copy is {age} s old and the limit is {limit} s"),
        ))
    } else {
        None
    };
    let Some((_, why)) = reason else { return Ok(()) };
    if facts.accept_loss.is_some() {
        if facts.authorised {
            return Ok(());
        }
        return Err(Failure::refused(
            "needs_authorisation",
            text!("aceptar la pérdida requiere a una persona autorizada", "accepting the loss takes an authorised person"),
        )
        .hint(text!(
            "dé el PIN de la sucursal (--pin-fd N, o en la terminal)",
            "give the store PIN (--pin-fd N, or on the terminal)"
        )));
    }
    let told = loss.describe();
    let why = Text { es: format!("{}; {}", why.es, told.es), en: format!("{}; {}", why.en, told.en) };
    Err(Failure::refused("loss_not_accepted", why).hint(text!(
        "si se acepta: relevo promote --accept-loss --reason \"…\"",
        "to accept it: relevo promote --accept-loss --reason \"…\""
    )))
}

/// A promote whose run is lost had opened the backup's database and not yet recorded it: only forward. What was decided and
/// accepted then stands; that main does not serve is asked again.
fn after_recovery(facts: &PromoteFacts, record: &EpochRecord) -> Saga {
    let next = facts.remembered.unwrap_or(Epoch::FIRST).max(record.epoch).next();
    let new = EpochRecord { epoch: next, holder: Side::Backup, run: Some(facts.run), awaiting_start: false, ..record.clone() };
    let folio = Some(FolioRule { known: facts.tills.map(|t| t.last_folio), gap: facts.folio_gap });
    let because = vec![text!(
        "un relevo cuya corrida se perdió dejó abierta la base del respaldo: se termina",
        "a promote whose run is lost left the backup's database open: it is finished"
    )];
    let steps = vec![
        Step::WriteIntent { intent: Intent { run: facts.run, to: Side::Backup, epoch: next } },
        Step::AskMain { planned: true },
        Step::Record { side: Side::Backup, record: new.clone(), folio },
        Step::Publish { side: Side::Main, record: new.clone() },
        Step::RemoveIntent,
        Step::Remember { record: new },
    ];
    let result = serde_json::json!({ "planned": false, "epoch": next, "loss": null, "position": null });
    Saga { name: "promote".to_owned(), because, steps, point: 2, result }
}

fn saga(facts: &PromoteFacts, record: &EpochRecord, reach: &Reach, loss: Loss, planned: bool) -> Saga {
    let next = facts.remembered.unwrap_or(Epoch::FIRST).max(record.epoch).next();
    let position = &reach.position;
    let new = EpochRecord {
        database: Some(position.database),
        epoch: next,
        holder: Side::Backup,
        run: Some(facts.run),
        awaiting_start: false,
    };
    let intent = Intent { run: facts.run, to: Side::Backup, epoch: next };
    let mut because = Vec::new();
    let mut steps = vec![Step::WriteIntent { intent }, Step::AskMain { planned }];
    if planned {
        because.push(text!(
            "el servidor principal responde y nadie lo usa: no se pierde nada",
            "main answers and nobody uses it: nothing is lost"
        ));
        // Main gets the record too, so the fence is lifted only by undo.
        steps.extend([
            Step::Fence { side: Side::Main, undo: true, how: Fencing::Handover },
            Step::TakeTail,
            Step::ApplyCopies { to: None },
        ]);
    } else {
        because.push(text!("el servidor principal no responde a tres intentos", "main did not answer three probes"));
        because.push(loss.describe());
        steps.push(Step::ApplyCopies { to: Some(position.clone()) });
    }
    steps.extend([Step::VerifyStandby, Step::AskMain { planned }]);
    let point = steps.len();
    let folio = (!planned).then_some(FolioRule { known: facts.tills.map(|t| t.last_folio), gap: facts.folio_gap });
    steps.extend([Step::Recover, Step::Record { side: Side::Backup, record: new.clone(), folio }]);
    if planned {
        steps.push(Step::Publish { side: Side::Main, record: new.clone() });
    }
    steps.extend([Step::RemoveIntent, Step::Remember { record: new }]);
    let loss = (!planned).then_some(loss);
    let result = serde_json::json!({ "planned": planned, "epoch": next, "loss": loss, "position": position });
    Saga { name: "promote".to_owned(), because, steps, point, result }
}
