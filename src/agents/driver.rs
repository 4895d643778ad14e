//! Tells the webhook, in a task beside each call, one event after the other: no call ever waits for it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{Instrument, Span, debug, warn};

use super::webhook::{About, Happening, Webhook};
use crate::lookup::Failure;
use crate::lookup::driver::Lookups;
use crate::time::Clock;

/// Events of one call to one agent: it rings, is joined, is over.
const EVENTS: usize = 4;

/// Whoever tells the house's own system of agents and callers. Clones share its connections.
#[derive(Clone)]
pub struct Hooks {
    webhook: Arc<Webhook>,
    /// Its own: what plans look up never waits behind what is only told.
    lookups: Lookups,
    clock: Arc<dyn Clock>,
}

impl Hooks {
    /// Tells `webhook` through `lookups`, which nobody else should use.
    pub fn new(webhook: Webhook, lookups: Lookups, clock: Arc<dyn Clock>) -> Self {
        Self { webhook: Arc::new(webhook), lookups, clock }
    }

    /// Opens the way for one call to one agent, or for one caller whom nobody helped. Its events arrive in order, and
    /// are still told when it is dropped.
    pub fn line(&self, about: About) -> Line {
        let (events, mut happened) = mpsc::channel::<(Happening, jiff::Timestamp)>(EVENTS);
        let (hooks, key) = (self.clone(), format!("{}-{:016x}", about.handoff.call, rand::random::<u64>()));
        let telling = async move {
            let mut nth = 0;
            while let Some((happening, at)) = happened.recv().await {
                nth += 1;
                hooks.tell(about.event(happening, at), format!("{key}-{nth}")).await;
            }
        };
        tokio::spawn(telling.instrument(Span::current()));
        Line { events, clock: self.clock.clone() }
    }

    async fn tell(&self, event: serde_json::Value, key: String) {
        match self.lookups.ask(&self.webhook.request(event, key)).await {
            // It said yes; how it put that is its own business.
            Ok(_) | Err(Failure::NotJson | Failure::TooLarge { .. }) => debug!("the webhook of agents was told"),
            Err(failure) => warn!(%failure, "the webhook of agents could not be told"),
        }
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// The way to the webhook for one call to one agent.
pub struct Line {
    events: mpsc::Sender<(Happening, jiff::Timestamp)>,
    clock: Arc<dyn Clock>,
}

impl Line {
    /// Tells it, later. Never waits: `EVENTS` is all that can happen to one call.
    pub fn tell(&self, happening: Happening) {
        if self.events.try_send((happening, self.clock.now().wall)).is_err() {
            warn!("the webhook of agents is too slow; an event is lost");
        }
    }
}
