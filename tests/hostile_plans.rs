//! Plans nobody in his right mind would write, and plans of a size that somebody will: each is loaded and run, or
//! refused with file, line and column; and no call waits for ever because of one. tests/README.md lists them.
//!
//! Nothing here asserts on time. `cargo test --test hostile_plans -- --nocapture` tells how long what took, at three
//! sizes: what grows faster than the plan shows there.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use trunkline::call::TimelineEvent;
use trunkline::call::record::{CallEnd, CallRecord};
use trunkline::dialplan::json_schema;
use trunkline::dialplan::load::{Loaded, load, load_kept, load_str};
use trunkline::dialplan::plan::Plan;
use trunkline::graph::{Graph, dot, layout, svg};
use trunkline::rtp::Digit;
use trunkline::simulate::conversation::{Caller, Conversation, Happening};
use trunkline::time::{Clock, SystemClock};

/// A plan of so many steps: menus, questions, look-ups, conditions and texts in turn, as departments grow them.
fn large(steps: usize) -> String {
    let mut text = "dialplan: 1\nname: large\nlanguages: [en-US]\nstart: s0\n\
                    defaults: { question: { go: bye, tries: 2 }, universals: { operator: bye }, hangup: gone }\nsteps:\n"
        .to_owned();
    for place in 0..steps - 2 {
        let to = |far: usize| match place + far {
            next if next < steps - 2 => format!("s{next}"),
            _ => "bye".to_owned(),
        };
        let (one, two, far) = (to(1), to(2), to(7));
        let _ = match place % 5 {
            0 => writeln!(
                text,
                "  s{place}:\n    menu:\n      prompt: \"Desk {place}: for orders press 1, for bills press 2, else 3.\"\n      options:\n\
                 \x20       orders: {{ key: 1, phrases: [my order {place}, where is parcel {place}], go: {one} }}\n\
                 \x20       bills: {{ key: 2, phrases: [a bill {place}, the invoice {place}], go: {two} }}\n\
                 \x20       other: {{ key: 3, phrases: [something else {place}], go: {far} }}"
            ),
            1 => writeln!(
                text,
                "  s{place}: {{ ask: {{ prompt: \"Which number, of {place}?\", digits: 4, slot: n{place}, go: {one} }} }}"
            ),
            2 => writeln!(
                text,
                "  s{place}: {{ say: {{ text: \"That was {{{{ n{} }}}} of desk {place}.\", go: {one} }} }}",
                place - 1
            ),
            3 => writeln!(
                text,
                "  s{place}: {{ branch: {{ when: [{{ if: \"n{} == '1234' && now.hour > 7\", go: {one} }}], else: {far} }} }}",
                place - 2
            ),
            _ => writeln!(
                text,
                "  s{place}: {{ http: {{ url: \"https://crm.example/{{{{ n{} }}}}\", save: {{ v{place}: value }}, go: {one}, failed: {one} }} }}",
                place - 3
            ),
        };
    }
    text.push_str("  bye: { hangup: { text: Goodbye., result: served } }\n  gone: { hangup: { result: gone } }\n");
    text
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = SystemClock.now().mono;
    let made = work();
    println!("  {what}: {:.0} ms", (SystemClock.now().mono - began).as_secs_f64() * 1000.0);
    made
}

fn loaded(text: &str) -> Loaded {
    load_str("plan.yaml", text).unwrap_or_else(|found| panic!("{found}"))
}

/// What is said about a plan that cannot be used; every line of it names file, line and column, and is no panic.
fn refused(text: &str) -> String {
    load_str("plan.yaml", text).expect_err("must be refused").to_string()
}

/// A call with somebody who answers so, until it is over; what was said, what the log has, and the record.
fn call(plan: Arc<Plan>, answers: &[&str]) -> (Vec<String>, Vec<String>, CallRecord) {
    let mut call = Conversation::begin(plan, &Caller::default());
    for answer in answers {
        call.until_listening();
        if call.is_over() {
            break;
        }
        match answer.strip_prefix("key ") {
            Some(keys) => call.press(&keys.chars().map(|key| Digit::new(key).expect("a key")).collect::<Vec<_>>()),
            None if answer.is_empty() => drop(call.wait_for_bot(Duration::from_secs(20))),
            None => call.say(answer, 0.9),
        }
    }
    assert!(call.to_the_end(), "the call ends by itself");
    let (mut said, mut faults) = (Vec::new(), Vec::new());
    for happening in call.happenings() {
        match happening {
            Happening::Bot { text, .. } => said.push(text.clone()),
            Happening::Timeline(TimelineEvent::PlanFault { step, why }) => faults.push(format!("{step}: {why}")),
            _ => {}
        }
    }
    (said, faults, call.record().expect("a record").clone())
}

