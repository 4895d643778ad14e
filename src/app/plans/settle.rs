//! When is a file that somebody writes finished?
//!
//! ```text
//!   editor   truncate ─ write ─ write ─ close          rename over
//!   events   ░Writing   ░         ░      ▓Written       ▓Written
//!   look                                      ▲ 120 ms            ▲ 120 ms
//! ```
//!
//! A program that empties a file and fills it again shows a broken plan for a moment, or a whole one that lacks its
//! end: nothing is looked at while somebody has it open, unless they write nothing for half a second.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind};

/// Rest after the last touch: an editor that saves two files needs less between them.
const REST: Duration = Duration::from_millis(120);
/// Rest after words of a writer who has not closed the file.
const OPEN_REST: Duration = Duration::from_millis(500);

/// What happened near a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// This file is being written.
    Writing(PathBuf),
    /// This file is whole: closed, or put in the place of another.
    Written(PathBuf),
    /// Names in a folder changed: a link may lead elsewhere now.
    Names,
}

impl Touch {
    /// What an event says to somebody who reads the files that `ours` knows.
    pub fn of(event: &Event, ours: impl Fn(&PathBuf) -> bool) -> Vec<Self> {
        let mine = || event.paths.iter().filter(|path| ours(path)).cloned();
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => mine().map(Self::Written).collect(),
            EventKind::Access(_) => Vec::new(),
            EventKind::Modify(ModifyKind::Data(_)) | EventKind::Create(CreateKind::File) => {
                mine().map(Self::Writing).collect()
            }
            // Renamed, linked, removed, made readable.
            _ => mine().map(Self::Written).chain([Self::Names]).collect(),
        }
    }
}

/// Knows when to look.
#[derive(Debug, Default)]
pub(super) struct Settle {
    quiet_at: Option<Instant>,
    /// Who writes, and until when that is waited for.
    open: BTreeMap<PathBuf, Instant>,
}

impl Settle {
    /// Something happened.
    pub fn touched(&mut self, touch: Touch, now: Instant) {
        match touch {
            Touch::Writing(path) => {
                self.open.insert(path, now + OPEN_REST);
                self.quiet_at = Some(now + REST);
            }
            Touch::Written(path) => {
                self.open.remove(&path);
                self.quiet_at = Some(now + REST);
            }
            // Somebody else's files may come and go all day; that is no reason to wait longer.
            Touch::Names => self.quiet_at = self.quiet_at.or(Some(now + REST)),
        }
    }

    /// When everything has come to rest, unless something happens before.
    pub fn due(&self) -> Option<Instant> {
        self.quiet_at.map(|quiet| self.open.values().copied().fold(quiet, Instant::max))
    }

    /// It has been looked at.
    pub fn looked(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, RemoveKind, RenameMode};

    use super::*;
    use crate::time::{Clock as _, SystemClock};

    fn plan() -> PathBuf {
        PathBuf::from("/etc/bank.yaml")
    }

    fn touches(kind: EventKind, path: &str) -> Vec<Touch> {
        Touch::of(&Event::new(kind).add_path(path.into()), |path| *path == plan())
    }

    #[test]
    fn an_event_is_about_a_plan_about_names_or_about_nothing() {
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let removed = EventKind::Remove(RemoveKind::File);
        for (kind, path, expected) in [
            (data, "/etc/bank.yaml", vec![Touch::Writing(plan())]),
            (EventKind::Create(CreateKind::File), "/etc/bank.yaml", vec![Touch::Writing(plan())]),
            (close, "/etc/bank.yaml", vec![Touch::Written(plan())]),
            (rename, "/etc/bank.yaml", vec![Touch::Written(plan()), Touch::Names]),
            (removed, "/etc/bank.yaml", vec![Touch::Written(plan()), Touch::Names]),
            // A log in the same folder, and a link that a deployment swaps.
            (data, "/etc/serve.log", vec![]),
            (close, "/etc/serve.log", vec![]),
            (rename, "/etc/..data", vec![Touch::Names]),
            (EventKind::Access(AccessKind::Open(AccessMode::Read)), "/etc/bank.yaml", vec![]),
        ] {
            assert_eq!(touches(kind, path), expected, "{kind:?} {path}");
        }
    }

    #[test]
    fn a_file_is_looked_at_when_its_writer_is_done_and_not_between() {
        let start = SystemClock.now().mono;
        let at = |ms| start + Duration::from_millis(ms);
        let mut settle = Settle::default();
        assert_eq!(settle.due(), None);
        settle.touched(Touch::Writing(plan()), at(0));
        assert_eq!(settle.due(), Some(at(500)), "emptied: its writer may be slow");
        settle.touched(Touch::Names, at(50));
        settle.touched(Touch::Writing(plan()), at(400));
        assert_eq!(settle.due(), Some(at(900)));
        settle.touched(Touch::Written("/etc/hello.wav".into()), at(410));
        assert_eq!(settle.due(), Some(at(900)), "another file is whole, this one is not");
        settle.touched(Touch::Written(plan()), at(420));
        assert_eq!(settle.due(), Some(at(540)));
        settle.looked();
        assert_eq!(settle.due(), None);
    }

    #[test]
    fn files_that_come_and_go_beside_a_plan_do_not_put_it_off() {
        let start = SystemClock.now().mono;
        let mut settle = Settle::default();
        for ms in 0..10 {
            settle.touched(Touch::Names, start + Duration::from_millis(ms * 100));
        }
        assert_eq!(settle.due(), Some(start + REST));
    }
}
