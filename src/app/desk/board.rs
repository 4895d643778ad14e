//! What a person may know and say of the agents through the control socket: who is free, who waits, who is away.

use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Desk, Order};
use crate::agents::{Input, Queue};

/// How it stands, for those who ask: `{"agents": [{"agent", "state", "away", "taken", "groups"}], "groups": [{"group",
/// "waiting"}]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Board(pub Value);

/// What is said of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// They take no more callers, until they are back; whom they talk to, they keep.
    Away,
    /// They take callers, at once.
    Back,
}

impl Board {
    pub(super) fn of(queue: &Queue) -> Self {
        let roster = queue.roster();
        let agents = roster.agents().map(|(ix, agent)| {
            json!({
                "agent": &*agent.name,
                "state": queue.state_of(ix),
                "away": queue.is_away(ix),
                "taken": queue.taken_by(ix),
                "groups": agent.groups.iter().map(|group| &**group).collect::<Vec<_>>(),
            })
        });
        let groups = roster.groups().map(|(name, _)| json!({ "group": &**name, "waiting": queue.waiting(name) }));
        Self(json!({ "agents": agents.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>() }))
    }
}

impl Presence {
    /// Says it of the agent of that name.
    pub(super) fn of(self, name: &str, queue: &mut Queue, now: Instant) -> Result<(), String> {
        let agent = queue.roster().find(name);
        let agent = agent.ok_or_else(|| format!("there is no agent `{name}`; `trunkline agents` lists them"))?;
        queue.handle(if self == Self::Away { Input::Away(agent) } else { Input::Back(agent) }, now);
        Ok(())
    }
}

impl Desk {
    /// How it stands.
    pub async fn look(&self) -> Value {
        let (answer, told) = oneshot::channel();
        let asked = self.orders.send(Order::Look(answer)).await;
        match (asked, told.await) {
            (Ok(()), Ok(board)) => board.0,
            _ => closed(),
        }
    }

    /// Somebody is away, or back: how it stands then, or why not.
    pub async fn presence(&self, agent: &str, presence: Presence) -> Value {
        let (answer, told) = oneshot::channel();
        let asked = self.orders.send(Order::Presence(agent.to_owned(), presence, answer)).await;
        match (asked, told.await) {
            (Ok(()), Ok(Ok(board))) => board.0,
            (Ok(()), Ok(Err(why))) => json!({ "error": why }),
            _ => closed(),
        }
    }
}

fn closed() -> Value {
    json!({ "error": "the agents' desk is closed" })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use super::*;
    use crate::agents::{Agent, Group, Roster};
    use crate::pii::Pii;
    use crate::time::{Clock as _, SystemClock};

    fn roster() -> Roster {
        let ada = Agent {
            name: "ada".into(),
            to: Pii::new("sip:ada@pbx.example".into()),
            trunk: None,
            groups: BTreeSet::from([Arc::from("desk")]),
            skills: BTreeSet::new(),
            languages: Vec::new(),
            regions: BTreeSet::new(),
            priority: 0,
            lines: 1,
        };
        let groups = BTreeMap::from([(Arc::from("desk"), Group::default())]);
        Roster::new(vec![ada], groups, &BTreeMap::new(), &[]).unwrap()
    }

    #[tokio::test]
    async fn who_is_away_is_away_after_a_restart_and_who_came_back_is_not() {
        let data = tempfile::tempdir().unwrap();
        let open = || Desk::open(Arc::new(roster()), data.path(), Arc::new(SystemClock));
        let away = |told: Value| told["agents"][0]["away"].clone();
        assert_eq!(away(open().look().await), json!(false));
        open().presence("ada", Presence::Away).await;
        let again = open();
        assert_eq!(away(again.look().await), json!(true));
        again.presence("ada", Presence::Back).await;
        assert_eq!(away(open().look().await), json!(false));
        // A name that the settings do not know any more keeps nobody from working.
        std::fs::write(data.path().join("agents-away"), "bob\n").unwrap();
        assert_eq!(away(open().look().await), json!(false));
    }

    #[tokio::test]
    async fn whoever_is_told_to_be_away_is_until_told_otherwise_and_strangers_are_named() {
        let data = tempfile::tempdir().unwrap();
        let desk = Desk::open(Arc::new(roster()), data.path(), Arc::new(SystemClock));
        let state = |told: &Value| (told["agents"][0]["state"].clone(), told["agents"][0]["away"].clone());
        let look = desk.look().await;
        assert_eq!(state(&look), (json!("free"), json!(false)));
        assert_eq!(look["groups"], json!([{ "group": "desk", "waiting": 0 }]));
        assert_eq!(state(&desk.presence("ada", Presence::Away).await), (json!("away"), json!(true)));
        assert_eq!(state(&desk.look().await), (json!("away"), json!(true)));
        assert_eq!(state(&desk.presence("ada", Presence::Back).await), (json!("free"), json!(false)));
        let stranger = desk.presence("bob", Presence::Away).await;
        assert_eq!(stranger, json!({ "error": "there is no agent `bob`; `trunkline agents` lists them" }));
    }

    #[test]
    fn who_waits_is_counted_by_group() {
        let now = SystemClock.now().mono;
        let mut queue = Queue::new(Arc::new(roster()), now);
        for ticket in 1..=2 {
            let needs = crate::agents::Needs::of("desk");
            queue.handle(Input::Enter { ticket: crate::agents::Ticket(ticket), needs }, now);
        }
        let Board(told) = Board::of(&queue);
        assert_eq!((&told["agents"][0]["state"], &told["groups"][0]["waiting"]), (&json!("ringing"), &json!(2)));
    }
}
