//! `relevo mirror`, `promote`, `restore`: the primitives, each through its script.

use clap::Args;
use serde_json::{Value, json};

use super::session::Session;
use crate::error::Result;
use crate::text;

/// Arguments of `relevo mirror`.
#[derive(Args)]
pub struct Mirror {
    /// Show what it would do, change nothing
    #[arg(long)]
    plan: bool,
    /// Begin a new chain with a full copy
    #[arg(long)]
    full: bool,
}

/// Arguments of `relevo promote`.
#[derive(Args)]
pub struct Promote {
    /// Show what it would do, change nothing
    #[arg(long)]
    plan: bool,
    /// Promote although the copy is old or has a gap
    #[arg(long, requires = "reason")]
    accept_loss: bool,
    /// Why the loss is accepted; kept in the journal
    #[arg(long, value_name = "TEXT", requires = "accept_loss")]
    reason: Option<String>,
}

/// Arguments of `relevo restore`.
#[derive(Args)]
pub struct Restore {
    /// Show what it would do, change nothing
    #[arg(long)]
    plan: bool,
}

/// `relevo mirror`
pub fn mirror(session: &Session, arguments: &Mirror) -> u8 {
    verb(session, "mirror", json!({ "full": arguments.full }), arguments.plan)
}

/// `relevo promote`
pub fn promote(session: &Session, arguments: &Promote) -> u8 {
    let args = json!({ "accept_loss": arguments.accept_loss, "reason": arguments.reason });
    verb(session, "promote", args, arguments.plan)
}

/// `relevo restore`
pub fn restore(session: &Session, arguments: &Restore) -> u8 {
    verb(session, "restore", json!({}), arguments.plan)
}

fn verb(session: &Session, name: &str, args: Value, plan: bool) -> u8 {
    let (id, outcome) = match session.store() {
        Err(failure) => (None, Err(failure)),
        Ok(store) if plan => (None, session.plan(&store, name, name, args)),
        Ok(store) => {
            let ran = session.run(&store, name, name, args);
            (ran.id, ran.outcome)
        }
    };
    if !plan && let Ok(result) = &outcome {
        say(session, name, result);
    }
    session.output.finish(name, id.map(|id| id.to_string()), outcome)
}

/// What a cashier reads when it went well.
pub fn say(session: &Session, verb: &str, result: &Value) {
    let text = match verb {
        "mirror" => {
            let (kind, sequence) = (result["kind"].as_str().unwrap_or("?"), &result["sequence"]);
            let kib = result["bytes"].as_u64().unwrap_or(0) >> 10;
            match kind {
                "skip" => text!("Respaldo al día: nada cambió.", "Mirror is up to date: nothing changed."),
                "apply" => text!("Copias aplicadas al respaldo.", "Copies applied to the standby."),
                "full" => text!("Copia completa {sequence} lista ({kib} KiB).", "Full copy {sequence} done ({kib} KiB)."),
                _ => text!("Copia incremental {sequence} lista ({kib} KiB).", "Incremental copy {sequence} done ({kib} KiB)."),
            }
        }
        "promote" => {
            let epoch = &result["epoch"];
            text!(
                "El servidor de respaldo está en servicio (época {epoch}). Pueden continuar: inicien PosPdv.",
                "The backup server holds the post (epoch {epoch}). Go on: start PosPdv."
            )
        }
        _ => {
            let (epoch, orphans) = (&result["epoch"], &result["orphans"]);
            text!(
                "BDPdv volvió al servidor principal (época {epoch}; ventas huérfanas: {orphans}). Inicie SvrPdv en el principal.",
                "The database is back on the main server (epoch {epoch}; orphan sales: {orphans}). Start SvrPdv on main."
            )
        }
    };
    session.output.say(&text);
}

/// For `launch`: promotes as a run of its own.
pub fn promote_now(session: &Session, store: &std::sync::Arc<crate::store::Store>) -> Result<Value> {
    let outcome = session.run(store, "promote", "promote", json!({ "accept_loss": false, "reason": null })).outcome?;
    say(session, "promote", &outcome);
    Ok(outcome)
}
