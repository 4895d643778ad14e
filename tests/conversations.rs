//! Every conversation beside a shipped dial plan, and beside the plans that try the language, happens as it is written,
//! and together those of the shipped plans try every step and every way.

use std::path::Path;

use trunkline::simulate::coverage::Coverage;
use trunkline::simulate::runner::{self, Plans};

#[test]
fn every_shipped_conversation_happens_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = |folder: &str| runner::find(&root.join(folder)).expect("the plans are part of the repository");
    let mut plans = Plans::default();
    let (mut conversations, mut failures, mut coverage) = (0, Vec::new(), Coverage::default());
    for file in found("dialplans").into_iter().chain(found("tests/language")) {
        let report = runner::run_file(&file, &mut plans);
        conversations += report.conversations;
        coverage.merge(report.coverage);
        failures.extend(report.failures);
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1")
            && let Some(updated) = report.updated
        {
            std::fs::write(&file, updated).expect("the repository can be written");
        }
    }
    for score in coverage.scores().into_iter().filter(|score| score.file.starts_with(root.join("dialplans"))) {
        assert!(score.is_whole(), "some of a plan is never tried:\n{score}");
    }
    println!("{conversations} conversations, {} passed", conversations - failures.len().min(conversations));
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(conversations >= 20, "only {conversations} conversations found");
}
