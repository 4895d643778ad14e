//! `trunkline plans`: which versions of the dial plans a running gateway has, and putting an earlier one back.

use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::gateway::Asking;
use super::{harmless, note, print};
use crate::app::control::Request;

mod suggest;

/// Earlier versions shown of a plan, unless all are wanted.
const SHOWN: usize = 5;

/// `trunkline plans`
#[derive(Debug, clap::Args)]
pub struct PlansArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// Every version that is remembered, not only the latest
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read every plan again now; fails when one is broken
    Reload,
    /// What callers say that a plan does not understand, and the options it should teach: from the calls stored here
    Suggest(suggest::SuggestArgs),
    /// Put an earlier version in force, until the plan's file is edited; live calls keep theirs
    Rollback {
        /// The plan's name, or its file
        plan: String,
        /// Its version, or the beginning of it [default: the one before]
        #[arg(value_name = "VERSION")]
        to: Option<String>,
    },
}

/// Asks the gateway that runs here.
pub fn run(args: &PlansArgs) -> ExitCode {
    let request = match &args.what {
        None => Request::Plans,
        Some(What::Reload) => Request::ReloadPlans,
        Some(What::Rollback { plan, to }) => Request::RollBackPlan { plan: plan.clone(), version: to.clone() },
        Some(What::Suggest(wanted)) => return suggest::run(wanted, args.asking.config.as_deref(), args.asking.json),
    };
    let told = match args.asking.ask(&request) {
        Ok(told) => told,
        Err(ended) => return ended,
    };
    if args.asking.json {
        return print(&format!("{told:#}\n"));
    }
    if matches!(args.what, Some(What::Rollback { .. })) {
        return print(&rolled_back(&told));
    }
    let plans = told["plans"].as_array().cloned().unwrap_or_default();
    let shown = print(&table(&plans, if args.all { usize::MAX } else { SHOWN }, &TimeZone::system()));
    let broken = plans.iter().filter(|plan| !plan["fault"].is_null()).count();
    if broken > 0 && args.what.is_some() {
        note(&format_args!("{broken} of {} plans are broken; what was in force stays", plans.len()));
        return ExitCode::FAILURE;
    }
    shown
}

fn rolled_back(told: &Value) -> String {
    let text = |name: &str| harmless(told[name].as_str().unwrap_or_default());
    let (plan, from, to) = (text("ok"), text("from"), text("version"));
    let mut said = format!("{plan}: version {to} is in force instead of {from}; live calls keep theirs.\n");
    match told["file"].as_str() {
        Some(file) => said.push_str(&format!(
            "The file still holds {}: it comes into force when it is edited, or by `trunkline plans rollback {plan} {}`.\n",
            harmless(file),
            harmless(file)
        )),
        None => said.push_str("The file is as it was; when it is edited, it comes into force.\n"),
    }
    said
}

/// ```text
/// bank-main   /etc/trunkline/bank-main.yaml
///   in force  4be1d5c07a2f9e31  since 2026-01-05 14:00:00       3 calls
///   before    91c0ffee12345678  2026-01-05 09:12:40 – 14:00:00  1 call
///   BROKEN since 2026-01-05 14:03:11, and not in force:
///     /etc/trunkline/bank-main.yaml:12:3  there is no step `agnet`
/// ```
fn table(plans: &[Value], earlier: usize, zone: &TimeZone) -> String {
    let mut shown = String::new();
    for plan in plans {
        let text = |name: &str| harmless(plan[name].as_str().unwrap_or_default());
        let file = plan["file"].as_str().map_or_else(|| "(calls of ours only)".to_owned(), harmless);
        shown.push_str(&format!("{}   {file}\n", text("plan")));
        let since = moment(&plan["since"], zone).map_or_else(String::new, |since| format!("since {since}"));
        shown.push_str(&format!("  in force  {:<16}  {since:<41}  {}\n", text("version"), calls(plan)));
        let before = plan["earlier"].as_array().map(Vec::as_slice).unwrap_or_default();
        // Whoever is still talked to by an old version is shown, however old it is.
        let (wanted, rest): (Vec<_>, Vec<_>) =
            before.iter().enumerate().partition(|(place, seen)| *place < earlier || seen["calls"].as_u64() > Some(0));
        for (_, seen) in wanted {
            let [from, to] = ["since", "until"].map(|name| moment(&seen[name], zone).unwrap_or_default());
            let version = harmless(seen["version"].as_str().unwrap_or_default());
            let calls = if seen["calls"].as_u64() > Some(0) { calls(seen) } else { String::new() };
            let line = format!("  before    {version:<16}  {from} – {to:<19}  {calls}");
            shown.push_str(line.trim_end());
            shown.push('\n');
        }
        if !rest.is_empty() {
            shown.push_str(&format!("  … and {} more: --all shows them\n", rest.len()));
        }
        if let Some(aside) = plan["put_aside"].as_str() {
            let aside = harmless(aside);
            shown.push_str(&format!("  PUT BACK by hand: the file holds {aside}, not in force until it is edited\n"));
        }
        if let Some(fault) = plan["fault"]["text"].as_str() {
            let since = moment(&plan["fault"]["since"], zone).unwrap_or_default();
            shown.push_str(&format!("  BROKEN since {since}, and not in force:\n"));
            fault.lines().for_each(|line| shown.push_str(&format!("    {}\n", harmless(line))));
        }
    }
    if shown.is_empty() { "No plans.\n".to_owned() } else { shown }
}

