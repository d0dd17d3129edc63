//! `relevo status`: one look at the store from this machine. Exit 0 whatever the verdict.

use serde_json::Value;

use super::output::age;
use super::session::Session;
use crate::error::Result;
use crate::facts;
use crate::journal::recover::OpenState;
use crate::model::{DatabaseState, Finding, Role, Severity, Side};
use crate::store::Store;
use crate::text;
use crate::text::{Lang, Text};

/// Shows it.
pub fn main(session: &Session) -> u8 {
    match look(session) {
        Ok((facts, _)) if session.output.json => {
            session.output.object(&facts);
            0
        }
        Ok((facts, troubles)) => {
            show(session, &facts);
            troubles.iter().for_each(|trouble| session.output.say(trouble));
            0
        }
        Err(failure) => session.output.finish("status", None, Err(failure)),
    }
}

/// The facts, and what keeps some of them from being known: a journal that cannot be opened, files beside the databases that cannot be
/// believed. One look at each server serves both.
fn look(session: &Session) -> Result<(Value, Vec<Text>)> {
    let store = session.store()?;
    let (mut facts, beside) = facts::facts_and_troubles(&store, session.output.lang)?;
    facts["bundle"] = session.bundle(&store.dir).map_or(Value::Null, |b| Value::from(b.hash.to_string()));
    let mut troubles = Vec::new();
    if let Err(failure) = store.journal() {
        troubles.push(failure.message);
        troubles.extend(failure.hint);
    }
    troubles.extend(beside);
    if !session.output.json {
        troubles.extend(errors(&store));
    }
    Ok((facts, troubles))
}

/// What keeps the servers from doing their work; the rest is `doctor`'s.
fn errors(store: &Store) -> Vec<Text> {
    let line =
        |found: Finding| text!("✗ @: @ (relevo doctor)", "✗ @: @ (relevo doctor)").fill(&found.side.text()).fill(&found.message);
    store.findings().into_iter().filter(|found| found.severity == Severity::Error).map(line).collect()
}

/// The person's word for a code of the facts.
fn word<T: serde::de::DeserializeOwned>(value: &Value, lang: Lang, text: impl Fn(T) -> Text) -> String {
    serde_json::from_value(value.clone()).map_or_else(|_| "-".to_owned(), |code| text(code).get(lang).to_owned())
}

/// How old a copy is, or when it was made where this machine's clock cannot tell; `None` where there is none.
fn told_age(at: &Value, age_s: &Value) -> Option<Text> {
    let at = at.as_str()?;
    Some(match age_s.as_u64().map(age) {
        Some(age) => text!("hace {age}", "{age} ago"),
        None => text!("de {at}, edad desconocida (reloj dudoso)", "of {at}, age unknown (clock unsure)"),
    })
}

fn show(session: &Session, facts: &Value) {
    let out = &session.output;
    let plain = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (store, machine, role) = (plain(&facts["store"]), plain(&facts["machine"]), word(&facts["role"], out.lang, Role::text));
    out.say(&text!("Sucursal {store} · equipo {machine} ({role})", "Store {store} · machine {machine} ({role})"));
    let (holder, epoch) = (word(&facts["holder"], out.lang, Side::text), &facts["epoch"]);
    let serving = word(&facts["serving"], out.lang, Side::text);
    out.say(&text!(
        "En servicio: {holder} (época {epoch}) · atendiendo: {serving}",
        "In service: {holder} (epoch {epoch}) · serving: {serving}"
    ));
    for side in [Side::Main, Side::Backup] {
        let server = &facts[side.to_string()];
        let (instance, state, name) =
            (plain(&server["instance"]), word(&server["state"], out.lang, DatabaseState::text), side.text());
        let name = name.get(out.lang);
        let reach = if server["reachable"] == true { "" } else { " ✗" };
        let sequence = server["position"]["sequence"].as_u64().map_or("-".to_owned(), |s| s.to_string());
        out.say(&text!(
            "  {name}: {instance} · {state}{reach} · copia {sequence}",
            "  {name}: {instance} · {state}{reach} · copy {sequence}"
        ));
    }
    let mirror = &facts["mirror"];
    let last = told_age(&mirror["last_at"], &mirror["age_s"]);
    let verified = told_age(&mirror["verified_at"], &mirror["verified_age_s"]);
    match (last, verified) {
        (Some(last), Some(verified)) => out.say(
            &text!("Última copia verificada: @ (última copia: @)", "Last verified copy: @ (last copy: @)")
                .fill(&verified)
                .fill(&last),
        ),
        (Some(last), None) => out.say(&text!("Última copia: @; ninguna verificada", "Last copy: @; none verified").fill(&last)),
        _ => out.say(&text!("Todavía no hay copias", "There are no copies yet")),
    }
    let mark = if facts["verdict"]["ok"] == true { "✓" } else { "✗" };
    out.line(format!("{mark} {}", plain(&facts["verdict"]["message"])));
    for run in facts["runs_open"].as_array().into_iter().flatten() {
        let (id, verb, state) = (plain(&run["id"]), plain(&run["verb"]), word(&run["state"], out.lang, OpenState::text));
        out.say(&text!("Corrida abierta: {verb} {state} ({id})", "Open run: {verb} {state} ({id})"));
    }
}
