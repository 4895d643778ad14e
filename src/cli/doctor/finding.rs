//! What the doctor finds, and how it is told.

use serde::Serialize;

use crate::cli::harmless;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As it should be.
    Fine,
    /// Calls are served; somebody should look.
    Look,
    /// Calls are not served as the settings promise.
    Broken,
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at, in a word or two.
    pub check: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub result: String,
    /// More of it, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn fine(check: &str, result: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            verdict: Verdict::Fine,
            result: result.into(),
            details: Vec::new(),
            remedy: None,
        }
    }

    /// The same, with more to read below it.
    pub(super) fn with_details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    pub(super) fn look(check: &str, result: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Look, remedy: Some(remedy.into()), ..Self::fine(check, result) }
    }

    pub(super) fn broken(check: &str, result: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Broken, remedy: Some(remedy.into()), ..Self::fine(check, result) }
    }
}

/// For people: a line each, what to do about it below, and a sum.
pub(super) fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { check, verdict, result, details, remedy } in findings {
        let mark = match verdict {
            Verdict::Fine => "ok  ",
            Verdict::Look => "look",
            Verdict::Broken => "FAIL",
        };
        text.push_str(&format!("{mark}  {check:<width$}  {}\n", harmless(result)));
        for detail in details {
            text.push_str(&format!("      {:<width$}  · {}\n", "", harmless(detail)));
        }
        if let Some(remedy) = remedy {
            text.push_str(&format!("      {:<width$}  → {}\n", "", harmless(remedy)));
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (looks, broken) = (count(Verdict::Look), count(Verdict::Broken));
    let sum = match (looks, broken) {
        (0, 0) => "Everything is as it should be.".to_owned(),
        (_, 0) => format!("{looks} to look at; calls are served."),
        (_, _) => format!("{broken} failed, {looks} to look at."),
    };
    text + "\n" + &sum + "\n"
}

/// For machines.
pub(super) fn json(findings: &[Finding]) -> String {
    let rows = serde_json::to_string_pretty(findings).expect("findings are plain text");
    rows + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_wrong_and_below_it_what_to_do() {
        let findings = [
            Finding::fine("disk", "9.1 GB free"),
            Finding::look("sip udp", "held by \u{1b}[31mnobody", "wait"),
            Finding::broken("rtp ports", "none free", "widen rtp.ports").with_details(vec!["all held".to_owned()]),
        ];
        let expect = "\
ok    disk       9.1 GB free
look  sip udp    held by �[31mnobody
                 → wait
FAIL  rtp ports  none free
                 · all held
                 → widen rtp.ports

1 failed, 1 to look at.
";
        assert_eq!(table(&findings), expect);
        assert!(table(&findings[..1]).ends_with("\nEverything is as it should be.\n"));
        assert!(table(&findings[..2]).ends_with("\n1 to look at; calls are served.\n"));
    }

    #[test]
    fn machines_get_the_same() {
        let read = serde_json::from_str::<serde_json::Value>(&json(&[Finding::look("a", "b", "c")])).unwrap();
        let expect = serde_json::json!([{ "check": "a", "verdict": "look", "result": "b", "remedy": "c" }]);
        assert_eq!(read, expect);
    }
}
