//! The machine: disk, clock, limits.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use super::finding::Finding;
use super::trunks::Told;
use crate::config::Config;
use crate::files::create_private_file;
use crate::media::driver::{PRIORITY, realtime_is_allowed};
use crate::store::spool::Spool;

/// Less room than this is a few days of recordings at best.
const LITTLE_ROOM: u64 = 5_000_000_000;
/// Less than this and calls lose their recordings soon.
const NO_ROOM: u64 = 1_000_000_000;
/// What the SIP sockets ask the kernel for: a second of 1,000 set-ups while we are busy.
const RECEIVE_BUFFER: u64 = 4 * 1_024 * 1_024;
/// Sockets and files of one call: RTP, RTCP, a connection, the recording.
const FILES_A_CALL: u64 = 4;
/// Files that do not depend on the number of calls.
const FILES: u64 = 256;
/// A Date header counts whole seconds, and takes a moment to come.
const SKEW_S: f64 = 2.0;
/// No clock that is right shows an earlier time: this was written then.
const WRITTEN: &str = "2026-11-01T00:00:00Z";

/// Folders are writable and have room, and no calls wait for the database.
pub(super) fn disk(config: &Config) -> Vec<Finding> {
    let mut found = vec![folder("data folder", "data_dir", &config.data_dir)];
    let recordings = config.recordings_dir();
    if config.recording.enabled && !recordings.starts_with(&config.data_dir) {
        found.push(folder("recordings", "recording.directory", &recordings));
    }
    let spool = Spool::of(&config.data_dir);
    let waiting = spool.waiting();
    if waiting > 0 {
        let place = spool.folder().display();
        let result = format!("{waiting} calls wait in {place} for the database");
        found.push(Finding::look(
            "unsaved calls",
            result,
            "the log of `trunkline serve` says why; they are stored by its next start",
        ));
    }
    found
}

fn folder(check: &str, key: &str, path: &Path) -> Finding {
    let shown = path.display();
    // What is not there yet is made at the first start, inside the nearest folder that is.
    let Some(there) = path.ancestors().find(|folder| folder.exists()) else {
        return Finding::broken(check, format!("{shown} leads nowhere"), format!("set `{key}` to a folder"));
    };
    if !there.is_dir() {
        let result = format!("{} is a file where a folder is wanted", there.display());
        return Finding::broken(check, result, format!("move it away, or set `{key}` to a folder"));
    }
    if let Err(cause) = try_to_write(there) {
        let result = format!("{} cannot be written to: {cause}", there.display());
        return Finding::broken(check, result, format!("give it to the user who runs trunkline, or set `{key}`"));
    }
    let free = match nix::sys::statvfs::statvfs(there) {
        Ok(disk) => disk.blocks_available().saturating_mul(disk.fragment_size()),
        Err(cause) => {
            let result = format!("how much room {} has cannot be told: {cause}", there.display());
            return Finding::look(check, result, "look yourself: `df -h`");
        }
    };
    room(check, &shown.to_string(), free)
}

fn room(check: &str, shown: &str, free: u64) -> Finding {
    let result = format!("{shown}, {:.1} GB free", free as f64 / 1e9);
    match free {
        ..NO_ROOM => Finding::broken(check, result, "make room: a recorded hour takes 115 MB"),
        NO_ROOM..LITTLE_ROOM => Finding::look(check, result, "make room soon: a recorded hour takes 115 MB"),
        _ => Finding::fine(check, result),
    }
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let name: PathBuf = folder.join(format!(".trunkline-doctor-{}", std::process::id()));
    create_private_file(&name)?;
    fs::remove_file(name)
}

