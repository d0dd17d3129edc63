//! The nine acts, each of which says before it begins what happens in the shop and why. DESIGN.md §4, "The demo, step by step".

use std::time::Instant;

use serde_json::Value;

use super::shop::{self, Shop};
use super::store::Machine;
use super::timeline::{Phase, seconds};
use crate::error::{Exit, Result};
use crate::model::Side;
use crate::text;
use crate::text::Text;

/// Phases in which tickets are sold and counted.
const PHASES: usize = 5;

/// What the acts found beside what lies on disk.
#[derive(Default)]
pub struct Played {
    /// Milliseconds from the moment main lost power to the first ticket on the backup.
    pub outage_ms: u64,
    /// `status --json` of each machine while main served at the end.
    pub statuses: Vec<(Machine, Value)>,
    /// `orphans --json` of the caja.
    pub orphans: Value,
}

/// An act; `usize`: tickets to sell in it, at least.
type Act = fn(&mut Shop, usize, &mut Played) -> Result<()>;

/// Plays all acts; at least `tickets` tickets are acknowledged.
pub fn play(shop: &mut Shop, tickets: usize) -> Result<Played> {
    let each = tickets.div_ceil(PHASES).max(1);
    let mut played = Played::default();
    let acts: [Act; 9] = [open, mirror, sell_on, power_cut, promote, old_main, restore, main_again, prove];
    for (number, act) in (1..).zip(acts) {
        shop.timeline.act(number);
        let at = shop.timeline.now();
        act(shop, each, &mut played)?;
        shop.timeline.note(&format!("act{number}"), at);
    }
    Ok(played)
}

fn open(shop: &mut Shop, each: usize, _: &mut Played) -> Result<()> {
    shop.say(&text!(
        "1. Abre la tienda. El servidor principal (PRINCIPAL) atiende; CAJA1, CAJA2 y CAJA3 venden.",
        "1. The shop opens. The main server (PRINCIPAL) serves; tills CAJA1, CAJA2 and CAJA3 sell."
    ));
    shop.run(Machine::Main, &["launch", "--program", "svrpdv"], Exit::Ok)?;
    shop.timeline.phase(Side::Main, Phase::Serving);
    shop.open_tills()?;
    sell(shop, "sell.open", each)
}

fn mirror(shop: &mut Shop, each: usize, _: &mut Played) -> Result<()> {
    shop.say(&text!(
        "2. El respaldo espejo copia la base a CAJA1, que es la caja/servidor: primero completa, después sólo lo que cambió.",
        "2. The mirror copies the database to CAJA1, the caja/servidor: first all of it, then only what changed."
    ));
    let copy = shop.run(Machine::Main, &["mirror"], Exit::Ok)?;
    copied(shop, &copy, "full")?;
    shop.timeline.phase(Side::Backup, Phase::Following);
    sell(shop, "sell.between_mirrors", each)?;
    let copy = shop.run(Machine::Main, &["mirror"], Exit::Ok)?;
    copied(shop, &copy, "increment")
}

fn sell_on(shop: &mut Shop, each: usize, _: &mut Played) -> Result<()> {
    shop.say(&text!(
        "3. Se sigue vendiendo. Estos tickets todavía no están en ninguna copia: si el principal falla ahora, quedan huérfanos.",
        "3. The tills sell on. No copy has these tickets yet: if main fails now, they become orphans."
    ));
    sell(shop, "sell.orphans", each)
}

fn power_cut(shop: &mut Shop, _: usize, played: &mut Played) -> Result<()> {
    shop.say(&text!(
        "4. Se va la luz en el principal: mueren sus procesos y su disco desaparece. Las cajas lo notan y se cierran solas.",
        "4. Main loses power: its processes die and its disk is gone. The tills notice and close by themselves."
    ));
    let at = shop.timeline.now();
    shop.kill_main()?;
    played.outage_ms = shop.timeline.now();
    shop.timeline.phase(Side::Main, Phase::Off);
    shop.tills_end(Exit::Refused)?;
    shop.timeline.note("tills.noticed", at);
    shop.move_main(true)?;
    say_result(shop, text!("las tres cajas se detuvieron; nadie vende", "the three tills have stopped; nobody sells"));
    Ok(())
}

fn promote(shop: &mut Shop, each: usize, played: &mut Played) -> Result<()> {
    shop.say(&text!(
        "5. En CAJA1 alguien hace clic: el respaldo toma el relevo, en la época 2. Las cajas vuelven a vender, ahora contra él.",
        "5. Somebody clicks at CAJA1: the backup takes over, in epoch 2. The tills sell again, now on the backup."
    ));
    let done = shop.run(Machine::Caja, &["promote"], Exit::Ok)?;
    expect(shop, Machine::Caja, &["promote"], &done, "epoch", &Value::from(2))?;
    shop.timeline.phase(Side::Backup, Phase::Serving);
    shop.open_tills()?;
    let at = shop.timeline.now();
    let sold = shop.sell(each)?;
    shop.timeline.note("sell.on_backup", at);
    let cut = played.outage_ms;
    played.outage_ms = shop.timeline.at(sold.first).saturating_sub(cut);
    let (tickets, outage) = (sold.tickets, seconds(played.outage_ms));
    say_result(
        shop,
        text!(
            "{tickets} tickets en el respaldo; la tienda estuvo {outage} sin vender",
            "{tickets} tickets on the backup; the shop was {outage} without selling"
        ),
    );
    Ok(())
}

