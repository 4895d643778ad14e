//! What a grammar costs: reading it, matching a sentence, telling how it stands, finding it among other words.
//!
//! ```sh
//! cargo run --release --example grammar
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use trunkline::grammar::Grammar;

/// Times each thing is done.
const TIMES: u32 = 500;

fn main() {
    let now = jiff::civil::date(2026, 3, 4).at(10, 0, 0, 0);
    println!("| grammar | words said | read | match | fit | spot |\n| --- | --- | --- | --- | --- | --- |");
    for (name, text, said) in cases() {
        let started = started();
        let grammar = match Grammar::parse(name, &text) {
            Ok(grammar) => grammar,
            Err(problems) => panic!("{}", problems[0]),
        };
        let read = started.elapsed();
        let language = grammar.language().clone();
        assert!(!grammar.matches(&said, &language, now).is_empty(), "{name} does not hear {said}");
        let whole = each(&|| _ = black_box(grammar.matches(&said, &language, now)));
        let fit = each(&|| _ = black_box(grammar.fit(&said, &language, now)));
        let spot = each(&|| _ = black_box(grammar.spot(&said, &language, now)));
        println!(
            "| {name} | {} | {read:.1?} | {whole:.0?} | {fit:.0?} | {spot:.0?} |",
            said.split_whitespace().count()
        );
    }
}

/// Grammars and what is said to them.
fn cases() -> Vec<(&'static str, String, String)> {
    let word = |number: usize| format!("w{}", (number * 7919) % 400);
    let phrase =
        |number: usize| (0..2 + number % 4).map(|at| word(number * 31 + at * 17)).collect::<Vec<_>>().join(" ");
    let phrases: Vec<String> = (0..1_000).map(phrase).collect();
    let head = "#ABNF 1.0 UTF-8;\nlanguage en-US; root $r; tag-format <semantics/1.0>;\n";
    let names: Vec<String> =
        phrases.iter().enumerate().map(|(at, phrase)| format!("/{}/ ({phrase}) {{out = {at}}}", at % 7 + 1)).collect();
    let rules: String = phrases.iter().enumerate().map(|(at, phrase)| format!("$p{at} = {phrase};\n")).collect();
    let calls: Vec<String> = (0..phrases.len()).map(|at| format!("$p{at} {{out = {at}}}")).collect();
    let said = format!("okay so i want {} please sir", phrases[777]);
    let listed = format!("{head}$r = [I want] $what {{out = rules.what}} [please]; $what = {};", names.join(" | "));
    let called = format!("{head}$r = [I want] ({}) [please];\n{rules}", calls.join(" | "));
    let money = "$r = pay $<builtin:grammar/amount> {out.a = rules.amount} [on $<builtin:grammar/date>];";
    let doubling = format!("{head}$r = $r $r {{out = 'x'}} | a | a | b | [a] b;");
    vec![
        ("1,000 phrases", listed, said.clone()),
        ("1,000 rules", called, said),
        ("a sum and a day", format!("{head}{money}"), "could you please pay two hundred dollars on friday".to_owned()),
        ("doubling, ten words", doubling.clone(), "a b ".repeat(5)),
        ("doubling, sixty words", doubling, "a b ".repeat(30)),
    ]
}

fn each(work: &dyn Fn()) -> Duration {
    let started = started();
    (0..TIMES).for_each(|_| work());
    started.elapsed() / TIMES
}

#[expect(clippy::disallowed_methods, reason = "this is what it measures")]
fn started() -> Instant {
    Instant::now()
}
