//! What people see on a bad day, in both languages: the whole story as one snapshot each. Read it as a cashier would.

use crate::harness::{Ran, Shop};

/// Ids, paths, times and sizes differ from run to run; nothing else may.
fn clean(shop: &Shop, ran: &Ran) -> String {
    let text = format!("{}{}", ran.out, ran.err).replace(&shop.dir.display().to_string(), "TIENDA").replace('\\', "/");
    let mut lines = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let measured = |at: usize| words.get(at + 1).is_some_and(|next| ["s", "s;", "s,", "KiB)."].contains(next));
        let shown: Vec<String> = words
            .iter()
            .enumerate()
            .map(|(at, w)| if measured(at) { w.replace(|c: char| c.is_ascii_digit(), "") + "N" } else { word(w) })
            .collect();
        lines.push(shown.join(" ").trim_end().to_owned());
    }
    lines.join("\n")
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    let is_uuid = core.len() == 36 && core.matches('-').count() == 4;
    let is_time = core.len() >= 19 && core.starts_with("20") && core.contains('T');
    if is_uuid {
        word.replace(core, "RUN")
    } else if is_time {
        word.replace(core, "TIME")
    } else if !core.is_empty() && core.chars().all(|c| c.is_ascii_digit()) && core.len() > 4 {
        word.replace(core, "N")
    } else {
        word.to_owned()
    }
}

fn story(lang: &str) -> String {
    let shop = Shop::new();
    let mut told = String::new();
    let mut say = |machine: &str, words: &[&str], code: i32| {
        let ran = shop.say(machine, lang, words).expect(code);
        told.push_str(&format!("$ {machine}: relevo {} → {code}\n{}\n\n", words.join(" "), clean(&shop, &ran)));
    };
    say("till2", &["launch", "--program", "pospdv"], 4);
    say("till2", &["mirror"], 4);
    say("main", &["mirror", "--plan"], 0);
    say("main", &["mirror", "--full"], 0);
    say("caja", &["setup"], 0);
    say("caja", &["restore"], 4);
    shop.sell("main", "CAJA2", 2);
    shop.main_off();
    say("caja", &["launch", "--program", "pospdv"], 4);
    say("caja", &["promote", "--plan"], 0);
    say("caja", &["promote"], 0);
    say("caja", &["promote"], 4);
    say("caja", &["restore"], 4);
    shop.main_on();
    say("main", &["launch", "--program", "svrpdv"], 11);
    say("caja", &["orphans"], 0);
    say("caja", &["restore", "--plan"], 0);
    say("caja", &["restore"], 0);
    say("till2", &["launch", "--program", "pospdv"], 4);
    say("main", &["launch", "--program", "svrpdv"], 0);
    told
}

#[test]
fn a_bad_day_in_spanish() {
    insta::assert_snapshot!(story("es"));
}

#[test]
fn a_bad_day_in_english() {
    insta::assert_snapshot!(story("en"));
}