fn calls(of: &Value) -> String {
    match of["calls"].as_u64().unwrap_or(0) {
        1 => "1 call".to_owned(),
        count => format!("{count} calls"),
    }
}

fn moment(told: &Value, zone: &TimeZone) -> Option<String> {
    let moment = told.as_str()?.parse::<Timestamp>().ok()?;
    Some(moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_stand_under_their_plan_with_the_calls_on_each_and_what_is_wrong() {
        let plan = json!({
            "plan": "bank", "file": "/etc/bank.yaml", "version": "4be1d5c07a2f9e31",
            "since": "2026-01-05T14:00:00.5Z", "calls": 3,
            "earlier": [
                { "version": "91c0ffee12345678", "since": "2026-01-05T09:00:00Z", "until": "2026-01-05T14:00:00.5Z", "calls": 1 },
                { "version": "00c0ffee12345678", "since": "2026-01-04T09:00:00Z", "until": "2026-01-05T09:00:00Z", "calls": 0 },
            ],
            "put_aside": "aaaa",
            "fault": { "since": "2026-01-05T14:03:11Z", "text": "/etc/bank.yaml:12:3  no step\u{1b}[2J\n  help: add it" },
        });
        assert_eq!(
            table(std::slice::from_ref(&plan), 9, &TimeZone::UTC),
            "bank   /etc/bank.yaml\n\
             \x20 in force  4be1d5c07a2f9e31  since 2026-01-05 14:00:00                  3 calls\n\
             \x20 before    91c0ffee12345678  2026-01-05 09:00:00 – 2026-01-05 14:00:00  1 call\n\
             \x20 before    00c0ffee12345678  2026-01-04 09:00:00 – 2026-01-05 09:00:00\n\
             \x20 PUT BACK by hand: the file holds aaaa, not in force until it is edited\n\
             \x20 BROKEN since 2026-01-05 14:03:11, and not in force:\n\
             \x20   /etc/bank.yaml:12:3  no step�[2J\n\
             \x20     help: add it\n"
        );
        let short = table(std::slice::from_ref(&plan), 0, &TimeZone::UTC);
        assert!(short.contains("91c0") && !short.contains("00c0"), "who has callers is shown: {short}");
        assert!(short.contains("… and 1 more"), "{short}");
        assert_eq!(table(&[], 9, &TimeZone::UTC), "No plans.\n");
    }

    #[test]
    fn a_rollback_says_what_becomes_of_the_file() {
        let told = json!({ "ok": "bank", "from": "bb", "version": "aa", "file": "bb" });
        let said = rolled_back(&told);
        assert!(said.starts_with("bank: version aa is in force instead of bb;"), "{said}");
        assert!(said.contains("`trunkline plans rollback bank bb`"), "{said}");
        let said = rolled_back(&json!({ "ok": "bank", "from": "bb", "version": "aa", "file": null }));
        assert!(said.contains("when it is edited"), "{said}");
    }
}