#[test]
fn five_thousand_steps_are_loaded_drawn_and_talked_through() {
    for steps in [1_250, 2_500, 5_000] {
        let text = large(steps);
        println!("{steps} steps, {} kB", text.len() / 1000);
        let first = timed("load", || loaded(&text));
        assert_eq!((first.plan.steps.len(), first.warnings.to_string().as_str()), (steps, ""));
        let edited = text.replace("Desk 0:", "Desk zero:");
        let again = timed("load again, one step edited", || loaded(&edited));
        assert_ne!(first.plan.version, again.plan.version);
        let kept = timed("load as it was once", || load_kept(Path::new("plan.yaml"), first.texts.clone()));
        assert_eq!(kept.expect("it was fine").plan.version, first.plan.version);
        let graph = timed("graph", || Graph::of(&first.plan));
        let drawn = timed("lay out and draw", || svg(&graph, &layout(&graph, false), None));
        assert_eq!(drawn.matches("class=\"box\"").count(), steps);
        assert_eq!(timed("for Graphviz", || dot(&graph)).matches("label=").count(), steps + ways(&graph));
        let wrong = text.replace("go: bye", "go: by");
        let found = timed("find every fault", || refused(&wrong));
        assert!(found.contains("plan.yaml:5:29  there is no step `by`\n  help: did you mean `bye`?"), "{found}");
        let answers = ["key 1", "key 1234"].repeat(30);
        let (said, faults, record) = timed("a call of sixty answers", || call(first.plan, &answers));
        // Nobody answers the look-ups here, and every step says so once.
        assert!(said.len() > 30 && faults.iter().all(|fault| fault.contains("the look-up failed")), "{faults:?}");
        assert!(matches!(record.end, CallEnd::Completed), "{:?}", record.end);
    }
    println!("schema.json: {} kB", timed("schema", json_schema::schema).to_string().len() / 1000);
}

fn ways(graph: &Graph) -> usize {
    graph.nodes.iter().map(|node| node.rows.len()).sum()
}

#[test]
fn five_thousand_wrong_names_are_each_told_with_their_line() {
    let mut text = "dialplan: 1\nstart: s0\nsteps:\n".to_owned();
    for place in 0..5_000 {
        let _ = writeln!(text, "  s{place}: {{ say: {{ text: Hello., go: t{place} }} }}");
    }
    let found = timed("5,000 names that do not exist", || refused(&text));
    assert_eq!(found.matches("there is no step").count(), 5_000);
    assert!(found.contains("plan.yaml:5003:37  there is no step `t4999`"), "{}", &found[found.len() - 300..]);
}

#[test]
fn a_ring_of_five_thousand_steps_is_one_finding() {
    let mut text = "dialplan: 1\nstart: s0\nsteps:\n".to_owned();
    for place in 0..5_000 {
        let _ = writeln!(text, "  s{place}: {{ say: {{ text: Hello., go: s{} }} }}", (place + 1) % 5_000);
    }
    let found = timed("a ring of 5,000", || refused(&text));
    assert_eq!(found.lines().filter(|line| line.starts_with("plan.yaml:")).count(), 1);
    assert!(
        found.starts_with("plan.yaml:4:3  this goes round for ever and never asks: `s0` → `s1` → "),
        "{found:.200}"
    );
    assert!(found.len() < 2_000, "nobody reads {} letters", found.len());
}

