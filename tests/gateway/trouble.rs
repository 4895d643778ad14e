//! Trouble on our own side: plans, prompts, disks and databases that fail. The caller must not pay for it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::NUMBER;
use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::sound::{found, spoken};

/// A call that is served by key.
fn served(gateway: &Gateway) {
    let mut caller = Caller::dial(gateway, NUMBER);
    caller.keep_silent(20);
    caller.press_all("2");
    caller.stay_silent();
}

#[test]
fn a_recording_that_cannot_be_written_costs_the_caller_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_the_way = folder.path().join("a-file");
    fs::write(&in_the_way, "not a folder").expect("a file");
    let gateway = Gateway::start(Settings { recordings: Some(in_the_way.join("recordings")), ..Settings::default() });
    served(&gateway);
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}");
    assert_eq!(record["media"]["recording"]["state"], "failed", "{record:#}");
    assert!(gateway.log().contains("ERROR"), "an alarm is raised:\n{}", gateway.log());
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(small) = SmallDisk::mount(folder.path().join("small")) else { return };
    let gateway = Gateway::start(Settings { recordings: Some(small.0.clone()), ..Settings::default() });
    served(&gateway);
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}");
    assert_eq!(record["media"]["recording"]["state"], "failed", "{record:#}");
    let left = files_in(&small.0);
    assert!(left.is_empty(), "nothing half-written may look whole: {left:?}");
    assert!(gateway.log().contains("ERROR"), "an alarm is raised:\n{}", gateway.log());
}

#[test]
fn a_locked_database_delays_the_record_and_loses_nothing() {
    let mut gateway = Gateway::start(Settings::default());
    let lock = Lock::on(&gateway.data.path().join("trunkline.db"));
    served(&gateway);
    // The call is over and its record cannot be stored: it waits in a file, and an alarm says so.
    let unsaved = gateway.data.path().join("unsaved");
    while files_in(&unsaved).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(gateway.is_running());
    }
    assert!(gateway.log().contains("ERROR"), "an alarm is raised:\n{}", gateway.log());
    lock.release();
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}");
    assert!(files_in(&unsaved).is_empty(), "it waits no longer");
}

#[test]
fn a_record_that_found_the_database_locked_until_the_end_is_stored_at_the_next_start() {
    let mut gateway = Gateway::start(Settings::default());
    let lock = Lock::on(&gateway.data.path().join("trunkline.db"));
    served(&gateway);
    gateway.terminate();
    assert!(gateway.wait_until_it_ends().success(), "{}", gateway.log());
    lock.release();
    assert_eq!(files_in(&gateway.data.path().join("unsaved")).len(), 1, "{}", gateway.log());
    gateway.start_again();
    assert_eq!(gateway.record()["result"], "served");
}

#[test]
fn a_broken_plan_keeps_the_gateway_from_starting_and_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("broken.yaml");
    fs::write(&plan, "dialplan: 1\nname: broken\nlanguages: [en-US]\nstart: nowhere\nsteps:\n  here:\n    hangup: { text: \"Bye.\" }\n")
        .expect("written");
    let output = serve_once(folder.path(), &plan);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("broken.yaml:4") && said.contains("nowhere"), "{said}");
}

/// `check` says where, and so does `serve`, which does not start on half a plan.
#[test]
fn a_recorded_prompt_that_is_missing_or_no_sound_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("recorded.yaml");
    let text = "dialplan: 1\nstart: hello\nsteps:\n  hello:\n    say:\n      text: Hello.\n      file: hello.wav\n      go: $end\n";
    fs::write(&plan, text).expect("written");
    let rows = [
        (None, "does not exist"),
        (Some(&b"RIFF\x24\0\0\0WAVEfmt nonsense"[..]), "cannot be read"),
        (Some(&b""[..]), "cannot be read"),
    ];
    for (bytes, _expected) in rows {
        if let Some(bytes) = bytes {
            fs::write(folder.path().join("hello.wav"), bytes).expect("written");
        }
        let checked = Command::new(env!("CARGO_BIN_EXE_trunkline")).arg("check").arg(&plan).output().expect("it runs");
        let served = serve_once(folder.path(), &plan);
        for (output, said) in [(&checked, &checked.stdout), (&served, &served.stderr)] {
            let said = String::from_utf8_lossy(said);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("recorded.yaml:7") && said.contains("hello.wav"), "{said}");
        }
    }
}

#[test]
fn a_recorded_prompt_that_disappears_while_the_gateway_runs_is_still_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("recorded.yaml");
    let file = folder.path().join("hello.wav");
    let text = "dialplan: 1\nstart: hello\nsteps:\n  hello: { say: { text: Hello., file: hello.wav, protected: true, go: $end } }\n";
    fs::write(&plan, text).expect("written");
    let sound = spoken("kal16", "Good morning, and welcome to the house of the recorded voice.");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&file, spec).expect("a file");
    sound.iter().for_each(|&sample| wav.write_sample(sample).expect("a sample is written"));
    wav.finalize().expect("the file is whole");
    let gateway = Gateway::start(Settings { plan, ..Settings::default() });
    fs::remove_file(&file).expect("it goes");
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.stay_silent();
    let heard = found(&sound, &caller.heard());
    assert!(heard >= 0.99, "heard with a correlation of {heard}");
}

/// `trunkline serve` on a plan that must keep it from starting.
fn serve_once(folder: &Path, plan: &Path) -> Output {
    let config = folder.join("trunkline.toml");
    let data = folder.join("data");
    let text =
        format!("data_dir = {data:?}\n[sip]\nlisten = \"127.0.0.1:0\"\n[[route]]\nnumber = \"*\"\nplan = {plan:?}\n");
    fs::write(&config, text).expect("written");
    let started =
        Command::new("timeout").args(["20", env!("CARGO_BIN_EXE_trunkline"), "serve", "-c"]).arg(&config).output();
    started.expect("trunkline runs")
}

/// Whole files in a folder and below, whatever they are called.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// A disk of 16 kB: one second of a recording.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).expect("a folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(&at).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must be able to mount a small disk");
        println!("skipped: mounting a 16 kB disk needs root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the gateway may still have it open when a test fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Another program that holds the database for itself.
struct Lock(Child);

impl Lock {
    fn on(database: &Path) -> Self {
        let program = "import sqlite3, sys\n\
                       base = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n\
                       base.execute('begin exclusive')\n\
                       print('locked', flush=True)\n\
                       sys.stdin.read()\n";
        let mut command = Command::new("python3");
        command.args(["-c", program]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut locker = command.spawn().expect("python3 runs");
        let mut said = [0; 6];
        locker.stdout.as_mut().expect("piped").read_exact(&mut said).expect("it says when it holds the lock");
        Self(locker)
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it ends");
    }
}
