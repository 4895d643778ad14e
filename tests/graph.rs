//! Pictures of plans that people write: nothing stands on anything, the same plan is the same picture, and what callers
//! did is drawn from the store. `UPDATE=1` rewrites what is expected of the arrangement.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use trunkline::call::record::CallRecord;
use trunkline::dialplan::load::load;
use trunkline::graph::{Exit, Graph, Layout, Traffic, dot, layout, mermaid, svg};
use trunkline::id::CallId;
use trunkline::rtp::Digit;
use trunkline::simulate::conversation::{Caller, Conversation};
use trunkline::store::sqlite::SqliteStore;
use trunkline::store::{DATABASE_FILE, Store as _};

const PLANS: [&str; 3] = ["tests/graph/energy.yaml", "dialplans/bank-main.yaml", "dialplans/collect-reminder.yaml"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn graph_of(path: &str) -> Graph {
    Graph::of(&load(&root(path)).unwrap_or_else(|found| panic!("{found}")).plan)
}

/// Columns from left to right, boxes from top to bottom, ways as they are drawn.
fn arrangement(graph: &Graph, places: &Layout) -> String {
    let mut order: Vec<usize> = (0..graph.nodes.len()).collect();
    order.sort_by(|one, other| {
        let [one, other] = [one, other].map(|place| &places.boxes[*place]);
        one.x.total_cmp(&other.x).then(one.y.total_cmp(&other.y))
    });
    let mut out = String::new();
    let mut column = f64::NAN;
    for place in order {
        if places.boxes[place].x != column {
            column = places.boxes[place].x;
            let _ = writeln!(out, "---");
        }
        let node = &graph.nodes[place];
        let begins = if place == graph.start { "▶ " } else { "" };
        let _ = writeln!(out, "{begins}{} ({})", node.name, node.word);
        for row in &node.rows {
            let to = match row.exit {
                Exit::Line(to) => format!("── {}", graph.nodes[to].name),
                Exit::Named(to) => format!("↪ {}", graph.nodes[to].name),
                Exit::End => "⏹".to_owned(),
            };
            let _ = writeln!(out, "    {} {to}", row.labels.join(", "));
        }
    }
    out
}

#[test]
fn plans_that_people_write_are_arranged_as_expected_and_alike_every_time() {
    for plan in PLANS {
        let graph = graph_of(plan);
        let places = layout(&graph, false);
        assert_eq!(places, layout(&graph_of(plan), false), "{plan} is arranged alike");
        assert_eq!(svg(&graph, &places, None), svg(&graph, &layout(&graph, false), None), "{plan} is drawn alike");
        let arranged = arrangement(&graph, &places);
        let stem = Path::new(plan).file_stem().expect("a name").to_string_lossy().into_owned();
        let file = root(&format!("tests/graph/{stem}.expected"));
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(&file, &arranged).expect("the repository can be written");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(arranged == expected, "{plan} is arranged otherwise; look at it, then UPDATE=1\n{arranged}");
        for text in [dot(&graph), mermaid(&graph)] {
            assert!(graph.nodes.iter().all(|node| text.contains(&node.name)), "{plan}");
        }
    }
    assert!(graph_of(PLANS[0]).nodes.len() >= 60);
}

#[test]
fn nothing_stands_on_anything_and_no_line_runs_through_a_box() {
    for (plan, figures) in PLANS.iter().flat_map(|plan| [(plan, false), (plan, true)]) {
        let graph = graph_of(plan);
        let places = layout(&graph, figures);
        for (place, one) in places.boxes.iter().enumerate() {
            assert!(one.x >= 0.0 && one.x + one.width <= places.width && one.y + one.height <= places.height, "{plan}");
            for other in &places.boxes[place + 1..] {
                let apart = one.x >= other.x + other.width
                    || other.x >= one.x + one.width
                    || one.y >= other.y + other.height
                    || other.y >= one.y + one.height;
                assert!(apart, "{plan}: {one:?} {other:?}");
            }
        }
        for wire in &places.wires {
            for pair in wire.points.windows(2) {
                let [(from, high), (to, low)] = pair else { panic!("two points") };
                let ends = [wire.from.0, wire.to];
                for (place, placed) in places.boxes.iter().enumerate().filter(|(place, _)| !ends.contains(place)) {
                    // Lines bend between the columns, and are level within one.
                    let beside = *to <= placed.x + 0.5 || *from >= placed.x + placed.width - 0.5;
                    let past = high.max(*low) <= placed.y || high.min(*low) >= placed.y + placed.height;
                    assert!(beside || past, "{plan}: a line runs through {}", graph.nodes[place].name);
                }
            }
        }
    }
}

/// One call to the bank: these keys, one at each question, and then silence or, where asked for, a hang-up.
fn call(number: u128, keys: &str, hangs_up: bool) -> CallRecord {
    let plan = load(&root(PLANS[1])).expect("it ships").plan;
    let mut call = Conversation::begin(plan, &Caller::default());
    for word in keys.split_whitespace() {
        call.until_listening();
        let keys: Vec<Digit> = word.chars().map(|key| Digit::new(key).expect("a key")).collect();
        call.press(&keys);
    }
    call.until_listening();
    if hangs_up {
        call.hang_up();
    }
    call.to_the_end();
    let record = call.record().expect("a record").clone();
    CallRecord { id: CallId::new(record.arrived_at, number), ..record }
}

#[test]
fn what_callers_did_is_read_from_the_store_and_stands_in_the_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut calls = Vec::new();
    for (keys, hangs_up, times) in
        [("1 4711 2", false, 12), ("1", true, 5), ("3 2", false, 8), ("0", false, 3), ("", true, 4)]
    {
        calls.extend((0..times).map(|_| (keys, hangs_up)));
    }
    let records: Vec<CallRecord> =
        calls.iter().enumerate().map(|(number, (keys, hangs_up))| call(number as u128, keys, *hangs_up)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(&folder.path().join(DATABASE_FILE)).await.expect("a store");
        store.save(&records).await.expect("it is kept");
        store.close().await;
    });
    let graph = graph_of(PLANS[1]);
    let traffic = Traffic::of(&graph, records);
    let step = |name: &str| traffic.step(name).unwrap_or_else(|| panic!("nobody came to {name}")).clone();
    assert_eq!((traffic.calls, traffic.other_versions), (32, 0));
    assert_eq!((step("welcome").entered, step("main").entered, step("balance").entered), (32, 32, 17));
    assert_eq!((step("main").left, step("balance").left, step("more").left), (4, 5, 0));
    assert_eq!((step("balance_answer").entered, step("lost").entered, step("human").entered), (12, 8, 3));
    assert!(step("main").median_s.is_some_and(|seconds| seconds > 1.0), "{:?}", step("main"));
    let main = graph.nodes.iter().find(|node| node.name == "main").expect("a menu");
    let gone = |label: &str| {
        let row = main.rows.iter().find(|row| row.labels.iter().any(|one| one.ends_with(label))).expect("a way");
        traffic.way(main, row, &graph)
    };
    assert_eq!((gone("balance"), gone("lost"), gone("hours")), (17, 8, 0));

    let picture = folder.path().join("bank.svg");
    let out = Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(["graph", "--calls", "--since", "2020-01-01"])
        .args([Path::new("--data"), folder.path(), Path::new("-o"), &picture, &root(PLANS[1])])
        .output()
        .expect("the program is built");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let drawn = std::fs::read_to_string(&picture).expect("a picture");
    assert_eq!(drawn, svg(&graph, &layout(&graph, true), Some(&traffic)), "the command draws what the store has");
    for text in ["32 calls", "17 came", "5 left (29 %)", "4 left (12 %)", "nobody came here"] {
        assert!(drawn.contains(text), "{text}");
    }
    if let Some(folder) = std::env::var_os("TRUNKLINE_PICTURES") {
        std::fs::copy(&picture, Path::new(&folder).join("bank-calls.svg")).expect("a copy");
    }
}
