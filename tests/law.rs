//! The rule packs that ship.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use trunkline::law::decide::{Act, CLOCKS, Ruling, decide};
use trunkline::law::facts::{Basis, CallerId, Consent, History, Lead, Purpose, Zone};
use trunkline::law::pack::{Pack, Packs};
use trunkline::law::read::load;
use trunkline::pii::Pii;
use trunkline::routing::region::LineType;

const FOLDER: &str = "dialplans/rules";

fn shipped() -> Vec<Pack> {
    let mut files: Vec<_> = fs::read_dir(FOLDER).expect("the packs are there").flatten().map(|e| e.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
        .iter()
        .map(|file| match load(file) {
            Ok(pack) => {
                assert_eq!(file.file_stem().and_then(|stem| stem.to_str()), Some(pack.name.as_str()), "{file:?}");
                pack
            }
            Err(faults) => panic!("{faults}"),
        })
        .collect()
}

#[test]
fn every_pack_is_sound_and_called_like_its_file() {
    let names: Vec<String> = shipped().into_iter().map(|pack| pack.name).collect();
    assert_eq!(names, ["cn-gbt45251", "eu-ai-act", "house", "uk-ofcom", "us-regf", "us-tcpa"]);
}

/// Runs a program and returns what it said; panics when it fails.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
fn ten_thousand_decisions_are_judged_by_a_second_reading_of_the_law() {
    let folder = tempfile::tempdir().expect("a folder");
    for seed in ["7", "8"] {
        let export = folder.path().join(seed);
        let mut prove = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        prove.args(["campaign", "prove", "--decisions", "10000", "--seed", seed, "--export"]).arg(&export);
        let said = done(&mut prove);
        assert!(said.starts_with("10000 decisions: "), "{said}");
        let judged = done(Command::new("scripts/oracle").arg(&export));
        assert!(judged.contains("violations"), "{judged}");
    }
}

#[test]
fn the_second_reading_can_say_no() {
    done(Command::new("scripts/oracle").arg("--self-test"));
    let folder = tempfile::tempdir().expect("a folder");
    let (rules, export) = (folder.path().join("rules"), folder.path().join("world"));
    fs::create_dir(&rules).expect("a folder");
    for entry in fs::read_dir(FOLDER).expect("the packs").flatten() {
        fs::copy(entry.path(), rules.join(entry.file_name())).expect("a copy");
    }
    let milder = fs::read_to_string(rules.join("cn-gbt45251.yaml")).expect("the pack").replace("22:00", "23:00");
    fs::write(rules.join("cn-gbt45251.yaml"), milder).expect("written");
    let mut prove = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    prove.args(["campaign", "prove", "--decisions", "30000", "--export"]).arg(&export).arg("--rules").arg(&rules);
    done(&mut prove);
    let judged = Command::new("scripts/oracle").arg(&export).output().expect("it runs");
    assert_eq!(judged.status.code(), Some(1), "an hour more a day is noticed");
}

#[test]
fn a_pack_with_a_typo_stops_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = fs::read_to_string("dialplans/rules/house.yaml")
        .expect("the pack")
        .replace("within: 7 days", "whithin: 7 days");
    fs::write(folder.path().join("house.yaml"), broken).expect("written");
    let mut prove = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    let output = prove.args(["campaign", "prove", "--rules"]).arg(folder.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean `within`?"), "{said}");
}

#[test]
fn the_house_rests_at_christmas_wherever_people_live() {
    let zone = Zone::named("Europe/Berlin").expect("a zone");
    let at = |text: &str| zone.rules().to_timestamp(text.parse().expect("a moment")).expect("in range");
    let lead = Lead {
        number: Pii::new("+4930123456".to_owned()),
        country: "DE".to_owned(),
        state: None,
        line: LineType::Fixed,
        zones: vec![zone.clone()],
        purpose: Purpose::Survey,
        debt: None,
        consent: Some(Consent {
            basis: Basis::Written,
            evidence: Pii::new("form 1".to_owned()),
            given_at: at("2026-01-05T10:00"),
            revoked_at: None,
            expires_at: None,
        }),
        caller_id: CallerId { number: "+4930999999".to_owned(), owned: true },
        longest: SignedDuration::from_mins(5),
        person_reserved: true,
    };
    let packs = Packs::new(shipped().into_iter().filter(|pack| pack.name == "house").collect());
    let asked = |now| {
        let history = History {
            read_at: now,
            complete_since: Timestamp::MIN,
            contacts: Vec::new(),
            closed: Vec::new(),
            caller_id_shown: Vec::new(),
            abandoned: Vec::new(),
        };
        decide(Act::Call, &lead, &history, &packs, now).ruling
    };
    assert_eq!(asked(at("2026-12-23T12:00")), Ruling::Allow);
    let back = Ruling::NotBefore(at("2026-12-27T09:00") + CLOCKS);
    for day in ["2026-12-24T12:00", "2026-12-25T12:00", "2026-12-26T12:00"] {
        assert_eq!(asked(at(day)), back, "{day}");
    }
    assert_eq!(asked(at("2027-01-01T12:00")), Ruling::NotBefore(at("2027-01-02T09:00") + CLOCKS));
}

#[test]
fn the_readme_says_that_counsel_must_review_them() {
    let readme = fs::read_to_string(Path::new(FOLDER).join("README.md")).expect("there is a README");
    assert!(readme.contains("counsel"), "it must say so plainly");
    for pack in shipped() {
        assert!(readme.contains(&format!("`{}`", pack.name)), "{} is not in the table", pack.name);
    }
}
