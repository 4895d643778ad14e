//! Dial plans that are edited, broken and put back while the gateway runs and calls are on the line.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::{LONG_ENOUGH, NUMBER};

/// A gateway that runs a copy of the quick plan, which may be edited.
struct Edited {
    gateway: Gateway,
    plan: PathBuf,
    _folder: tempfile::TempDir,
}

impl Edited {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = folder.path().join("quick.yaml");
        fs::copy("tests/gateway/quick.yaml", &plan).expect("a copy");
        let top = "[ops]\nlisten = \"127.0.0.1:0\"\n";
        let gateway = Gateway::start(Settings { plan: plan.clone(), top, ..Settings::default() });
        Self { gateway, plan, _folder: folder }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.plan).expect("the plan")
    }

    /// As editors save: a new file in the place of the old one.
    fn save(&self, text: &str) {
        let beside = self.plan.with_extension("new");
        fs::write(&beside, text).expect("it is written");
        fs::rename(&beside, &self.plan).expect("and put in place");
    }

    fn saying(&self, done: &str) -> String {
        self.text().replace("text: \"Done.\"", &format!("text: \"{done}\""))
    }

    /// What `trunkline plans` says of the plan.
    fn told(&self) -> Value {
        let told = self.gateway.run(&["plans", "--json"]);
        let told: Value = serde_json::from_slice(&told.stdout).expect("it prints JSON");
        told["plans"][0].clone()
    }

    fn version(&self) -> String {
        self.told()["version"].as_str().expect("a version").to_owned()
    }

    /// Waits until that holds; how long it took.
    fn wait_until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            let told = self.told();
            if holds(&told) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < LONG_ENOUGH, "{what}: {told:#}\n{}", self.gateway.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for_another_than(&self, version: &str) -> Duration {
        self.wait_until("another version", |told| told["version"] != version)
    }

    /// A call of its own: what it is told at its end, and under which version.
    fn call(&self, so_far: usize) -> (String, String) {
        let mut caller = Caller::dial(&self.gateway, NUMBER);
        caller.press_all("2");
        caller.stay_silent();
        last_words(&self.gateway.wait_for_records(so_far + 1)[so_far])
    }
}

fn last_words(record: &Value) -> (String, String) {
    let prompt = record["prompts"].as_array().and_then(|prompts| prompts.last()).expect("something was said");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&prompt["text"]), text(&record["plan_version"]))
}

#[test]
fn an_edit_is_heard_by_the_next_caller_and_not_by_the_one_on_the_line() {
    let edited = Edited::start();
    let old = edited.version();
    let mut first = Caller::dial(&edited.gateway, NUMBER);
    first.keep_silent(10);
    edited.save(&edited.saying("All done now."));
    let took = edited.wait_for_another_than(&old);
    println!("measured: an edited step was in force {} ms after it was saved", took.as_millis());
    let told = edited.told();
    assert_eq!((&told["calls"], &told["earlier"][0]["calls"]), (&0.into(), &1.into()), "{told:#}");
    let mut second = Caller::dial(&edited.gateway, NUMBER);
    second.press_all("2");
    second.stay_silent();
    let ended = edited.gateway.wait_for_records(1);
    assert_eq!(last_words(&ended[0]), ("All done now.".to_owned(), edited.version()));
    first.press_all("2");
    first.stay_silent();
    let ended = edited.gateway.wait_for_records(2);
    let first =
        ended.iter().find(|record| record["plan_version"] == old.as_str()).expect("the first keeps its version");
    assert_eq!(last_words(first), ("Done.".to_owned(), old));
}

#[test]
fn a_broken_file_changes_no_call_and_is_told_where_people_look() {
    let edited = Edited::start();
    let (sound, old) = (edited.text(), edited.version());
    edited.save(&sound.replace("go: done", "go: dnoe"));
    edited.wait_until("a fault", |told| !told["fault"].is_null());
    assert_eq!(edited.call(0), ("Done.".to_owned(), old.clone()));
    let table = String::from_utf8(edited.gateway.run(&["plans"]).stdout).expect("text");
    assert!(table.contains("BROKEN since") && table.contains("there is no step `dnoe`"), "{table}");
    let reload = edited.gateway.run(&["plans", "reload"]);
    assert!(!reload.status.success(), "a person who asks for it hears that it is broken");
    let log = edited.gateway.log();
    assert!(log.contains("file is broken; this version stays in force") && log.contains("dnoe"), "{log}");
    let health = String::from_utf8(edited.gateway.run(&["doctor"]).stdout).expect("text");
    assert!(!health.contains("down"), "{health}");
    edited.save(&sound);
    edited.wait_until("no fault", |told| told["fault"].is_null());
    assert_eq!((edited.version(), edited.told()["earlier"].as_array().map(Vec::len)), (old.clone(), Some(0)));
    // Gone is broken too, and back is mended.
    fs::remove_file(&edited.plan).expect("it is removed");
    edited.wait_until("a fault", |told| !told["fault"].is_null());
    assert_eq!(edited.call(1).1, old);
    edited.save(&sound);
    edited.wait_until("no fault", |told| told["fault"].is_null());
}

