//! Grammars, what is said, and what it means: the situations of SRGS 1.0 and SISR 1.0 in rows of our own. Every row is
//! run in both forms, the one it is written in and the other, printed and read again.

use std::collections::BTreeMap;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::automaton::Mark;
use super::*;
use crate::value::Value;

/// A Wednesday.
fn now() -> jiff::civil::DateTime {
    jiff::civil::date(2026, 3, 4).at(10, 0, 0, 0)
}

/// `$r` is the root, tags are scripts.
fn scripted(rules: &str) -> String {
    format!("#ABNF 1.0 UTF-8;\nlanguage en-US; root $r; tag-format <semantics/1.0>;\n{rules}")
}

/// `$r` is the root, tags are plain words.
fn literal(rules: &str) -> String {
    format!("#ABNF 1.0 UTF-8;\nlanguage en-US; root $r; tag-format <semantics/1.0-literals>;\n{rules}")
}

fn xml(attributes: &str, content: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<grammar version=\"1.0\" xmlns=\"http://www.w3.org/2001/06/grammar\" root=\"r\" \
         xml:lang=\"en-US\" {attributes}>\n{content}\n</grammar>"
    )
}

fn grammar(text: &str) -> Grammar {
    Grammar::parse("g", text).unwrap_or_else(|problems| panic!("{}\n{text}", told(&problems)))
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// The problems of a grammar, whether it can be used or not.
fn problems(text: &str) -> String {
    match Grammar::parse("g", text) {
        Ok(grammar) => told(grammar.problems()),
        Err(problems) => told(&problems),
    }
}

fn document(text: &str) -> ast::Document {
    let mut problems = diagnostic::Problems::default();
    let file = problems.file("g");
    let read = if text.trim_start().starts_with('<') { xml::parse } else { abnf::parse };
    let document = read(text, file, &mut problems);
    assert!(!problems.has_errors(), "{}", told(&problems.sorted()));
    document
}

/// The compiled form without places, to compare.
fn compiled(grammar: &Grammar) -> String {
    let automaton = grammar.automaton();
    let rules: Vec<_> =
        automaton.rules.iter().map(|net| (&net.name, net.public, net.start, net.end, net.empty, &net.first)).collect();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        grammar.mode(),
        grammar.root(),
        automaton.offsets,
        automaton.arcs,
        rules,
        automaton.words,
        automaton.tags,
        automaton.builtins,
        automaton.globals
    )
}

/// The same grammar in the other form. Asserts that it is the same.
fn in_the_other_form(text: &str) -> String {
    let document = document(text);
    let other = if text.trim_start().starts_with('<') { print::abnf(&document) } else { print::xml(&document) };
    let (one, two) = (grammar(text), grammar(&other));
    assert_eq!(compiled(&one), compiled(&two), "{text}\n{other}");
    other
}

/// The best meaning of `said`, or `-`.
fn meaning(grammar: &Grammar, said: &str) -> String {
    let found = grammar.matches(said, grammar.language(), now());
    match found.first() {
        None => "-".to_owned(),
        Some(Match { fault: Some(fault), .. }) => fault.clone(),
        Some(found) => found.interpretation.to_json().to_string(),
    }
}

#[track_caller]
fn check(text: &str, rows: &[(&str, &str)]) {
    for form in [text.to_owned(), in_the_other_form(text)] {
        let grammar = grammar(&form);
        for (said, means) in rows {
            assert_eq!(meaning(&grammar, said), *means, "{said:?} in\n{form}");
        }
    }
}

#[test]
fn words_sequences_and_alternatives() {
    check(
        &literal("$r = open the (door {door} | window {window});"),
        &[
            ("open the door", "\"door\""),
            ("Open the WINDOW!", "\"window\""),
            ("open door", "-"),
            ("open the", "-"),
            ("please open the door thank you", "\"door\""),
            ("open the door of the car", "-"),
            ("", "-"),
        ],
    );
}

#[test]
fn quoted_tokens_and_contractions_are_the_words_they_hold() {
    check(
        &scripted("$r = \"San Francisco\" | I'd like (\"New York\" | Boston);"),
        &[
            ("san francisco", "\"San Francisco\""),
            ("i would like boston", "\"i would like Boston\""),
            ("i'd like new york", "\"i would like New York\""),
            ("san", "-"),
        ],
    );
}

#[test]
fn optional_parts_and_repetitions() {
    let rows = [("a", "-"), ("a b", "\"a b\""), ("a b b", "\"a b b\""), ("a b b b", "\"a b b b\""), ("a b b b b", "-")];
    check(&scripted("$r = a b<1-3>;"), &rows);
    check(&scripted("$r = a b [b [b]];"), &rows);
    check(&scripted("$r = a b<2>;"), &[("a b", "-"), ("a b b", "\"a b b\""), ("a b b b", "-")]);
    check(&scripted("$r = a b<0->;"), &[("a", "\"a\""), ("a b b b b b b b b", "\"a b b b b b b b b\""), ("b", "-")]);
    check(&scripted("$r = a b<2->;"), &[("a b", "-"), ("a b b b", "\"a b b b\"")]);
    check(&scripted("$r = a b<0>;"), &[("a", "\"a\""), ("a b", "-")]);
    check(&scripted("$r = a [(b | c)<2>] d;"), &[("a d", "\"a d\""), ("a b c d", "\"a b c d\""), ("a b d", "-")]);
    check(&scripted("$r = (a b)<2 /0.4/> c<0-1 /.9/>;"), &[("a b a b c", "\"a b a b c\""), ("a b", "-")]);
}

#[test]
fn repetition_collects_in_tags() {
    check(
        &scripted(
            "$r = {out = ''} ($digit {out += rules.digit})<1->;\n\
             $digit = zero {out = '0'} | one {out = '1'} | two {out = '2'};",
        ),
        &[("one two zero", "\"120\""), ("1 2 0", "\"120\""), ("two", "\"2\""), ("three", "-")],
    );
    check(
        &scripted("$r = {out.all = []} ($x {out.all.push(rules.x)} [and])<1->; $x = tea | milk | ham;"),
        &[("tea and milk ham", "{\"all\":[\"tea\",\"milk\",\"ham\"]}")],
    );
}