#[test]
fn files_that_include_or_run_each_other_end_with_the_line_that_closes_the_circle() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let said = |name: &str| {
        let found = load(&folder.path().join(name)).expect_err("a circle").to_string();
        found.replace(&format!("{}/", folder.path().display()), "")
    };
    let step = |name: &str| format!("steps: {{ {name}: {{ hangup: Bye. }} }}\n");
    write("a.yaml", &format!("dialplan: 1\ninclude: [b.yaml]\nstart: a\n{}", step("a")));
    write("b.yaml", &format!("dialplan: 1\ninclude: [c.yaml]\n{}", step("b")));
    write("c.yaml", &format!("dialplan: 1\ninclude: [./x/../a.yaml]\n{}", step("c")));
    assert!(said("a.yaml").contains("c.yaml:2:11  `./x/../a.yaml` is included already"), "{}", said("a.yaml"));
    write("self.yaml", &format!("dialplan: 1\ninclude: [self.yaml]\nstart: a\n{}", step("a")));
    assert!(said("self.yaml").contains("self.yaml:2:11  `self.yaml` is included already"), "{}", said("self.yaml"));
    let run =
        |other: &str| format!("dialplan: 1\nstart: a\nsteps: {{ a: {{ run: {{ plan: {other}, go: $end }} }} }}\n");
    write("r1.yaml", &run("r2.yaml"));
    write("r2.yaml", &run("r3.yaml"));
    write("r3.yaml", &run("r1.yaml"));
    assert!(said("r1.yaml").contains("r3.yaml:3:28  these plans run each other in a circle"), "{}", said("r1.yaml"));
    // A chain without end, and a crowd.
    for number in 0..300 {
        let next = number + 1;
        write(
            &format!("n{number}.yaml"),
            &format!("dialplan: 1\ninclude: [n{next}.yaml]\n{}", step(&format!("s{number}"))),
        );
    }
    write("n.yaml", &format!("dialplan: 1\ninclude: [n0.yaml]\nstart: s0\n{}", step("a")));
    assert!(
        said("n.yaml").contains("n198.yaml:2:11  a plan cannot be read from more than 200 files"),
        "{}",
        said("n.yaml")
    );
    // Files that are large together.
    let padding = format!("# {}\n", "x".repeat(7 * 1024 * 1024));
    let names: Vec<String> = (0..6).map(|number| format!("big{number}.yaml")).collect();
    names
        .iter()
        .for_each(|name| write(name, &format!("dialplan: 1\n{padding}{}", step(name.trim_end_matches(".yaml")))));
    write("big.yaml", &format!("dialplan: 1\ninclude: [{}]\nstart: a\n{}", names.join(", "), step("a")));
    assert!(said("big.yaml").contains("a plan and its files may have 32 MiB together"), "{:.500}", said("big.yaml"));
}

#[test]
fn anchors_are_fine_and_bombs_of_them_are_refused_where_they_go_off() {
    let fine = "dialplan: 1\nstart: a\nsteps:\n  a: &end { hangup: &words \"Bye.\" }\n  b: *end\n  c: { say: { text: *words, go: b } }\n";
    assert!(loaded(fine).plan.step_named("b").is_some());
    let mut laughs = "dialplan: 1\nx0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let before = format!("*x{}", level - 1);
        let _ = writeln!(laughs, "x{level}: &x{level} [{}]", vec![before; 9].join(", "));
    }
    let found = timed("a billion laughs", || refused(&laughs));
    assert!(found.starts_with("plan.yaml:7:"), "{found:.300}");
    assert!(found.contains("more than 400000 values, aliases counted each time they are used"), "{found:.300}");
    let long = format!("dialplan: 1\nx: &x {}\ny: [{}]\n", "x".repeat(1_000_000), vec!["*x"; 300_000].join(", "));
    assert!(timed("one megabyte, 300,000 times", || refused(&long)).starts_with("plan.yaml:3:"));
    assert!(refused("dialplan: 1\nsteps: &s { a: *s }\n").starts_with("plan.yaml:2:"), "an alias in itself");
    assert!(refused("dialplan: 1\nsteps: *nobody\n").starts_with("plan.yaml:2:"), "an alias of nothing");
    // One that is wrong is told once, however often it is used.
    let wrong = "dialplan: 1\nstart: a\nsteps:\n  a: &a { say: { text: Hello., og: $end } }\n  b: *a\n  c: *a\n";
    assert_eq!(refused(wrong).matches("has no key `og`").count(), 3, "once for each step that has it");
}

#[test]
fn what_is_no_text_is_pointed_at_in_every_file_of_a_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    let said = |plan: &str| {
        write("plan.yaml", plan.as_bytes());
        load(&folder.path().join("plan.yaml"))
            .expect_err("no text")
            .to_string()
            .replace(&format!("{}/", folder.path().display()), "")
    };
    write("latin.yaml", b"dialplan: 1\nsteps:\n  b: { hangup: \"Gr\xfc\xdfe\" }\n");
    let found = said("dialplan: 1\ninclude: [latin.yaml]\nstart: b\nsteps: {}\n");
    assert!(found.contains("latin.yaml:3:19  this is not UTF-8\n  help: save the file as UTF-8 text"), "{found}");
    write("wide.yaml", b"\xff\xfed\0i\0a\0l\0");
    let found = said("dialplan: 1\nstart: a\nsteps: { a: { run: { plan: wide.yaml, go: $end } } }\n");
    assert!(found.contains("wide.yaml:1:1  this is not UTF-8"), "{found}");
    write("answers.md", b"# en-US\n\n## When?\n\nAt nine, caf\xe9.\n");
    let answer = "dialplan: 1\nstart: a\nsteps: { a: { answer: { prompt: \"What?\", file: answers.md, go: $end, unknown: $end, tries: { max: 2, go: $end } } } }\n";
    let found = said(answer);
    assert!(found.contains("answers.md:5:13  this is not UTF-8"), "{found}");
    write("g.grxml", b"<grammar \xe9/>");
    let found = said(
        "dialplan: 1\nstart: a\nsteps: { a: { ask: { prompt: \"What?\", grammar: g.grxml, go: $end, tries: { max: 2, go: $end } } } }\n",
    );
    assert!(found.contains("UTF-8"), "{found}");
    // Control characters and halves of pairs are text, and spoken as nothing.
    assert!(refused("dialplan: 1\nname: \"\\ud800\"\n").starts_with("plan.yaml:2:"));
}

