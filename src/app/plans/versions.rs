//! What has been in force of one dial plan, what is, and what its file holds: no file is touched here.
//!
//! ```text
//!   file     a ──── b ───── (broken) ──── b ─────────────── c ──▶
//!   told                        │               rollback a │
//!   force    a ──── b ──────────────────────────── a ────── c ──▶
//! ```
//!
//! A version is the content hash of everything a plan was compiled from. A broken file never replaces a good one; what
//! was put back by hand stays until the file says something new.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Versions remembered of a plan. A busy author saves every other minute; a day of that is still there.
const MOST_SEEN: usize = 200;
/// What is kept of a fault: whole findings of a plan with a few; nobody reads more of one with a thousand.
const LONGEST_FAULT: usize = 4_000;

/// One plan's versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// In the order in which they last came into force: the last one is.
    seen: Vec<Seen>,
    /// The version of the file that was put aside by hand: it does not come back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    put_aside: Option<String>,
    /// Why the file as it is now cannot be used. Not remembered: the next start looks for itself.
    #[serde(skip)]
    fault: Option<Fault>,
}

/// A version that has been in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Content hash.
    pub version: String,
    /// When it last came into force.
    pub since: Timestamp,
}

/// Why a file could not be used, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it was found first.
    pub since: Timestamp,
    /// Every finding with its place, or a sentence.
    pub text: String,
}

/// What a look at the file has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is in force already.
    Known,
    /// The file was broken, and is again what is in force.
    Mended,
    /// It comes into force.
    New,
    /// It was put aside by hand, and stays there.
    PutAside,
}

/// Why no version comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchVersion {
    /// There is but one.
    #[error("there is no version before the one in force")]
    NoneBefore,
    /// None begins so.
    #[error("no version begins with {0}; `trunkline plans` lists them")]
    Unknown(String),
    /// Several do.
    #[error("more than one version begins with {0}; type more of it")]
    Ambiguous(String),
    /// It is.
    #[error("version {0} is in force already")]
    InForce(String),
}

impl Versions {
    /// The version in force, once there is one.
    pub fn in_force(&self) -> Option<&Seen> {
        self.seen.last()
    }

    /// Those before it, the latest first.
    pub fn before(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().rev().skip(1)
    }

    /// Why the file is not in force, if it is broken.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The version that the file holds, where another was put into force by hand.
    pub fn put_aside(&self) -> Option<&str> {
        self.put_aside.as_deref()
    }

    /// What is to become of the file, which holds this version now. [`Look::New`] is to be made ready and then
    /// [`enforced`](Self::enforce).
    pub fn file_holds(&mut self, version: &str) -> Look {
        let was_broken = self.fault.take().is_some();
        if self.in_force().is_some_and(|seen| seen.version == version) {
            // The author has written what was put back: nothing is aside any more.
            self.put_aside = None;
            return if was_broken { Look::Mended } else { Look::Known };
        }
        if self.put_aside.as_deref() == Some(version) { Look::PutAside } else { Look::New }
    }

    /// The file cannot be used. Is that news?
    pub fn file_is_broken(&mut self, text: &str, now: Timestamp) -> bool {
        let text = shortened(text);
        let since = match &self.fault {
            Some(known) if known.text == text => return false,
            Some(known) => known.since,
            None => now,
        };
        self.fault = Some(Fault { since, text });
        true
    }

    /// This version of the file is ready and rules from now on.
    pub fn enforce(&mut self, version: &str, now: Timestamp) {
        self.put_aside = None;
        self.fault = None;
        self.rule(version, now);
    }

    /// Which version somebody means who asks for an earlier one: `typed` is its beginning; nothing, the one before.
    pub fn find(&self, typed: Option<&str>) -> Result<String, NoSuchVersion> {
        let Some(typed) = typed.map(|typed| typed.trim().to_ascii_lowercase()) else {
            return self.before().next().map(|seen| seen.version.clone()).ok_or(NoSuchVersion::NoneBefore);
        };
        let aside = self.put_aside.iter().map(String::as_str);
        let known = self.seen.iter().map(|seen| seen.version.as_str()).chain(aside);
        let mut fitting: Vec<&str> = known.filter(|version| version.starts_with(&typed)).collect();
        fitting.sort_unstable();
        fitting.dedup();
        match fitting.as_slice() {
            [] => Err(NoSuchVersion::Unknown(typed)),
            [version] if self.in_force().is_some_and(|seen| seen.version == *version) => {
                Err(NoSuchVersion::InForce((*version).to_owned()))
            }
            [version] => Ok((*version).to_owned()),
            _ => Err(NoSuchVersion::Ambiguous(typed)),
        }
    }

    /// This version is ready and rules from now on, by hand. `file` is the one that the file on disk holds, if it holds
    /// any: it stays aside until the file changes, or is asked for itself.
    pub fn roll_back(&mut self, version: &str, file: Option<&str>, now: Timestamp) {
        self.put_aside = file.filter(|file| *file != version).map(str::to_owned);
        self.rule(version, now);
    }

    fn rule(&mut self, version: &str, now: Timestamp) {
        self.seen.retain(|seen| seen.version != version);
        self.seen.push(Seen { version: version.to_owned(), since: now });
        let too_many = self.seen.len().saturating_sub(MOST_SEEN);
        self.seen.drain(..too_many);
    }
}

