//! Recordings that were never finished: what a crash, or a disk that went away, leaves behind.

use super::finding::Finding;
use crate::config::Config;
use crate::media::rescue::unfinished;

/// Where no gateway runs, nobody finishes them; where one does, they are those of live calls.
pub(super) fn recordings(config: &Config, running: bool) -> Option<Finding> {
    let folder = config.recordings_dir();
    let count = if running { 0 } else { unfinished(&folder).len() };
    (count > 0).then(|| {
        let result = format!("{count} in {} were never finished (.wav.part)", folder.display());
        let remedy = "the next start of `trunkline serve` makes them whole; what it cannot mend, its log counts";
        Finding::look("unfinished", result, remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn recordings_that_nobody_finishes_are_worth_a_look() {
        let home = tempfile::tempdir().unwrap();
        let config = Config { data_dir: home.path().to_owned(), ..Config::default() };
        assert_eq!(recordings(&config, false), None);
        let day = config.recordings_dir().join("2026-11").join("21");
        std::fs::create_dir_all(&day).unwrap();
        std::fs::write(day.join("01M7.wav.part"), "half").unwrap();
        std::fs::write(day.join("01M8.wav"), "whole").unwrap();
        let finding = recordings(&config, false).unwrap();
        assert!(finding.verdict == Verdict::Look && finding.result.starts_with("1 in "), "{finding:?}");
        assert_eq!(recordings(&config, true), None, "a live call is being recorded");
    }
}