#[test]
fn a_file_that_is_half_written_is_not_looked_at() {
    let edited = Edited::start();
    let (old, text) = (edited.version(), edited.saying("Written slowly."));
    // Cut where what there is makes a whole plan but for the steps that come later.
    let (head, tail) = text.split_at(text.find("  person:").expect("a step"));
    let mut file = File::create(&edited.plan).expect("emptied");
    for part in [&head[..head.len() / 2], &head[head.len() / 2..], tail] {
        std::thread::sleep(Duration::from_millis(250));
        file.write_all(part.as_bytes()).expect("written");
        file.flush().expect("written");
    }
    drop(file);
    edited.wait_for_another_than(&old);
    let (told, log) = (edited.told(), edited.gateway.log());
    assert_eq!(told["earlier"].as_array().map(Vec::len), Some(1), "one edit, one version: {told:#}");
    assert!(!log.contains("is broken"), "{log}");
    assert_eq!(edited.call(0).0, "Written slowly.");
}

#[test]
fn an_earlier_version_comes_back_stays_over_a_restart_and_goes_with_the_next_edit() {
    let mut edited = Edited::start();
    let old = edited.version();
    edited.save(&edited.saying("A mistake."));
    edited.wait_for_another_than(&old);
    let mistake = edited.version();
    let said = edited.gateway.run(&["plans", "rollback", "quick"]);
    let said = String::from_utf8(said.stdout).expect("text");
    assert!(said.contains(&format!("version {old} is in force instead of {mistake}")), "{said}");
    assert_eq!(edited.call(0), ("Done.".to_owned(), old.clone()));
    edited.gateway.signal("HUP");
    edited.gateway.run(&["plans", "reload"]);
    assert_eq!((edited.version(), edited.told()["put_aside"].as_str()), (old.clone(), Some(mistake.as_str())));
    edited.gateway.terminate();
    assert!(edited.gateway.wait_until_it_ends().success());
    edited.gateway.start_again();
    assert_eq!(edited.call(1), ("Done.".to_owned(), old.clone()), "it was put back before the restart");
    assert!(edited.gateway.run(&["plans", "rollback", "quick", &mistake[..6]]).status.success());
    assert_eq!(edited.call(2).0, "A mistake.", "it can be asked for, out of the data folder");
    assert!(edited.gateway.run(&["plans", "rollback", "quick", &old]).status.success());
    edited.save(&edited.text().replace("A mistake.", "A correction."));
    edited.wait_for_another_than(&old);
    assert_eq!(edited.call(3).0, "A correction.");
    let wrong = edited.gateway.run(&["plans", "rollback", "quick", "zz"]);
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("no version begins with zz"));
}

#[test]
fn a_gateway_that_starts_on_a_broken_file_serves_what_it_served_before() {
    let mut edited = Edited::start();
    let old = edited.version();
    edited.gateway.terminate();
    assert!(edited.gateway.wait_until_it_ends().success());
    edited.save("dialplan: 1\nsteps: [\n");
    edited.gateway.start_again();
    assert_eq!(edited.call(0), ("Done.".to_owned(), old));
    assert!(!edited.told()["fault"].is_null());
}

/// As Kubernetes hands out files: the plan is a link through a link, and only the inner one is swapped.
#[test]
fn a_link_that_is_swapped_is_an_edit() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string("tests/gateway/quick.yaml").expect("the plan");
    for (release, said) in [("one", "Done."), ("two", "From the second release.")] {
        fs::create_dir(folder.path().join(release)).expect("a folder");
        let text = text.replace("text: \"Done.\"", &format!("text: \"{said}\""));
        fs::write(folder.path().join(release).join("quick.yaml"), text).expect("it is written");
    }
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name)).expect("a link");
    link("one", "..data");
    link("..data/quick.yaml", "quick.yaml");
    let plan = folder.path().join("served");
    std::os::unix::fs::symlink(folder.path(), &plan).expect("a link");
    let gateway = Gateway::start(Settings { plan: plan.join("quick.yaml"), ..Settings::default() });
    link("two", "..new");
    fs::rename(folder.path().join("..new"), folder.path().join("..data")).expect("swapped");
    let edited = Edited { gateway, plan, _folder: folder };
    edited.wait_until("the second release", |told| told["earlier"][0].is_object());
    assert_eq!(edited.call(0).0, "From the second release.");
}

#[test]
fn a_new_recording_under_the_same_name_is_an_edit_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("quick.yaml");
    let text = fs::read_to_string("tests/gateway/quick.yaml").expect("the plan");
    let text = text.replace("text: \"Done.\"", "text: \"Done.\", file: done.wav");
    tone(&folder.path().join("done.wav"), 4_000);
    fs::write(&plan, text).expect("it is written");
    let gateway = Gateway::start(Settings { plan: plan.clone(), ..Settings::default() });
    let edited = Edited { gateway, plan, _folder: folder };
    let old = edited.version();
    tone(&edited.plan.with_file_name("done.wav"), 8_000);
    edited.wait_for_another_than(&old);
    edited.call(0);
    let record = edited.gateway.record();
    let length = record["prompts"].as_array().and_then(|all| all.last()).expect("prompts")["total_ms"].as_u64();
    assert!(length > Some(900), "the new one is played: {record:#}");
}

/// So many samples of a square wave, at 8 kHz.
fn tone(path: &Path, samples: usize) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("a file");
    for sample in 0..samples {
        wav.write_sample(if sample / 10 % 2 == 0 { 8_000_i16 } else { -8_000 }).expect("written");
    }
    wav.finalize().expect("whole");
}