/// At most [`LONGEST_FAULT`] bytes, cut between lines.
fn shortened(text: &str) -> String {
    let text = text.trim_end();
    if text.len() <= LONGEST_FAULT {
        return text.to_owned();
    }
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST_FAULT).last().unwrap_or(0);
    let whole = text[..end].rfind('\n').unwrap_or(end);
    format!("{}\n… and more: `trunkline check` shows all", &text[..whole])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// With these versions of its file in force one after the other, a second each.
    fn with(versions: &[&str]) -> Versions {
        let mut known = Versions::default();
        for (second, version) in versions.iter().enumerate() {
            assert_eq!(known.file_holds(version), Look::New);
            known.enforce(version, at(second as i64));
        }
        known
    }

    fn order(known: &Versions) -> Vec<&str> {
        known.seen.iter().map(|seen| seen.version.as_str()).collect()
    }

    #[test]
    fn an_edit_comes_into_force_once_and_an_old_text_again_is_no_second_version() {
        let mut known = with(&["aa", "bb"]);
        assert_eq!(known.file_holds("bb"), Look::Known);
        assert_eq!(known.file_holds("aa"), Look::New);
        known.enforce("aa", at(9));
        assert_eq!(order(&known), ["bb", "aa"]);
        assert_eq!(known.in_force(), Some(&Seen { version: "aa".into(), since: at(9) }));
    }

    #[test]
    fn a_broken_file_changes_nothing_is_told_once_and_forgotten_when_it_is_mended() {
        let mut known = with(&["aa"]);
        assert!(known.file_is_broken("a.yaml:1:1  no", at(5)));
        assert!(!known.file_is_broken("a.yaml:1:1  no\n", at(6)), "the same is no news");
        assert!(known.file_is_broken("a.yaml:2:1  no", at(7)));
        assert_eq!(known.fault().unwrap().since, at(5), "it has been broken since then");
        assert_eq!(order(&known), ["aa"]);
        assert_eq!(known.file_holds("aa"), Look::Mended);
        assert_eq!(known.fault(), None);
        assert_eq!(known.file_holds("aa"), Look::Known);
    }

    #[test]
    fn what_was_put_back_stays_until_the_file_says_something_new() {
        let mut known = with(&["aa", "bb"]);
        let to = known.find(None).unwrap();
        known.roll_back(&to, Some("bb"), at(10));
        assert_eq!((order(&known), known.put_aside()), (vec!["bb", "aa"], Some("bb")));
        assert_eq!(known.file_holds("bb"), Look::PutAside, "read again, as by SIGHUP or a restart");
        assert_eq!(known.file_holds("cc"), Look::New);
        known.enforce("cc", at(20));
        assert_eq!((order(&known), known.put_aside()), (vec!["bb", "aa", "cc"], None));
        assert_eq!(known.file_holds("bb"), Look::New, "an author who writes it again means it");
    }

    #[test]
    fn what_was_put_aside_comes_back_by_its_name_or_when_the_file_holds_what_rules() {
        let mut known = with(&["aa", "bb"]);
        known.roll_back("aa", Some("bb"), at(10));
        assert_eq!(known.find(Some("b")), Ok("bb".into()));
        known.roll_back("bb", Some("bb"), at(11));
        assert_eq!((known.in_force().unwrap().version.as_str(), known.put_aside()), ("bb", None));
        known.roll_back("aa", Some("bb"), at(12));
        assert_eq!((known.file_holds("aa"), known.put_aside()), (Look::Known, None));
    }

    #[test]
    fn a_rollback_under_a_broken_file_puts_nothing_aside_and_the_mended_file_rules_again() {
        let mut known = with(&["aa", "bb"]);
        known.file_is_broken("no", at(5));
        known.roll_back("aa", None, at(6));
        assert!(known.fault().is_some(), "it still is");
        assert_eq!(known.file_holds("bb"), Look::New);
    }

    #[test]
    fn a_version_is_found_by_its_beginning_or_as_the_one_before() {
        let known = with(&["a1", "a2", "b1"]);
        assert_eq!(known.find(None), Ok("a2".into()));
        assert_eq!(known.find(Some("A1")), Ok("a1".into()));
        assert_eq!(known.find(Some("a")), Err(NoSuchVersion::Ambiguous("a".into())));
        assert_eq!(known.find(Some("c")), Err(NoSuchVersion::Unknown("c".into())));
        assert_eq!(known.find(Some("b")), Err(NoSuchVersion::InForce("b1".into())));
        assert_eq!(with(&["a1"]).find(None), Err(NoSuchVersion::NoneBefore));
    }

    #[test]
    fn memory_is_bounded_and_what_is_in_force_is_never_forgotten() {
        let names: Vec<String> = (0..MOST_SEEN + 5).map(|number| format!("v{number:04}")).collect();
        let mut known = with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((known.seen.len(), known.seen[0].version.as_str()), (MOST_SEEN, "v0005"));
        assert_eq!(known.in_force().unwrap().version, "v0204");
        let long = "a.yaml:1:1  wrong ünd so on\n".repeat(1_000);
        known.file_is_broken(&long, at(1));
        let kept = &known.fault().unwrap().text;
        assert!(kept.len() < LONGEST_FAULT + 80 && kept.ends_with("\n… and more: `trunkline check` shows all"));
    }

    #[test]
    fn what_is_remembered_over_a_restart_is_everything_but_the_fault() {
        let mut known = with(&["aa", "bb"]);
        known.roll_back("aa", Some("bb"), at(10));
        known.file_is_broken("no", at(11));
        let text = serde_json::to_string(&known).unwrap();
        let read: Versions = serde_json::from_str(&text).unwrap();
        assert_eq!(read, Versions { fault: None, ..known });
    }
}