#[test]
fn special_rules() {
    check(&literal("$r = a $NULL b {ok};"), &[("a b", "\"ok\""), ("a x b", "-")]);
    check(&literal("$r = a $VOID {no} | b {yes};"), &[("a", "-"), ("b", "\"yes\"")]);
    check(
        &literal("$r = $GARBAGE balance $GARBAGE {balance};"),
        &[("balance", "\"balance\""), ("so what is my balance today then", "\"balance\""), ("hello", "-")],
    );
    check(&literal("$r = () a {ok};"), &[("a", "\"ok\"")]);
}

#[test]
fn words_of_the_grammar_win_over_garbage() {
    check(
        &literal("$r = pay $GARBAGE {anything} | pay bill {bill} | pay $GARBAGE now {now};"),
        &[("pay bill", "\"bill\""), ("pay the water", "\"anything\""), ("pay it all now", "\"now\"")],
    );
}

#[test]
fn weights_choose_between_readings() {
    for (weights, best) in
        [(("", ""), "first"), (("/1/", "/3/"), "second"), (("/3/", "/1/"), "first"), (("/0.5/", ""), "second")]
    {
        let text = literal(&format!("$r = {} may {{first}} | {} may {{second}};", weights.0, weights.1));
        check(&text, &[("may", &format!("\"{best}\""))]);
    }
    let grammar = grammar(&literal("$r = /8/ a {x} | /2/ b {y} | /0/ c {z};"));
    let weight = |said: &str| grammar.matches(said, grammar.language(), now()).first().map(|found| found.weight);
    assert_eq!(weight("a"), Some(1.0));
    assert!((weight("b").unwrap() - 0.25).abs() < 1e-6);
    assert_eq!(weight("c"), None);
}

#[test]
fn probabilities_of_repetition_choose_between_readings() {
    for (likely, best) in [("0.9", "long"), ("0.1", "short")] {
        let text = literal(&format!("$r = $a {{short}} [x] | y;\n$a = x x<0- /{likely}/>;"));
        check(&text, &[("x x x", "\"short\"")]);
        // One x more belongs to the repetition, or to what follows it.
        let text = scripted(&format!("$r = $a $b {{out = meta.a.text}}; $a = x<1- /{likely}/>; $b = x<1- /0.5/>;"));
        let grammar = grammar(&text);
        let expected = if best == "long" { "\"x x x\"" } else { "\"x\"" };
        assert_eq!(meaning(&grammar, "x x x x"), expected, "{likely}");
    }
}

#[test]
fn a_rule_without_tags_hands_on_what_it_went_through() {
    let rules = "$r = [to] $city; $city = $big | Leeds; $big = London {out = 'LON'} | Paris {out = 'PAR'};";
    check(&scripted(rules), &[("to london", "\"LON\""), ("paris", "\"PAR\""), ("to leeds", "\"Leeds\"")]);
    check(&scripted("$r = $a $b; $a = one; $b = two;"), &[("one two", "\"two\"")]);
    check(&scripted("$r = just words;"), &[("just words", "\"just words\"")]);
    check(&literal("$r = $a {tagged}; $a = x {inner};"), &[("x", "\"tagged\"")]);
    check(&literal("$r = $a [z {late}]; $a = x {inner};"), &[("x", "\"inner\""), ("x z", "\"late\"")]);
}

#[test]
fn of_several_literals_the_last_counts() {
    check(&literal("$r = a {one} b {two};"), &[("a b", "\"two\"")]);
    check(&literal("$r = a {it's {braced}};"), &[("a", "\"it's {braced}\"")]);
    check(&literal("$r = a {!{ } odd { }!};"), &[("a", "\"} odd {\"")]);
}

#[test]
fn tags_see_rules_by_name_and_the_latest() {
    check(
        &scripted(
            "$r = from $city {out.from = rules.latest()} to $city {out.to = rules.city; out.said = meta.city.text};\n\
             $city = (Rome | Roma) {out = 'ROM'} | Oslo {out = 'OSL'};",
        ),
        &[("from roma to oslo", "{\"from\":\"ROM\",\"said\":\"Oslo\",\"to\":\"OSL\"}")],
    );
    check(
        &scripted(
            "$r = $drink [$size] {out.drink = rules.drink; out.size = rules.size || 'medium'}; $drink = tea | milk; $size = small | large;",
        ),
        &[
            ("tea large", "{\"drink\":\"tea\",\"size\":\"large\"}"),
            ("milk", "{\"drink\":\"milk\",\"size\":\"medium\"}"),
        ],
    );
}

#[test]
fn tags_compute() {
    check(
        &scripted(
            "$r = $tens {out = rules.tens} [$ones {out = out + rules.ones}] | $ones;\n\
             $tens = twenty {out = 20} | thirty {out = 30};\n$ones = one {out = 1} | two {out = 2};",
        ),
        &[("twenty two", "22"), ("thirty", "30"), ("one", "1"), ("twenty thirty", "-")],
    );
    check(&scripted("$r = yes {out = true} | no {out = false};"), &[("yes", "true"), ("no", "false")]);
    check(
        &scripted("$r = half {out = 1 / 2} | much {out = 3 > 2 ? 'lots' : 'few'};"),
        &[("half", "0.5"), ("much", "\"lots\"")],
    );
    check(&scripted("$r = a {!{ out = {x: {y: [1, 'b']}} }!};"), &[("a", "{\"x\":{\"y\":[1,\"b\"]}}")]);
    check(&scripted("$r = a {var n = 2} b {out = n * 3};"), &[("a b", "6")]);
    check(
        &scripted("$r = $a $a {out = rules.a}; $a = {out = meta.current().text} (x | y z);"),
        &[("x y z", "\"y z\"")],
    );
}

#[test]
fn tags_of_the_file_are_known_to_all_rules() {
    check(
        &scripted(
            "{var shop = 'Roma'; var table = {small: 1, large: 2}};\n$r = $s {out = shop + table[rules.s]}; $s = small | large;",
        ),
        &[("large", "\"Roma2\"")],
    );
}