#[test]
fn what_is_nested_too_deep_is_refused_by_whoever_reads_it() {
    let said =
        |text: &str| refused(&format!("dialplan: 1\nstart: a\nsteps:\n  a: {{ say: {{ text: {text}, go: $end }} }}\n"));
    let deep = |open: &str, close: &str, times: usize| format!("{}x{}", open.repeat(times), close.repeat(times));
    assert!(refused(&format!("dialplan: {}\n", deep("[", "]", 5_000))).contains("nested deeper than 32 levels"));
    let found = said(&format!("\"{{{{ {} }}}}\"", deep("(", ")", 2_000)));
    assert!(found.starts_with("plan.yaml:4:"), "{found:.300}");
    let found = said(&format!("'{}'", deep("<prosody rate=\"slow\">", "</prosody>", 2_000)));
    assert!(found.starts_with("plan.yaml:4:"), "{found:.300}");
    let condition = |text: &str| {
        refused(&format!(
            "dialplan: 1\nstart: a\nsteps:\n  a: {{ branch: {{ when: [{{ if: \"{text}\", go: $end }}], else: $end }} }}\n"
        ))
    };
    let found = condition(&deep("(", ")", 900));
    assert!(found.contains("plan.yaml:4:31  this condition is nested deeper than 40 levels"), "{found:.300}");
    let found = condition(&"1 + ".repeat(1_000));
    assert!(found.contains("plan.yaml:4:31  this condition is longer than 2000 bytes"), "{found:.300}");
    let found = condition(&format!("{}1", "!".repeat(1_000)));
    assert!(found.starts_with("plan.yaml:4:31  "), "{found:.300}");
}

