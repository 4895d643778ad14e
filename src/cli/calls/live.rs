//! `trunkline calls --live`: who is on the line now, asked of the gateway that runs here.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{CallsError, harmless, json};
use crate::app::control::Request;
use crate::cli::gateway::ask;

/// Asks, and lays out the answer.
pub(super) fn render(socket: &Path, as_json: bool, zone: &TimeZone) -> Result<String, CallsError> {
    let told = ask(socket, &Request::Calls).map_err(CallsError::Unanswered)?;
    let calls = told["calls"].as_array().cloned().unwrap_or_default();
    if as_json { json(&calls) } else { Ok(table(&calls, zone)) }
}

fn table(calls: &[Value], zone: &TimeZone) -> String {
    if calls.is_empty() {
        return "Nobody is on the line.\n".to_owned();
    }
    let text = |call: &Value, name: &str| harmless(call[name].as_str().unwrap_or_default());
    let since = |call: &Value| match text(call, "since").parse::<Timestamp>() {
        Ok(since) => since.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text(call, "since"),
    };
    let mut shown = format!("{:<26}  {:<19}  {:<8}  {:<16}  PLAN\n", "CALL", "SINCE", "WAY", "PEER");
    for call in calls {
        let (id, way, peer) = (text(call, "call"), text(call, "direction"), text(call, "peer"));
        shown.push_str(&format!("{id:<26}  {:<19}  {way:<8}  {peer:<16}  {}\n", since(call), text(call, "plan")));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_calls_stand_in_a_table_and_nobody_is_said_in_words() {
        assert_eq!(table(&[], &TimeZone::UTC), "Nobody is on the line.\n");
        let call = serde_json::json!({
            "call": "01M7ABCDEFGHJKMNPQRSTVWXYZ", "since": "2026-01-05T14:00:00.5Z", "direction": "inbound",
            "peer": "pbx\u{1b}[2J", "plan": "bank",
        });
        let shown = table(&[call], &TimeZone::UTC);
        let line = shown.lines().nth(1).unwrap();
        assert!(
            line.starts_with("01M7ABCDEFGHJKMNPQRSTVWXYZ  2026-01-05 14:00:00  inbound   pbx\u{fffd}[2J"),
            "{line}"
        );
        assert!(line.ends_with("  bank"), "{line}");
    }
}