#[test]
fn a_tag_that_fails_says_so_and_the_match_stays() {
    let grammar = grammar(&scripted("$r = $a {out = rules.a * 2}; $a = x {out = 'y'};"));
    let found = grammar.matches("x", grammar.language(), now());
    assert_eq!(found[0].fault.as_deref(), Some("a tag of rule `r`: \"y\" is no number"));
    assert_eq!(found[0].interpretation, Value::Nothing);
}

#[test]
fn recursion_is_followed_as_deep_as_the_words_go() {
    let right = scripted("$r = $x {out = rules.x} [and $r {out = out + '+' + rules.r}]; $x = a | b;");
    check(&right, &[("a", "\"a\""), ("a and b and a", "\"a+b+a\""), ("a and", "-")]);
    let left = scripted("$r = $r with $x {out = rules.r + '+' + rules.x} | $x {out = rules.x}; $x = a | b;");
    check(&left, &[("a", "\"a\""), ("a with b with a", "\"a+b+a\""), ("with a", "-")]);
    let middle = scripted("$r = (open $r close {out = rules.r + 1}) | now {out = 0};");
    let deep = format!("{}now {}", "open ".repeat(60), "close ".repeat(60));
    check(&middle, &[("now", "0"), ("open open now close close", "2"), ("open now", "-"), (&deep, "60")]);
    assert!(problems(&left).contains("rule `r` begins with itself: it is followed 32 deep"));
}

#[test]
fn rules_that_need_themselves_can_never_be_said() {
    let text = scripted("$r = a | $b; $b = x $c; $c = y $b;");
    let told = problems(&text);
    assert!(told.contains("g:3:14  warning: rule `b` can never be said"), "{told}");
    assert!(told.contains("rule `c` can never be said"), "{told}");
    check(&text, &[("a", "\"a\""), ("x y x y", "-")]);
    assert!(!grammar(&text).fit("x", &Language::english(), now()).prefix, "what can never end has not begun");
}

#[test]
fn nothing_repeated_for_ever_ends() {
    for rules in
        ["$r = ($NULL)<0-> a;", "$r = ([a])<1->;", "$r = ($x)<0-> a; $x = [b] [c];", "$r = $r | $x | a; $x = $r;"]
    {
        let grammar = grammar(&scripted(rules));
        assert_eq!(meaning(&grammar, "a"), "\"a\"", "{rules}");
        assert_eq!(meaning(&grammar, "q"), "-", "{rules}");
    }
}

#[test]
fn languages_of_parts_say_how_their_words_are_compared() {
    check(&literal("$r = say (\"查余额\"!zh-CN {balance} | hello {hello})<1>;"), &[("say hello", "\"hello\"")]);
    let text = "#ABNF 1.0; language zh-CN; root $r; tag-format <semantics/1.0-literals>;\n$r = [我要] (查 余额 | 查一下余额) {balance} | 请 转 VISA 卡 {card};";
    check(
        text,
        &[
            ("查余额", "\"balance\""),
            ("我要查余额，谢谢", "\"balance\""),
            ("我想查一下余额", "\"balance\""),
            ("请转visa卡", "\"card\""),
            ("余额", "-"),
        ],
    );
    let english_in_mandarin = "#ABNF 1.0; language zh-CN; root $r;\n$r = 我 用 \"credit card\"!en-US;";
    check(english_in_mandarin, &[("我用credit card", "\"我用credit card\"")]);
}

#[test]
fn figures_and_their_words_are_one() {
    check(
        &literal("$r = press one {1} | line 2 {2};"),
        &[("press 1", "\"1\""), ("line two", "\"2\""), ("press 2", "-")],
    );
    check("#ABNF 1.0; language zh-CN; root $r;\n$r = 按 三;", &[("按3", "\"按三\"")]);
}