#[test]
fn a_text_that_fails_in_a_call_is_spoken_without_its_braces_and_the_log_says_why() {
    let plan = "dialplan: 1\nstart: a\nsteps:\n\
        \x20 a: { set: { values: { total: \"seven\", list: \"= [1, 2]\" }, go: b } }\n\
        \x20 b: { say: { text: \"You owe {{ total.first() }} dollars.\", go: c } }\n\
        \x20 c: { say: { text: \"Round{% for a in range(9999) %}{% for b in range(9999) %} and{% endfor %}{% endfor %} round.\", go: d } }\n\
        \x20 d: { say: { text: \"{{ 'word ' * 9000 }}\", go: e } }\n\
        \x20 e: { say: { text: \"{{ 1 / 0 }} and {{ list[9].x }} on.\", go: f } }\n\
        \x20 f: { hangup: { text: \"Goodbye {{ total | round }}.\", result: done } }\n";
    let (said, faults, record) = call(loaded(plan).plan, &[]);
    let said = said.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(said, "You owe dollars. Round and round. and on. Goodbye .");
    let steps: Vec<&str> = faults.iter().map(|fault| fault.split(':').next().expect("a step")).collect();
    assert_eq!(steps, ["b", "c", "d", "e", "f"], "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.contains("seven")), "no value in a log: {faults:#?}");
    assert!(matches!(record.end, CallEnd::Completed));
}

#[test]
fn a_condition_that_fails_or_never_ends_takes_the_other_way_and_the_log_says_why() {
    let list = format!("[{}]", vec!["1"; 90].join(","));
    let bomb = format!("{list}.all(a, {list}.all(b, {list}.all(c, {list}.all(d, d == 1))))");
    let plan = format!(
        "dialplan: 1\nstart: a\nsteps:\n\
         \x20 a: {{ set: {{ values: {{ said: \"gold\", prices: \"= {{'silver': 1}}\" }}, go: b }} }}\n\
         \x20 b: {{ branch: {{ when: [{{ if: \"{bomb}\", go: wrong }}], else: c }} }}\n\
         \x20 c: {{ branch: {{ when: [{{ if: \"prices[said] > 0\", go: wrong }}], else: d }} }}\n\
         \x20 d: {{ branch: {{ when: [{{ if: \"said\", go: wrong }}], else: e }} }}\n\
         \x20 e: {{ set: {{ values: {{ x: \"= 1 / 0\" }}, go: bye }} }}\n\
         \x20 bye: {{ hangup: {{ text: Goodbye., result: done }} }}\n\
         \x20 wrong: {{ hangup: {{ result: wrong }} }}\n"
    );
    let (said, faults, record) = timed("four lists in each other", || call(loaded(&plan).plan, &[]));
    assert_eq!((said.join(" ").as_str(), record.result.as_deref()), ("Goodbye.", Some("done")));
    assert_eq!(faults.len(), 4, "{faults:#?}");
    assert!(faults[0].contains("more than 20000 items to look at"), "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.contains("gold")), "no value in a log: {faults:#?}");
}

#[test]
fn grammars_that_explode_are_refused_or_give_up_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = |grammar: &str| {
        std::fs::write(folder.path().join("g.abnf"), grammar).expect("a file");
        let text = "dialplan: 1\nstart: a\nsteps:\n  a: { ask: { prompt: \"What?\", grammar: g.abnf, slot: it_was, tries: { max: 2, go: bye }, go: bye } }\n\
                    \x20 bye: { hangup: { text: Goodbye., result: done } }\n";
        std::fs::write(folder.path().join("plan.yaml"), text).expect("a file");
        load(&folder.path().join("plan.yaml"))
    };
    let head = "#ABNF 1.0 UTF-8;\nlanguage en-US;\nroot $r;\n";
    for (what, rules, line) in [
        ("itself and nothing else", "$r = $r;\n", 4),
        ("a word a million times", "$r = a <1000000>;\n", 4),
        ("repeats of repeats", "$r = (((((a <0-99>) <0-99>) <0-99>) <0-99>) <0-99>) <0-99>;\n", 4),
        ("a rule nobody wrote", "$r = $s;\n", 4),
    ] {
        match timed(what, || plan(&format!("{head}{rules}"))) {
            Ok(_) => println!("  {what} is taken"),
            Err(found) => {
                let found = found.to_string().replace(&format!("{}/", folder.path().display()), "");
                assert!(found.contains(&format!("g.abnf:{line}:")), "{what}: {found}");
            }
        }
    }
    let words = vec!["a"; 70].join(" ");
    for (what, rules) in [
        ("every split of every split", "$r = $r $r | a | a | [a] a;\n"),
        ("nothing, over and over", "$r = ([a] [a] [a] [a]) <0-> ;\n"),
        (
            "rules that double",
            "$r = $a $a | $a;\n$a = $b $b | $b;\n$b = $c $c | $c;\n$c = $d $d | $d;\n$d = a | a a | a a a;\n",
        ),
    ] {
        let Ok(loaded) = plan(&format!("{head}{rules}")) else {
            println!("  {what} is refused");
            continue;
        };
        let (_, _, record) = timed(what, || call(loaded.plan, &[&words, &words]));
        assert_eq!(record.result.as_deref(), Some("done"), "{what}");
    }
}

#[test]
fn callers_who_say_everything_nothing_or_only_swear_are_led_on() {
    let plan = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/bank-main.yaml")).expect("it ships").plan;
    let everything =
        "balance payment lost card opening hours operator yes no repeat back one two three four five ".repeat(8);
    let swearing =
        ["damn it", "what the hell is this bloody machine", "you stupid piece of crap", "oh for fuck's sake"];
    let silence = [""; 12];
    let noise = ["¡¿…!?", "\u{0}\u{1}\u{7f}", "🙂🙂🙂", "{{ name }}", "<speak>", "   "];
    for (what, answers) in [
        ("everything", vec![everything.as_str(); 12]),
        ("nothing", silence.to_vec()),
        ("curses", swearing.iter().copied().cycle().take(12).collect()),
        ("no words", noise.to_vec()),
    ] {
        let (said, faults, record) = timed(what, || call(plan.clone(), &answers));
        assert!(faults.is_empty() && said.len() > 1, "{what}: {faults:?}");
        assert!(matches!(record.end, CallEnd::Completed), "{what}: {:?}", record.end);
        assert!(record.result.is_some(), "{what}: the plan says how it ended");
    }
}
