//! Dial plans with what they include and run: compiled, or refused with findings that can be shown. What was compiled is
//! drawn, and takes a call to its end.
//!
//! The first part of the input is the plan; behind every line `%% NAME` follows another file of its folder.

#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use trunkline::dialplan::load::load_kept;
use trunkline::graph::{self, Graph};
use trunkline::rtp::Digit;
use trunkline::simulate::conversation::{Caller, Conversation};

fuzz_target!(|text: &str| {
    let folder = Path::new("/nowhere");
    let mut parts = text.split("\n%% ");
    let plan = folder.join("fuzz.yaml");
    let mut texts: Vec<(PathBuf, String)> = vec![(plan.clone(), parts.next().unwrap_or("").to_owned())];
    texts.extend(parts.map(|part| {
        let (name, text) = part.split_once('\n').unwrap_or((part, ""));
        (folder.join(name), text.to_owned())
    }));
    let loaded = match load_kept(&plan, texts) {
        Ok(loaded) => loaded,
        Err(findings) => return assert!(!findings.to_string().is_empty(), "a refusal says why"),
    };
    drop(loaded.warnings.to_string());
    let again = load_kept(&plan, loaded.texts.clone()).expect("what a plan was read from makes a plan");
    assert_eq!(again.plan.version, loaded.plan.version, "and the same");
    let graph = Graph::of(&loaded.plan);
    let places = graph::layout(&graph, false);
    assert_eq!(places.boxes.len(), graph.nodes.len(), "every step has its place");
    drop(graph::svg(&graph, &places, None));
    let mut call = Conversation::begin(loaded.plan, &Caller::default());
    for turn in 0..12_usize {
        call.until_listening();
        if call.record().is_some() {
            return;
        }
        match turn % 3 {
            0 => call.press(&[Digit::new(char::from(b'1' + (text.len() + turn) as u8 % 4)).expect("a key")]),
            1 => call.say("yes two hundred dollars on friday", 0.8),
            _ => drop(call.wait_for_bot(std::time::Duration::from_secs(10))),
        }
    }
    call.hang_up();
    assert!(call.record().is_some(), "a call whose caller has gone is over");
});