/// Records, calling windows and certificates need the right time. `told` is what trunks say of theirs.
pub(super) async fn clock(now: Timestamp, told: &[Told]) -> Finding {
    let written = WRITTEN.parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
    let shown = now.strftime("%Y-%m-%d %H:%M:%S UTC");
    if now < written {
        return Finding::broken(
            "clock",
            format!("shows {shown}, which is over"),
            "set it, and let it be set: `timedatectl set-ntp true`",
        );
    }
    let (skew, differs) = compared(told);
    let shown = format!("{shown}; {skew}");
    let synchronised = synchronised().await;
    if differs {
        let remedy = match synchronised {
            Some(true) => "ours is set by the network: tell the trunk about its own",
            _ => "have ours set by the network: `timedatectl set-ntp true`, or chrony",
        };
        return Finding::look("clock", shown, remedy);
    }
    match synchronised {
        Some(true) => Finding::fine("clock", format!("{shown}; synchronised")),
        Some(false) => Finding::look(
            "clock",
            format!("{shown}; set by nobody"),
            "let it be set: `timedatectl set-ntp true`, or chrony",
        ),
        None if !told.is_empty() => Finding::fine("clock", shown),
        None => Finding::look(
            "clock",
            format!("{shown}; whether it is right cannot be told here"),
            "compare it with another",
        ),
    }
}

/// How far the clocks of trunks are from ours, and whether that is too far.
fn compared(told: &[Told]) -> (String, bool) {
    let farthest = told.iter().max_by(|a, b| a.ahead_s.abs().total_cmp(&b.ahead_s.abs()));
    let Some(Told { trunk, ahead_s }) = farthest else {
        return ("its skew is unknown, for no trunk tells its time".to_owned(), false);
    };
    if ahead_s.abs() <= SKEW_S {
        return (format!("trunk {trunk} agrees within {SKEW_S} s"), false);
    }
    let way = if *ahead_s > 0.0 { "ahead" } else { "behind" };
    (format!("trunk {trunk} is {:.0} s {way}", ahead_s.abs()), true)
}

/// What systemd or chrony say; `None` where neither is asked, as in a container.
async fn synchronised() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let mut asked = tokio::process::Command::new("timedatectl");
    asked.args(["show", "--property=NTPSynchronized", "--value"]).kill_on_drop(true);
    let said = tokio::time::timeout(Duration::from_secs(2), asked.output()).await.ok()?.ok()?;
    match String::from_utf8_lossy(&said.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// What the kernel lets one process have.
pub(super) fn limits(config: &Config) -> Vec<Finding> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let wanted = config.sip.max_calls as u64 * FILES_A_CALL + FILES;
    // The gateway that runs, which may be a service with limits of its own; else one that would be started like this.
    let whose = gateway_process(config).map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let mut found = vec![
        open_files(&read(&format!("/proc/{whose}/limits")), wanted),
        receive_buffer(&read("/proc/sys/net/core/rmem_max")),
    ];
    if config.rtp.realtime {
        found.push(priority(config.media_threads().get(), realtime_is_allowed()));
    }
    found
}

fn priority(threads: usize, is_lent: bool) -> Finding {
    let check = "media threads";
    let result = |how: &str| format!("{threads}, {how}");
    match is_lent {
        true => Finding::fine(check, result("with real-time priority")),
        false => Finding::look(
            check,
            result("without real-time priority (as this user): sound is less even while the machine is busy"),
            format!("LimitRTPRIO={PRIORITY} in the unit of systemd, as packaging/trunkline.service has it"),
        ),
    }
}

/// The process at the other end of the control socket, if one listens there.
fn gateway_process(config: &Config) -> Option<i32> {
    let control = UnixStream::connect(config.control_socket()).ok()?;
    getsockopt(&control, PeerCredentials).ok().map(|other| other.pid())
}

/// proc(5): `Max open files            1024                 524288               files`. `trunkline serve` raises the
/// first number to the second.
fn open_files(limits: &str, wanted: u64) -> Finding {
    let check = "open files";
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let Some(most) = line.and_then(|line| line.split_whitespace().nth(1)) else {
        return Finding::look(
            check,
            "the limit cannot be read",
            "compare `ulimit -n` with four for each of sip.max_calls",
        );
    };
    let limit = most.parse::<u64>().unwrap_or(u64::MAX);
    let result = format!("{most} allowed, sip.max_calls may need {wanted}");
    let remedy = "raise it (`ulimit -n 65536`; LimitNOFILE in the unit of systemd), or lower sip.max_calls";
    if limit < wanted { Finding::broken(check, result, remedy) } else { Finding::fine(check, result) }
}

