//! The import order of ARCHITECTURE.md, read from the `use` lines and paths of the source itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Floors of the house, lowest first. A room may use rooms on its own floor and below, never above.
const FLOORS: &[&[&str]] = &[
    &["id", "time", "pii", "language", "files", "value"],
    &["audio", "grammar", "spoken", "understand", "rtp", "sdp", "knowledge", "routing"],
    &["sip", "media", "speech", "dialplan", "lookup", "law"],
    &["call", "agents"],
    &["store", "simulate", "campaign", "import", "graph", "config", "observe"],
    &["app", "cli"],
];

/// Rooms on one floor that must not know each other at all: SIP and media meet only in `call`, and the plan
/// knows neither the wire nor the engines.
const STRANGERS: &[(&str, &str)] = &[
    ("sip", "media"),
    ("media", "sip"),
    ("sip", "dialplan"),
    ("sip", "speech"),
    ("speech", "sip"),
    ("speech", "dialplan"),
    ("media", "dialplan"),
    ("media", "speech"),
    ("dialplan", "sip"),
    ("dialplan", "speech"),
    ("dialplan", "law"),
];

#[test]
fn rooms_import_only_their_own_floor_and_below() {
    let floor_of: BTreeMap<&str, usize> =
        FLOORS.iter().enumerate().flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor))).collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in rust_files(Path::new("src")) {
        let room = room_of(&file);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(floor) = floor_of.get(room.as_str()) else {
            wrong.push(format!("{}: room `{room}` is on no floor; add it to tests/architecture.rs", file.display()));
            continue;
        };
        let text = fs::read_to_string(&file).expect("source files are readable");
        for (line, used) in crate_paths(&text) {
            let Some(used_floor) = floor_of.get(used.as_str()) else { continue };
            seen += 1;
            if used_floor > floor {
                wrong.push(format!("{}:{line}: `{room}` reaches up to `{used}`", file.display()));
            }
            if STRANGERS.contains(&(room.as_str(), used.as_str())) {
                wrong.push(format!("{}:{line}: `{room}` must not know `{used}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports point down the house:\n{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} imports were found: the reader of `use` lines is broken");
}

/// ARCHITECTURE.md draws the same house: a row for each floor, with its rooms in backticks.
#[test]
fn the_house_is_drawn_as_it_stands() {
    let text = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md is readable");
    for (floor, rooms) in FLOORS.iter().enumerate() {
        let begins = format!("| {} | ", floor + 1);
        let row = text.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("no row `{begins}`"));
        let drawn: BTreeSet<&str> = row.split('`').skip(1).step_by(2).collect();
        assert_eq!(drawn, rooms.iter().copied().collect(), "floor {}", floor + 1);
    }
}

/// A file past 600 lines of product code holds a second idea (tests at its end do not count).
#[test]
fn no_file_grows_into_a_monster() {
    let mut wrong = Vec::new();
    for file in rust_files(Path::new("src")) {
        if file.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("source files are readable");
        let product = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        if product > 600 {
            wrong.push(format!("{}: {product} lines before its tests", file.display()));
        }
    }
    assert!(wrong.is_empty(), "look for the second idea inside:\n{}", wrong.join("\n"));
}

/// Sockets, threads and clocks live in drivers (and in the command line, which is one).
#[test]
fn cores_own_no_socket_and_no_thread() {
    let drivers = ["driver.rs", "recorder.rs", "writer.rs", "app.rs", "control.rs", "observe.rs"];
    let wanted =
        ["UdpSocket", "TcpListener", "TcpStream", "UnixListener", "thread::spawn", "thread::Builder", "tokio::spawn"];
    let mut wrong = Vec::new();
    for file in rust_files(Path::new("src")) {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if drivers.contains(&name)
            || room_of(&file) == "cli"
            || file.components().any(|part| part.as_os_str() == "driver")
        {
            continue;
        }
        let text = fs::read_to_string(&file).expect("source files are readable");
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (line, code) in product.lines().enumerate() {
            let code = code.split("//").next().unwrap_or_default();
            if let Some(found) = wanted.iter().find(|word| code.contains(**word)) {
                wrong.push(format!("{}:{}: `{found}` outside a driver", file.display(), line + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("src is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `src/media/vad.rs` → `media`, `src/pii.rs` → `pii`.
fn room_of(file: &Path) -> String {
    let first = file.components().nth(1).expect("files lie under src").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Every `crate::ROOM` of the product part of a file with its line, one per member of a `crate::{…}` group.
fn crate_paths(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    for (line, code) in product.lines().enumerate() {
        let code = code.split("//").next().unwrap_or_default();
        for piece in code.split("crate::").skip(1) {
            if let Some(group) = piece.strip_prefix('{') {
                found.extend(group.split([',', '}']).map(|name| (line + 1, word(name.trim()))));
            } else {
                found.push((line + 1, word(piece)));
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// The tables are how a reader finds where a fault or a wish of a far end is tested: a renamed test must not get lost.
#[test]
fn every_test_that_the_readmes_name_exists() {
    let readme: String = ["tests/README.md", "tests/peers/README.md"]
        .map(|file| fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}")))
        .concat();
    let mut files = rust_files(Path::new("src"));
    files.extend(rust_files(Path::new("tests")));
    let code: String = files.iter().map(|file| fs::read_to_string(file).expect("source files are readable")).collect();
    let quoted =
        readme.lines().filter(|line| line.starts_with("| ")).flat_map(|line| line.split('`').skip(1).step_by(2));
    let names: Vec<&str> = quoted
        .map(|quote| quote.rsplit("::").next().unwrap_or(quote))
        .filter(|name| {
            name.matches('_').count() >= 3 && name.chars().all(|letter| letter.is_lowercase() || letter == '_')
        })
        .collect();
    let lost: Vec<_> = names.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(lost.is_empty(), "the tables name tests that are not there: {lost:#?}");
    assert!(names.len() > 100, "only {} names were found: the reader of the table is broken", names.len());
}

/// Every target is built and run by its name in fuzz/Cargo.toml, and docs/fuzzing.md says what it feeds.
#[test]
fn every_fuzz_target_is_declared_and_described() {
    let manifest = fs::read_to_string("fuzz/Cargo.toml").expect("the manifest is readable");
    let described = fs::read_to_string("docs/fuzzing.md").expect("docs/fuzzing.md is readable");
    let files = fs::read_dir("fuzz/fuzz_targets").expect("there are targets").flatten().map(|entry| entry.path());
    let names: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
        assert!(described.contains(&format!("| `{name}` |")), "{name} is not in docs/fuzzing.md");
    }
    assert!(names.len() >= 20, "only {names:?} were found");
}
