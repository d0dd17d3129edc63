//! `relevo orphans`: sales of an old main that the mirror never had, from the tails on the targets; on any machine.

use serde_json::{Value, json};

use super::session::Session;
use crate::error::Result;
use crate::steps::tail;
use crate::text;

/// Lists them.
pub fn main(session: &Session) -> u8 {
    session.output.finish("orphans", None, list(session))
}

fn list(session: &Session) -> Result<Value> {
    let store = session.store()?;
    let tails = tail::list(&store)?;
    let mut orphans = Vec::new();
    for tail in &tails {
        let (name, epoch, count) = (&tail.name, tail.epoch, tail.orphans.len());
        match &tail.gap {
            None => session
                .output
                .say(&text!("{name} (época {epoch}): {count} ventas huérfanas", "{name} (epoch {epoch}): {count} orphan sales")),
            Some(gap) => session.output.say(gap),
        }
        for orphan in &tail.orphans {
            let (folio, till) = (orphan.key.folio, &orphan.key.till);
            let (at, total) = (orphan.at.as_deref().unwrap_or("-"), orphan.total.map_or("-".to_owned(), |t| format!("{t:.2}")));
            session.output.line(format!("  {folio:>10}  {till:<8}  {at}  {total:>12}"));
            let mut row = serde_json::to_value(orphan).unwrap_or_default();
            row["server"] = json!("main");
            row["tail"] = json!(name);
            orphans.push(row);
        }
    }
    if tails.is_empty() {
        session.output.say(&text!("no hay ventas huérfanas", "there are no orphan sales"));
    }
    let tails: Vec<Value> = tails.iter().map(|t| json!({ "name": t.name, "epoch": t.epoch, "orphans": t.orphans.len(), "gap": t.gap.as_ref().map(|g| g.get(session.output.lang)) })).collect();
    Ok(json!({ "tails": tails, "orphans": orphans }))
}
