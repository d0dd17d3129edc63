//! `relevo orphans`: sales of an old main that the mirror never had, from the tails on the targets; on any machine.

use serde_json::{Value, json};

use super::session::Session;
use crate::error::Result;
use crate::steps::spool::Spool;
use crate::steps::tail::{self, Tail};
use crate::text;

/// Lists them.
pub fn main(session: &Session) -> u8 {
    match session.store().and_then(|store| tail::list(&store)) {
        Err(failure) => session.output.finish("orphans", None, Err(failure)),
        Ok((tails, orphans)) if session.output.json => object(session, &tails, &orphans),
        Ok((tails, orphans)) => session.output.finish("orphans", None, lines(session, &tails, &orphans)),
    }
}

fn lines(session: &Session, tails: &[Tail], orphans: &Spool) -> Result<Value> {
    for (part, tail) in (0..).zip(tails) {
        let (name, epoch, count) = (&tail.name, tail.epoch, tail.orphans);
        match &tail.gap {
            None => session
                .output
                .say(&text!("{name} (época {epoch}): {count} ventas huérfanas", "{name} (epoch {epoch}): {count} orphan sales")),
            Some(gap) => session.output.say(gap),
        }
        orphans.each(part, &mut |orphan| {
            let (folio, till) = (orphan.key.folio, &orphan.key.till);
            let (at, total) = (orphan.at.as_deref().unwrap_or("-"), orphan.total.map_or("-".to_owned(), |t| format!("{t:.2}")));
            session.output.line(format!("  {folio:>10}  {till:<8}  {at}  {total:>12}"));
            Ok(())
        })?;
    }
    if tails.is_empty() {
        session.output.say(&text!("no hay ventas huérfanas", "there are no orphan sales"));
    }
    Ok(Value::Null)
}

fn object(session: &Session, tails: &[Tail], orphans: &Spool) -> u8 {
    let heads: Vec<Value> = tails.iter().map(|t| json!({ "name": t.name, "epoch": t.epoch, "orphans": t.orphans, "gap": t.gap.as_ref().map(|g| g.get(session.output.lang)) })).collect();
    session.output.finish_rows("orphans", json!({ "tails": heads }), "orphans", &mut |row| {
        (0..).zip(tails).try_for_each(|(part, tail)| {
            orphans.each(part, &mut |orphan| {
                let mut value = serde_json::to_value(orphan).unwrap_or_default();
                value["server"] = json!("main");
                value["tail"] = json!(tail.name);
                row(&value);
                Ok(())
            })
        })
    })
}
