//! `trunkline agents`: what the agents of a running gateway are doing, and who is away.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::gateway::Asking;
use super::{harmless, print};
use crate::app::control::Request;

/// `trunkline agents`
#[derive(Debug, clap::Args)]
pub struct AgentsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Everybody, and who waits: the same as without a word
    List,
    /// They take no more callers, until they are back; whom they talk to, they keep
    Away {
        /// Their name in the settings
        agent: String,
    },
    /// They take callers again, at once
    Back {
        /// Their name in the settings
        agent: String,
    },
}

/// Asks the gateway that runs here.
pub fn run(args: &AgentsArgs) -> ExitCode {
    let request = match &args.what {
        None | Some(What::List) => Request::Agents,
        Some(What::Away { agent }) => Request::AgentAway { agent: agent.clone() },
        Some(What::Back { agent }) => Request::AgentBack { agent: agent.clone() },
    };
    match args.asking.ask(&request) {
        Ok(told) if args.asking.json => print(&format!("{told:#}\n")),
        Ok(told) => print(&table(&told)),
        Err(ended) => ended,
    }
}

/// ```text
/// AGENT             DOING       AWAY  CALLERS  GROUPS
/// alice             talking     yes         3  cards, desk
///
/// Waiting: cards 0, desk 4
/// ```
fn table(told: &Value) -> String {
    let rows = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    let text = |of: &Value, name: &str| harmless(of[name].as_str().unwrap_or_default());
    let agents = rows("agents");
    if agents.is_empty() {
        return "No agents: name some in the settings as [[agents.agent]].\n".to_owned();
    }
    let mut shown = format!("{:<16}  {:<10}  {:<4}  {:>7}  GROUPS\n", "AGENT", "DOING", "AWAY", "CALLERS");
    for agent in &agents {
        let away = if agent["away"].as_bool() == Some(true) { "yes" } else { "" };
        let doing = text(agent, "state").replace('_', " ");
        let groups: Vec<String> =
            agent["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).map(harmless).collect();
        let taken = agent["taken"].as_u64().unwrap_or(0);
        shown.push_str(&format!(
            "{:<16}  {doing:<10}  {away:<4}  {taken:>7}  {}\n",
            text(agent, "agent"),
            groups.join(", ")
        ));
    }
    let waiting: Vec<String> = rows("groups")
        .iter()
        .map(|group| format!("{} {}", text(group, "group"), group["waiting"].as_u64().unwrap_or(0)))
        .collect();
    shown.push_str(&format!("\nWaiting: {}\n", waiting.join(", ")));
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn agents_stand_in_a_table_and_who_waits_below() {
        let told = json!({
            "agents": [
                { "agent": "alice", "state": "talking", "away": true, "taken": 3, "groups": ["cards", "desk"] },
                { "agent": "bob\u{1b}[2J", "state": "wrap_up", "away": false, "taken": 12, "groups": ["desk"] },
            ],
            "groups": [{ "group": "cards", "waiting": 0 }, { "group": "desk", "waiting": 4 }],
        });
        assert_eq!(
            table(&told),
            "AGENT             DOING       AWAY  CALLERS  GROUPS\n\
             alice             talking     yes         3  cards, desk\n\
             bob\u{fffd}[2J           wrap up                12  desk\n\
             \n\
             Waiting: cards 0, desk 4\n"
        );
        assert!(table(&json!({ "agents": [], "groups": [] })).starts_with("No agents: "));
    }
}