fn old_main(shop: &mut Shop, _: usize, played: &mut Played) -> Result<()> {
    shop.say(&text!(
        "6. Vuelve la luz y el principal quiere atender. Ve que otro servidor tiene la época 2: no atiende, se cerca y guarda sus huérfanos.",
        "6. The power is back and main wants to serve. It meets epoch 2: it refuses, is fenced, and its orphans are saved."
    ));
    shop.move_main(false)?;
    let words = ["launch", "--program", "svrpdv"];
    shop.run(Machine::Main, &words, Exit::OtherHolder)?;
    let status = shop.run(Machine::Main, &["status"], Exit::Ok)?;
    expect(shop, Machine::Main, &["status"], &status["main"], "state", &Value::from("fenced"))?;
    shop.timeline.phase(Side::Main, Phase::Fenced);
    played.orphans = shop.run(Machine::Caja, &["orphans"], Exit::Ok)?;
    let count = super::evidence::listed(&played.orphans).len();
    if count == 0 {
        let (log, what) = (shop.layout.log(Machine::Caja), text!("no guardó ninguna venta huérfana", "no orphan sale was saved"));
        return Err(shop::failed(Machine::Caja, &["orphans"], &log, what, None));
    }
    say_result(
        shop,
        text!(
            "código 11, base cercada; {count} ventas huérfanas guardadas en CAJA1",
            "exit code 11, database fenced; {count} orphan sales saved on CAJA1"
        ),
    );
    Ok(())
}

fn restore(shop: &mut Shop, _: usize, _: &mut Played) -> Result<()> {
    shop.say(&text!(
        "7. Las cajas cierran y la base regresa al principal (época 3); la base anterior se conserva aparte.",
        "7. The tills close and the database goes back to main (epoch 3); main's old database is kept aside."
    ));
    shop.close_tills()?;
    let done = shop.run(Machine::Caja, &["restore"], Exit::Ok)?;
    expect(shop, Machine::Caja, &["restore"], &done, "epoch", &Value::from(3))?;
    shop.timeline.phase(Side::Backup, Phase::Fenced);
    shop.timeline.phase(Side::Main, Phase::Idle);
    say_result(shop, text!("base copiada y comprobada", "database copied and verified"));
    Ok(())
}

fn main_again(shop: &mut Shop, each: usize, _: &mut Played) -> Result<()> {
    shop.say(&text!(
        "8. El principal comprueba que nadie opera y atiende otra vez; las cajas venden contra él.",
        "8. Main makes sure that nobody operates and serves again; the tills sell on it."
    ));
    shop.run(Machine::Main, &["launch", "--program", "svrpdv"], Exit::Ok)?;
    shop.timeline.phase(Side::Main, Phase::Serving);
    shop.open_tills()?;
    sell(shop, "sell.main_again", each)
}

fn prove(shop: &mut Shop, _: usize, played: &mut Played) -> Result<()> {
    shop.say(&text!(
        "9. El espejo empieza de nuevo con una copia completa, porque la época es otra. Después se comprueba todo.",
        "9. The mirror begins again with a full copy, since the epoch is new. Then everything is checked."
    ));
    let copy = shop.run(Machine::Main, &["mirror"], Exit::Ok)?;
    copied(shop, &copy, "full")?;
    shop.timeline.phase(Side::Backup, Phase::Following);
    for machine in Machine::ALL {
        let status = shop.run(machine, &["status"], Exit::Ok)?;
        played.statuses.push((machine, status));
    }
    played.orphans = shop.run(Machine::Caja, &["orphans"], Exit::Ok)?;
    shop.close_tills()?;
    shop.close_servers()
}

fn sell(shop: &mut Shop, name: &str, wanted: usize) -> Result<()> {
    let (at, began) = (shop.timeline.now(), Instant::now());
    let tickets = shop.sell(wanted)?.tickets;
    shop.timeline.note(name, at);
    let took = seconds(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    say_result(shop, text!("{tickets} tickets en {took}", "{tickets} tickets in {took}"));
    Ok(())
}

/// A mirror made the kind of copy that this act is about.
fn copied(shop: &Shop, copy: &Value, kind: &str) -> Result<()> {
    expect(shop, Machine::Main, &["mirror"], copy, "kind", &Value::from(kind))?;
    let bytes = copy["bytes"].as_u64().unwrap_or(0);
    let reason: Option<Text> = serde_json::from_value(copy["reason_text"].clone()).ok();
    let copy = if kind == "full" { text!("copia completa", "full copy") } else { text!("copia incremental", "increment") };
    let why = reason.map_or(Text::same(""), |reason| text!(" (@)", " (@)").fill(&reason));
    say_result(shop, text!("@: {bytes} bytes@", "@: {bytes} bytes@").fill(&copy).fill(&why));
    Ok(())
}

/// A verb ended well, and yet its result must be this one.
fn expect(shop: &Shop, machine: Machine, words: &[&str], object: &Value, key: &str, wanted: &Value) -> Result<()> {
    let found = &object[key];
    if found == wanted {
        return Ok(());
    }
    let what = text!("{key} es {found}; se esperaba {wanted}", "{key} is {found}, {wanted} was expected");
    Err(shop::failed(machine, words, &shop.layout.log(machine), what, None))
}

fn say_result(shop: &Shop, result: Text) {
    let Text { es, en } = result;
    shop.say(&text!("   → {es}", "   → {en}"));
}