#[test]
fn the_xml_form_says_it_all_too() {
    check(
        &xml(
            "tag-format=\"semantics/1.0\" mode=\"voice\"",
            r##"<!-- a comment -->
            <meta name="author" content="us"/><metadata><x:y xmlns:x="urn:x">z</x:y></metadata>
            <lexicon uri="words.pls"/>
            <tag>var shop = "Roma";</tag>
            <rule id="r" scope="public">
              <example>a small coffee &amp; tea</example>
              I <item repeat="0-1">would like</item> <ruleref special="NULL"/>
              <item repeat="1-2" repeat-prob="0.3"><ruleref uri="#drink"/><tag>out.last = rules.drink;</tag></item>
              <tag><![CDATA[ if (1 < 2) { out.shop = shop; } ]]></tag>
            </rule>
            <rule id="drink"><one-of>
              <item weight="2">a <token>small coffee</token><tag>out = "coffee"</tag></item>
              <item weight=".5" xml:lang="en-GB">"green tea"<tag>out = "tea"</tag></item>
              <item><ruleref special="VOID"/> nothing</item>
            </one-of></rule>"##,
        ),
        &[
            ("i would like a small coffee", r#"{"last":"coffee","shop":"Roma"}"#),
            ("I a small coffee green tea", r#"{"last":"tea","shop":"Roma"}"#),
            ("i would like", "-"),
            ("i nothing", "-"),
        ],
    );
}

#[test]
fn keys_complete_begin_or_miss() {
    let pin = "#ABNF 1.0; mode dtmf; root $r; tag-format <semantics/1.0>;\n\
               $r = {out = ''} ($k {out += rules.k})<4> [\"#\"] | \"*\" 9 {out = 'help'};\n\
               $k = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;";
    for form in [pin.to_owned(), in_the_other_form(pin)] {
        let grammar = grammar(&form);
        let keyed = |typed: &str| grammar.match_keys(typed, now());
        assert_eq!(keyed(""), Keyed::More(None));
        assert_eq!(keyed("01"), Keyed::More(None));
        assert_eq!(keyed("0123"), Keyed::More(Some(Value::text("0123"))));
        assert_eq!(keyed("0123#"), Keyed::Complete(Value::text("0123")));
        assert_eq!(keyed("*9"), Keyed::Complete(Value::text("help")));
        for wrong in ["*8", "#", "01234", "0123##", "12x"] {
            assert_eq!(keyed(wrong), Keyed::Wrong, "{wrong}");
        }
    }
}

#[test]
fn an_utterance_may_be_whole_and_still_grow() {
    let grammar = grammar(&literal("$r = pay [my] (card | bill [now]) {x};"));
    for (said, full, prefix) in [
        ("pay", false, true),
        ("please pay my", false, true),
        ("pay my card", true, false),
        ("pay bill", true, true),
        ("pay bill now", true, false),
        ("bill", false, false),
        ("", false, true),
        ("pay my card please", true, false),
    ] {
        assert_eq!(grammar.fit(said, grammar.language(), now()), Fit { full, prefix }, "{said}");
    }
}

#[test]
fn a_meaning_is_spotted_among_other_words() {
    let grammar = grammar(&scripted("$r = pay $what {out = rules.what}; $what = (water | power) bill | bill;"));
    let spot = |said: &str| {
        let found = grammar.spot(said, grammar.language(), now());
        found
            .iter()
            .map(|one| format!("{} {:?} {}", one.interpretation.plain(), one.words, one.whole))
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(spot("well my wife said pay water bill but not today"), "water bill 4..7 false");
    assert_eq!(spot("pay bill no pay power bill"), "power bill 3..6 false; bill 0..2 false");
    assert_eq!(spot("could you pay bill"), "bill 2..4 true");
    assert_eq!(spot("nothing at all"), "");
}

#[test]
fn two_meanings_are_two_matches_and_one_meaning_is_one() {
    let grammar = grammar(&scripted(
        "$r = call $who {out = rules.who}; $who = john {out = 'John Smith'} | john {out = 'John Miller'} | jon | (john | john);",
    ));
    let found = grammar.matches("call john", grammar.language(), now());
    let mut means: Vec<String> = found.iter().map(|one| one.interpretation.plain()).collect();
    means.sort();
    assert_eq!(means, ["John Miller", "John Smith", "john"]);
}

#[test]
fn each_rule_tells_which_words_it_took() {
    let grammar = grammar(&scripted("$r = $verb [my] $what; $verb = pay; $what = $kind bill; $kind = water | power;"));
    let found = grammar.matches("please pay my water bill", grammar.language(), now());
    let rules: Vec<String> =
        found[0].rules.iter().map(|span| format!("{}{} {:?}", " ".repeat(span.depth), span.rule, span.words)).collect();
    assert_eq!(rules, ["r 1..5", " verb 1..2", " what 3..5", "  kind 3..4"]);
}

#[test]
fn the_best_of_several_guesses_is_the_one_that_fits() {
    let grammar = grammar(&literal("$r = /4/ (pay my bill) {pay} | /1/ (play my bill) {play};"));
    let best = |guesses: &[(&str, f32)]| {
        let best = grammar.best_of(guesses.iter().copied(), grammar.language(), now());
        best.map(|(index, found)| (index, found.interpretation.plain()))
    };
    assert_eq!(best(&[("bay my bill", 0.9), ("pay my bill", 0.6)]), Some((1, "pay".into())));
    assert_eq!(best(&[("play my bill", 0.6), ("pay my bill", 0.5)]), Some((1, "pay".into())));
    assert_eq!(best(&[("play my bill", 0.9), ("pay my bill", 0.1)]), Some((0, "play".into())));
    assert_eq!(best(&[("nonsense", 0.9)]), None);
}

#[test]
fn built_ins_hear_their_words_and_keep_their_values() {
    let text = scripted(
        "$r = pay $<builtin:grammar/amount?currency=USD> {out.sum = rules.amount; out.said = meta.amount.text}\n\
         [on $<builtin:grammar/date> {out.day = rules.date}] [please not twice];",
    );
    let dollars = |minor| Value::Amount(crate::value::Amount { minor, currency: crate::value::Currency::USD });
    let day = Value::Date(jiff::civil::date(2026, 3, 6));
    for form in [text.clone(), in_the_other_form(&text)] {
        let grammar = grammar(&form);
        let found = |said: &str| match grammar.matches(said, grammar.language(), now()).first() {
            Some(Match { interpretation: Value::Map(parts), rules, .. }) => {
                (parts.get("sum").cloned(), parts.get("day").cloned(), rules[1].words.clone())
            }
            other => panic!("{said}: {other:?}"),
        };
        assert_eq!(found("pay two hundred dollars on friday"), (Some(dollars(20_000)), Some(day.clone()), 1..4));
        assert_eq!(found("could you pay $12.50 please"), (Some(dollars(1_250)), None, 3..5));
        assert_eq!(found("pay two hundred please not twice").0, Some(dollars(20_000)));
        let fit = |said: &str| grammar.fit(said, grammar.language(), now());
        assert_eq!(fit("pay"), Fit { full: false, prefix: true });
        assert_eq!(fit("pay two hundred dollars"), Fit { full: true, prefix: true });
        assert_eq!(fit("pay two hundred and"), Fit { full: false, prefix: true });
        assert_eq!(fit("pay the cat"), Fit { full: false, prefix: false });
        let spotted = grammar.spot("oh then pay fifty dollars i guess", grammar.language(), now());
        assert_eq!(spotted[0].words, 2..5);
        for phrase in grammar.expansions(30, now()) {
            assert!(!grammar.matches(&phrase, grammar.language(), now()).is_empty(), "{phrase}");
        }
    }
    let keys = grammar(
        "#ABNF 1.0; mode dtmf; root $r; tag-format <semantics/1.0>; $r = 9 $<builtin:dtmf/digits?length=4> {out = rules.digits} \"*\";",
    );
    assert_eq!(keys.match_keys("912", now()), Keyed::More(None));
    assert_eq!(keys.match_keys("90042", now()), Keyed::More(None));
    assert_eq!(keys.match_keys("90042*", now()), Keyed::Complete(Value::Digits("0042".into())));
    let told = problems(&scripted("$r = $<builtin:grammar/colour>\n | $<builtin:grammar/digits?size=4>;"));
    assert!(told.contains("g:3:6  there is no built-in grammar `colour`"), "{told}");
    assert!(told.contains("g:4:4  `digits` has no parameter `size`"), "{told}");
}

#[test]
fn built_ins_hear_mandarin_inside_a_sentence() {
    let text = "#ABNF 1.0; language zh-CN; root $r; tag-format <semantics/1.0>;\n\
                $r = (付 | 还) $<builtin:grammar/amount> {out.sum = rules.amount} [$<builtin:grammar/date> {out.day = rules.date}] [还];";
    let grammar = grammar(text);
    let found = grammar.matches("我想还两百块", grammar.language(), now());
    let sum = crate::value::Amount { minor: 20_000, currency: crate::value::Currency::CNY };
    assert_eq!(found[0].interpretation, Value::Map([("sum".to_owned(), Value::Amount(sum))].into()));
    let found = grammar.matches("付三十元周五还", grammar.language(), now());
    assert!(matches!(&found[0].interpretation, Value::Map(parts) if parts.len() == 2), "{found:?}");
}

/// A grammar of several files.
fn of_files(files: &[(&str, &str)]) -> Result<Grammar, String> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let fetch = |path: &Path| {
        let text = files.get(path.to_str().unwrap_or_default());
        text.map(|text| text.as_bytes().to_vec()).ok_or_else(|| "there is no such file".to_owned())
    };
    Grammar::load(Path::new("g/main.abnf"), &fetch).map_err(|problems| told(&problems))
}

#[test]
fn rules_of_other_files_are_used_across_forms() {
    let city = xml(
        "tag-format=\"semantics/1.0-literals\"",
        "<rule id=\"r\">here<tag>HERE</tag></rule><rule id=\"city\" scope=\"public\">Rome<tag>ROM</tag></rule>",
    );
    let back = "#ABNF 1.0; language en-US; root $r; tag-format <semantics/1.0>; $r = $<../main.abnf#polite>;";
    let main = scripted(
        "$r = go to $<lib/city.grxml#city>~<application/srgs+xml> {out.city = rules.city; out.latest = rules.latest()}\n\
         | stay $<lib/city.grxml> | say $<lib/back.abnf>;\npublic $polite = please {out = 'polite'};",
    );
    let files = [("g/main.abnf", &*main), ("g/lib/city.grxml", &*city), ("g/lib/back.abnf", back)];
    let grammar = of_files(&files).unwrap();
    assert_eq!(meaning(&grammar, "go to rome"), r#"{"city":"ROM","latest":"ROM"}"#);
    assert_eq!(meaning(&grammar, "stay here"), "\"HERE\"");
    assert_eq!(meaning(&grammar, "say please"), "\"polite\"");
    assert_eq!(grammar.rooted("polite").map(|rule| meaning(&rule, "please")).as_deref(), Some("\"polite\""));
    assert!(grammar.rooted("city").is_none(), "a rule of another file is not a root of this one");
}

#[test]
fn files_may_refer_to_one_another_in_a_circle() {
    let main = scripted("$r = a [$<b.abnf#b>];");
    let b = "#ABNF 1.0; language en-US; public $b = b [$<main.abnf>];";
    let grammar = of_files(&[("g/main.abnf", &main), ("g/b.abnf", b)]).unwrap();
    assert_eq!(meaning(&grammar, "a b a b a"), "\"a b a b a\"".replace("a b a b a", "a"));
    assert_eq!(meaning(&grammar, "a a"), "-");
}

#[test]
fn references_that_lead_nowhere_are_told_where_they_stand() {
    let main = scripted(
        "$r = $<missing.abnf>\n | $<b.abnf#secret>\n | $<b.abnf#pubic>\n | $<b.abnf>\n | $<../up.abnf>\n | \
         $<http://example.com/x.grxml>\n | $<file:///etc/passwd>\n | $<keys.abnf>;",
    );
    let b = "#ABNF 1.0; language en-US; $secret = x; public $public = y;";
    let keys = "#ABNF 1.0; mode dtmf; root $k; $k = 1;";
    let told = of_files(&[("g/main.abnf", &main), ("g/b.abnf", b), ("g/keys.abnf", keys)]).unwrap_err();
    for line in [
        "g/main.abnf:3:6  `missing.abnf` cannot be read: there is no such file",
        "g/main.abnf:7:4  `../up.abnf` leads out of the folder",
        "g/main.abnf:8:4  `http://example.com/x.grxml` leads out of the folder",
        "g/main.abnf:9:4  `file:///etc/passwd` leads out of the folder",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
    let main = scripted("$r = $<b.abnf#secret>\n | $<b.abnf#pubic>\n | $<b.abnf>\n | $<keys.abnf>;");
    let told = of_files(&[("g/main.abnf", &main), ("g/b.abnf", b), ("g/keys.abnf", keys)]).unwrap_err();
    for line in [
        "g/main.abnf:3:6  `b.abnf#secret` names a rule that is private",
        "g/main.abnf:4:4  `b.abnf#pubic` names a rule that is not defined there\n  help: did you mean `public`?",
        "g/main.abnf:5:4  `b.abnf` has no root",
        "g/keys.abnf:1:32  a grammar listens to words or to keys",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
}

#[test]
fn faults_of_names_and_tags_are_told_with_the_nearest_word() {
    for (rules, line) in [
        (
            "$r = $ctiy; $city = x;",
            "g:3:6  rule `r` refers to `ctiy`, which is not defined\n  help: did you mean `city`?",
        ),
        (
            "$r = $city {out = rules.ctiy}; $city = x;",
            "g:3:12  a tag of rule `r` asks for `rules.ctiy`, which it does not refer to\n  help: did you mean `city`?",
        ),
        (
            "$r = x {out = yes};",
            "g:3:8  a tag of rule `r` reads `yes`, which nothing sets\n  help: put it in quotes if it is a text: 'yes'",
        ),
        ("$r = x {try {}};", "g:3:8  this tag cannot be read: `try` is not understood"),
        ("$r = x {out = sum(1)};", "g:3:8  this tag cannot be read: `sum()` is not known here"),
        ("$r = x; $r = y;", "g:3:9  rule `r` is defined twice"),
        ("$s = x;", "g:2:22  the root `r` is not defined"),
    ] {
        let told = problems(&scripted(rules));
        assert!(told.contains(line), "{line} in\n{told}");
    }
    let other = "#ABNF 1.0; language en-US; root $r; tag-format <swi-semantics/1.0>; $r = x {y};";
    assert!(problems(other).contains("g:1:48  tags in the format `swi-semantics/1.0` are not understood"));
    let unsaid = "#ABNF 1.0; language en-US; root $r; $r = x {two words};";
    assert!(problems(unsaid).contains("help: say `tag-format` semantics/1.0-literals"));
    assert!(problems("#ABNF 1.0; language en-US; mode dtmf; root $r;\n$r = 1 x;").contains("g:2:8  `X` is no key"));
}

#[test]
fn what_a_file_leaves_out_is_taken_and_told() {
    let told = problems("#ABNF 1.0;\n$a = x;\npublic $b = y;");
    assert!(told.contains("the grammar has no root: taken for `b`"), "{told}");
    assert!(told.contains("does not say its language: taken for en-US"), "{told}");
    assert!(problems("#ABNF 1.0;").contains("g:1:1  the grammar has no rules"));
    assert!(problems("").contains("this is no ABNF grammar"));
    assert!(problems("hello").contains("this is no ABNF grammar"));
    assert!(problems("<a/>").contains("a grammar begins with <grammar>, not with <a>"));
    assert!(problems("<!-- nothing -->").contains("the file holds no <grammar>"));
}

#[test]
fn bombs_are_refused_where_they_stand() {
    for (rules, place) in [
        ("$r = a<1-100000><1-100000>;", "g:3:7"),
        ("$r =\n ((a<1-100000>)<1-100000>)<1-100000>;", "g:4:5"),
        ("$r = ((((a b)<100>)<100>)<100>)<100>;", "g:3:14"),
        ("$r = a<4294967295>;", "g:3:7"),
        ("$r = ($NULL)<0-99999999999>;", "g:3:13"),
    ] {
        let told = problems(&scripted(rules));
        assert!(told.starts_with(place) && told.contains("the grammar grows too large here"), "{place}: {told}");
        assert!(told.contains("help: repeat without an upper count"), "{told}");
    }
    let wide = format!("$r = ({})<1000>;", vec!["a"; 2000].join("|"));
    assert!(
        problems(&scripted(&wide)).starts_with("g:3:4007  the grammar grows too large"),
        "{}",
        problems(&scripted(&wide))
    );
}

#[test]
fn rules_that_double_one_another_cost_nothing() {
    let mut rules = String::from("$r = $x0;");
    for level in 0..60 {
        rules += &format!("$x{level} = $x{0} $x{0};", level + 1);
    }
    rules += "$x60 = a;";
    let grammar = grammar(&scripted(&rules));
    assert!(grammar.automaton().size().0 < 400);
    assert_eq!(meaning(&grammar, "a a a"), "-");
    assert!(grammar.fit("a a a", grammar.language(), now()).prefix);
}

#[test]
fn a_sentence_with_millions_of_readings_is_read() {
    let grammar = grammar(&scripted("$r = $r $r {out = 'x'} | a | a | b | [a] b;"));
    let said = vec!["a b"; 30].join(" ");
    assert_eq!(meaning(&grammar, &said), "\"x\"");
    let grammar = self::grammar(&scripted("$r = (([a] [a])<0-> [b])<0->;"));
    assert_eq!(meaning(&grammar, &vec!["a"; 100].join(" ")), format!("\"{}\"", vec!["a"; 100].join(" ")));
}

/// What is matched costs by the words of an utterance, and a built-in reads all the text that follows: of ten thousand
/// words neither looks at more than the first two hundred.
#[test]
fn of_ten_thousand_words_only_the_first_are_matched() {
    let grammar = grammar(&scripted("$r = pay $<builtin:grammar/amount> {out = rules.amount};"));
    for tail in ["word ", "pay two hundred ", "one "] {
        let said = format!("pay twenty dollars and {}", tail.repeat(10_000));
        let language = Language::english();
        let mut utterance = hearing::Said::spoken(&said, &language);
        utterance.truncate(chart::MAX_WORDS);
        assert_eq!((utterance.words.len(), utterance.bytes.len()), (chart::MAX_WORDS, chart::MAX_WORDS));
        assert_eq!(utterance.text, said[..utterance.bytes[chart::MAX_WORDS - 1].end], "built-ins read no further");
        assert!(grammar.matches(&said, &language, now()).iter().all(|found| !found.whole));
        assert!(!grammar.spot(&said, &language, now()).is_empty(), "{tail}");
        let _ = grammar.fit(&said, &language, now());
    }
    let mut short = hearing::Said::spoken("twenty dollars!", &Language::english());
    short.truncate(chart::MAX_WORDS);
    assert_eq!(short.text, "twenty dollars!", "what is short is left as it is");
}

#[test]
fn phrases_are_listed_whole_or_as_a_fair_choice() {
    let small = grammar(&scripted("$r = [please] (show | tell) me (my balance | Leeds) $GARBAGE;"));
    let listed = small.expansions(20, now());
    assert_eq!(listed.len(), 8, "{listed:?}");
    assert!(listed.contains(&"please tell me my balance".to_owned()) && listed.contains(&"show me Leeds".to_owned()));
    for phrase in &listed {
        assert_ne!(meaning(&small, phrase), "-", "{phrase}");
    }
    let large = grammar(&scripted("$r = $d<1->; $d = zero|one|two|three|four|five|six|seven|eight|nine;"));
    let chosen = large.expansions(50, now());
    assert_eq!(chosen.len(), 50);
    assert_eq!(chosen, large.expansions(50, now()), "the same every time");
    let firsts: std::collections::BTreeSet<&str> =
        chosen.iter().filter_map(|phrase| phrase.split(' ').next()).collect();
    assert!(firsts.len() >= 8, "a fair choice begins with all of them: {firsts:?}");
    let mandarin = grammar("#ABNF 1.0; language zh-CN; root $r;\n$r = 查 (余额 | 账单);");
    assert_eq!(mandarin.expansions(9, now()), ["查余额", "查账单"]);
    assert!(grammar(&scripted("$r = $r a | $r b | c $r | $VOID | d;")).expansions(5, now()).len() == 5);
}

#[test]
fn a_cursor_walks_the_network_word_by_word() {
    let grammar = grammar(&scripted("$r = pay $what; $what = [my] bill {out = 1};"));
    let automaton = grammar.automaton();
    let mut fronts = vec![automaton.enter(grammar.root())];
    let mut trail = Vec::new();
    for said in ["pay", "my", "bill", ""] {
        let mut next = Vec::new();
        while let Some(cursor) = fronts.pop() {
            if said.is_empty() && automaton.is_complete(&cursor) {
                trail.push("complete".to_owned());
            }
            for step in automaton.steps(&cursor) {
                match step.mark {
                    Mark::Word(word) if word == said => next.push(step.next),
                    Mark::Word(_) | Mark::Anything | Mark::Builtin(_) => {}
                    other => {
                        trail.push(format!("{other:?}"));
                        fronts.push(step.next);
                    }
                }
            }
        }
        fronts = next;
    }
    assert_eq!(trail, ["Enter(1)", "Nothing", "Nothing", "Nothing", "Tag(0)", "Leave(1)", "complete"]);
}

/// Every grammar that is shipped does what its table says, in both forms.
#[test]
fn the_grammars_that_are_shipped_mean_what_their_table_says() {
    let table = std::fs::read_to_string("grammars/examples.tsv").unwrap();
    let mut rows: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in table.lines().skip(1) {
        let [file, said, means] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        rows.entry(file).or_default().push((said, means));
    }
    let mut files = 0;
    for entry in std::fs::read_dir("grammars").unwrap() {
        let path = entry.unwrap().path();
        if !path.extension().is_some_and(|extension| extension == "abnf" || extension == "grxml") {
            continue;
        }
        files += 1;
        let grammar = Grammar::open(&path).unwrap_or_else(|problems| panic!("{}", told(&problems)));
        let regrets = grammar.problems().iter().find(|problem| problem.severity == Severity::Warning);
        assert_eq!(regrets, None, "{}", path.display());
        let rows = &rows[path.file_name().unwrap().to_str().unwrap()];
        assert!(rows.len() >= 3 && rows.iter().any(|(_, means)| *means == "-"), "{}", path.display());
        for (said, means) in rows {
            assert_eq!(meaning(&grammar, said), *means, "{said:?} in {}", path.display());
        }
        // What is written in the other form means the same, as long as it stands alone.
        let text = std::fs::read_to_string(&path).unwrap();
        let document = document(&text);
        let other = if text.starts_with('<') { print::abnf(&document) } else { print::xml(&document) };
        if !other.contains(".abnf#") {
            let other = self::grammar(&other);
            rows.iter()
                .for_each(|(said, means)| assert_eq!(meaning(&other, said), *means, "{said:?} in {}", path.display()));
        }
        assert!(!grammar.expansions(20, now()).is_empty());
    }
    assert_eq!(files, rows.len(), "the table names a file that is not there");
}

#[test]
fn ten_words_among_a_thousand_alternatives_take_few_steps() {
    let mut random = StdRng::seed_from_u64(3);
    let word = |random: &mut StdRng| format!("w{}", random.random_range(0..400));
    let phrases: Vec<String> = (0..1_000)
        .map(|_| (0..random.random_range(2..6)).map(|_| word(&mut random)).collect::<Vec<_>>().join(" "))
        .collect();
    let names = phrases
        .iter()
        .enumerate()
        .map(|(number, phrase)| format!("/{}/ ({phrase}) {{out = {number}}}", number % 7 + 1));
    let flat = format!(
        "$r = [I want] $what {{out = rules.what}} [please | now]; $what = {};",
        names.collect::<Vec<_>>().join(" | ")
    );
    // The same, each alternative a rule of its own.
    let rules: String =
        phrases.iter().enumerate().map(|(number, phrase)| format!("$p{number} = {phrase};\n")).collect();
    let calls: Vec<String> = (0..1_000).map(|number| format!("$p{number} {{out = {number}}}")).collect();
    let nested = format!("$r = [I want] ({}) [please | now];\n{rules}", calls.join(" | "));
    for text in [flat, nested] {
        let grammar = grammar(&scripted(&text));
        let said = format!("okay so i want {} please", phrases[777]);
        let utterance = matcher::Utterance::new(&said, Mode::Voice, grammar.language(), now()).unwrap();
        let whole = utterance.chart(grammar.automaton(), grammar.root());
        let starts: Vec<usize> = (0..utterance.said.words.len()).collect();
        let spotted = chart::parse(grammar.automaton(), grammar.root(), &utterance.said, &starts, now());
        assert!(whole.nodes.len() < 200 && spotted.nodes.len() < 400, "{} {}", whole.nodes.len(), spotted.nodes.len());
        assert_eq!(grammar.spot(&said, grammar.language(), now())[0].interpretation, Value::Integer(777));
    }
}

/// A grammar nobody would write.
fn any_expansion(random: &mut StdRng, depth: usize) -> String {
    let word = |random: &mut StdRng| ["a", "b", "c", "\"d e\"", "I'd", "f!de"][random.random_range(0..6)].to_owned();
    if depth == 0 {
        return word(random);
    }
    let inner = |random: &mut StdRng| any_expansion(random, depth - 1);
    match random.random_range(0..10) {
        0 | 1 => word(random),
        2 => format!("{} {}", inner(random), inner(random)),
        3 => format!("({} | {})", inner(random), inner(random)),
        4 => format!("(/{}/ {} | {})", random.random_range(1..5), inner(random), inner(random)),
        5 => format!("[{}]", inner(random)),
        6 => {
            let repeat = ["0-1", "2", "1-3", "0-", "1- /0.3/", "0-2 /.7/"][random.random_range(0..6)];
            format!("({})<{repeat}>", inner(random))
        }
        7 => format!("{} {{t{}}}", inner(random), random.random_range(0..9)),
        8 => format!("$x{}", random.random_range(0..3)),
        _ => ["$NULL", "$GARBAGE", "$VOID", "()"][random.random_range(0..4)].to_owned(),
    }
}

/// Does the utterance fit, by trying everything? `None` when that takes too long.
fn fits_by_trial(automaton: &Automaton, rule: u32, words: &[String]) -> Option<bool> {
    let mut seen = std::collections::BTreeSet::new();
    let mut agenda = vec![(automaton.enter(rule), 0)];
    while let Some((cursor, at)) = agenda.pop() {
        if at == words.len() && automaton.is_complete(&cursor) {
            return Some(true);
        }
        if cursor.depth() > 12 || seen.len() > 20_000 {
            return None;
        }
        for step in automaton.steps(&cursor) {
            let to = match step.mark {
                Mark::Word(word) if words.get(at).is_some_and(|said| said == word) => at + 1,
                Mark::Anything if at < words.len() => at + 1,
                Mark::Word(_) | Mark::Anything | Mark::Builtin(_) => continue,
                _ => at,
            };
            if seen.insert((step.next.clone(), to)) {
                agenda.push((step.next, to));
            }
        }
    }
    Some(false)
}

#[test]
fn any_grammar_is_the_same_in_both_forms_and_matches_what_trial_finds() {
    let mut random = StdRng::seed_from_u64(4);
    let (mut tried, mut fitted) = (0, 0);
    for _ in 0..400 {
        let rules: Vec<String> = (0..3).map(|rule| format!("$x{rule} = {};", any_expansion(&mut random, 3))).collect();
        let text = literal(&format!("$r = {};\n{}", any_expansion(&mut random, 4), rules.join("\n")));
        let other = in_the_other_form(&text);
        let back = print::abnf(&document(&other));
        assert_eq!(compiled(&grammar(&text)), compiled(&grammar(&back)), "{text}\n{back}");
        let grammar = grammar(&text);
        for _ in 0..8 {
            let words: Vec<String> = (0..random.random_range(0..6))
                .map(|_| ["a", "b", "c", "d", "e", "f"][random.random_range(0..6)].to_owned())
                .collect();
            let Some(expected) = fits_by_trial(grammar.automaton(), grammar.root(), &words) else { continue };
            let fit = grammar.fit(&words.join(" "), &Language::english(), now());
            assert_eq!(fit.full, expected, "{words:?} in\n{text}");
            let found = grammar.matches(&words.join(" "), &Language::english(), now());
            assert_eq!(!found.is_empty(), expected, "{words:?} in\n{text}");
            tried += 1;
            fitted += usize::from(expected);
        }
        for phrase in grammar.expansions(5, now()) {
            assert!(grammar.fit(&phrase, &Language::english(), now()).full, "{phrase:?} in\n{text}");
        }
    }
    assert!(tried > 2_000 && fitted > 200 && fitted < tried, "{fitted} of {tried}");
}

#[test]
fn any_text_is_survived() {
    let mut random = StdRng::seed_from_u64(7);
    let pieces = [
        "#ABNF 1.0;",
        "$r",
        " = ",
        "a",
        ";",
        "(",
        ")",
        "[",
        "]",
        "|",
        "<",
        ">",
        "1-",
        "{",
        "}",
        "{!{",
        "}!}",
        "/2/",
        "!en",
        "\"",
        "$<",
        "~<x>",
        "root",
        "mode dtmf",
        "public",
        "查",
        "//",
        "/*",
        "*/",
        "\n",
        "<grammar",
        " version=\"1.0\"",
        " root=\"r\"",
        ">",
        "<rule id=\"r\">",
        "</rule>",
        "<item repeat=\"0-\">",
        "</item>",
        "<one-of>",
        "</one-of>",
        "<tag>",
        "</tag>",
        "&amp;",
        "&x;",
        "]]>",
        "<![CDATA[",
        "<!--",
        "-->",
        "</grammar>",
        "\u{0}",
    ];
    for _ in 0..3_000 {
        let text: String =
            (0..random.random_range(0..40)).map(|_| pieces[random.random_range(0..pieces.len())]).collect();
        for text in
            [text.clone(), format!("#ABNF 1.0;root $r;{text}"), format!("<grammar version=\"1.0\" root=\"r\">{text}")]
        {
            if let Ok(grammar) = Grammar::parse("g", &text) {
                grammar.matches("a 查 1", &Language::english(), now());
                grammar.match_keys("12", now());
                grammar.expansions(3, now());
            }
        }
    }
}

/// SISR 1.0 §6.2: what the head of a grammar makes is known to the tags of all its rules.
#[test]
fn the_head_of_a_grammar_makes_functions_for_its_rules() {
    let text = "#ABNF 1.0 UTF-8; language en-US; root $r; tag-format <semantics/1.0>;\n\
        {!{ var units = {one: 1, two: 2, twenty: 20};\n\
        function sum(text) { var all = 0, words = text.split(' '); for (var i in words) all += units[words[i]]; return all; }\n\
        function plural(n, of) { return n == 1 ? of : of + 's'; } }!};\n\
        $r = $n tickets {out.count = sum(meta.n.text); out.text = out.count + ' ' + plural(out.count, 'ticket')};\n\
        $n = one | two | twenty [one | two];";
    let grammar = grammar(text);
    assert_eq!(meaning(&grammar, "twenty two tickets"), r#"{"count":22,"text":"22 tickets"}"#);
    assert_eq!(meaning(&grammar, "one tickets"), r#"{"count":1,"text":"1 ticket"}"#);
    in_the_other_form(text);
}

/// The pizza order of SISR 1.0 §7 in our own words: each drink is a list of its own, counted by a loop.
#[test]
fn a_tag_with_a_loop_adds_up_an_order() {
    let rules = "$r = {out.items = []} $item {out.items.push(rules.item)} (and $item {out.items.push(rules.item)})<0-3>\n\
        {!{ out.total = 0; for (var i = 0; i < out.items.length; i++) { out.total += out.items[i].count; } }!};\n\
        $item = $count {out.count = rules.count} (cola {out.drink = 'cola'} | tea {out.drink = 'tea'});\n\
        $count = a {out = 1} | two {out = 2} | three {out = 3};";
    let grammar = grammar(&scripted(rules));
    assert_eq!(
        meaning(&grammar, "two tea and a cola and three tea"),
        r#"{"items":[{"count":2,"drink":"tea"},{"count":1,"drink":"cola"},{"count":3,"drink":"tea"}],"total":6}"#
    );
}

#[test]
fn a_tag_that_never_ends_is_stopped_and_its_rule_is_named() {
    let grammar = grammar(&scripted("$r = $loops; $loops = x {while (true) out = 1;};"));
    let told = meaning(&grammar, "x");
    assert!(told.starts_with("a tag of rule `loops`: it was stopped after 20000 steps"), "{told}");
}