fn receive_buffer(rmem_max: &str) -> Finding {
    let check = "socket buffer";
    match rmem_max.trim().parse::<u64>() {
        Ok(bytes) if bytes >= RECEIVE_BUFFER => Finding::fine(check, format!("{} KB allowed", bytes / 1_024)),
        Ok(bytes) => Finding::look(
            check,
            format!(
                "{} KB allowed: bursts of hundreds of calls may lose datagrams, which are then sent again",
                bytes / 1_024
            ),
            format!("sysctl -w net.core.rmem_max={RECEIVE_BUFFER}"),
        ),
        Err(_) => Finding::fine(check, "the system says nothing about it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn too_few_open_files_are_a_fault() {
        let limits =
            |hard: &str| format!("Limit  Soft Limit  Hard Limit  Units\nMax open files   512  {hard}  files\n");
        let rows = [("1024", Verdict::Broken), ("4096", Verdict::Fine), ("unlimited", Verdict::Fine)];
        for (hard, verdict) in rows {
            assert_eq!(open_files(&limits(hard), 1_856).verdict, verdict, "{hard}");
        }
        assert_eq!(open_files("", 1_856).verdict, Verdict::Look);
    }

    #[test]
    fn a_file_is_no_data_folder() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("data");
        fs::write(&file, "").unwrap();
        for place in [file.clone(), file.join("below")] {
            let finding = folder("data folder", "data_dir", &place);
            assert!(finding.verdict == Verdict::Broken && finding.result.contains("is a file"), "{finding:?}");
        }
    }

    #[test]
    fn little_room_is_told_before_none_is_left() {
        let rows = [(900_000_000, Verdict::Broken), (4_900_000_000, Verdict::Look), (5_000_000_000, Verdict::Fine)];
        for (free, verdict) in rows {
            let finding = room("data folder", "/data", free);
            assert_eq!(finding.verdict, verdict, "{finding:?}");
        }
        assert_eq!(room("data folder", "/data", 9_060_000_000).result, "/data, 9.1 GB free");
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_where_it_will_be() {
        let home = tempfile::tempdir().unwrap();
        let finding = folder("data folder", "data_dir", &home.path().join("not/yet"));
        assert_ne!(finding.verdict, Verdict::Broken, "{finding:?}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn media_without_real_time_priority_is_worth_a_look() {
        assert_eq!(priority(2, true).result, "2, with real-time priority");
        let finding = priority(2, false);
        assert_eq!(finding.verdict, Verdict::Look);
        let unit = include_str!("../../../packaging/trunkline.service");
        assert!(unit.contains(&format!("\nLimitRTPRIO={PRIORITY}\n")), "the unit asks for what the remedy names");
    }

    #[tokio::test]
    async fn a_clock_before_this_was_written_is_wrong() {
        let finding = clock("2020-01-01T00:00:00Z".parse().unwrap(), &[]).await;
        assert_eq!(finding.verdict, Verdict::Broken);
        assert!(finding.result.starts_with("shows 2020-01-01 00:00:00 UTC"), "{finding:?}");
    }

    #[test]
    fn the_clocks_of_trunks_show_how_wrong_ours_may_be() {
        let told = |ahead_s| Told { trunk: "carrier".to_owned(), ahead_s };
        assert_eq!(compared(&[]), ("its skew is unknown, for no trunk tells its time".to_owned(), false));
        assert_eq!(compared(&[told(0.4), told(-1.9)]), ("trunk carrier agrees within 2 s".to_owned(), false));
        assert_eq!(compared(&[told(0.4), told(-7.2)]), ("trunk carrier is 7 s behind".to_owned(), true));
        assert_eq!(compared(&[told(3_600.0)]), ("trunk carrier is 3600 s ahead".to_owned(), true));
    }

    #[test]
    fn a_small_socket_buffer_is_worth_a_look() {
        assert_eq!(receive_buffer("212992\n").verdict, Verdict::Look);
        assert_eq!(receive_buffer("4194304\n").verdict, Verdict::Fine);
        assert_eq!(receive_buffer("").verdict, Verdict::Fine);
    }
}
