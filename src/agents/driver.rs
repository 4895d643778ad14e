//! Tells the webhook, in tasks beside each call, one event after the other: no call ever waits for it. An event is kept on
//! disk from the moment it happens until it is told.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tracing::{Instrument, Span, debug, info, warn};

use super::untold::{Untold, Untolds};
use super::webhook::{About, Happening, Webhook};
use crate::lookup::Failure;
use crate::lookup::driver::Lookups;
use crate::time::Clock;

/// Events of one call to one agent: it rings, is joined, is over.
const EVENTS: usize = 4;
/// What could not be told is tried again after this, while nobody answers.
const AGAIN: Duration = Duration::from_secs(60);
/// What happened so long ago is not being told beside its call any more.
const SETTLED: Duration = Duration::from_secs(5 * 60);

/// Whoever tells the house's own system of agents and callers. Clones share its connections.
#[derive(Clone)]
pub struct Hooks {
    webhook: Arc<Webhook>,
    /// Its own: what plans look up never waits behind what is only told.
    lookups: Lookups,
    untolds: Untolds,
    clock: Arc<dyn Clock>,
    /// Lines with something left to tell.
    lines: watch::Sender<usize>,
}

impl Hooks {
    /// Tells `webhook` through `lookups`, which nobody else should use, and keeps in `untolds` what is not told yet.
    pub fn new(webhook: Webhook, lookups: Lookups, untolds: Untolds, clock: Arc<dyn Clock>) -> Self {
        Self { webhook: Arc::new(webhook), lookups, untolds, clock, lines: watch::Sender::new(0) }
    }

    /// Opens the way for one call to one agent, or for one caller whom nobody helped. Its events arrive in order, and
    /// are still told when it is dropped.
    pub fn line(&self, about: About) -> Line {
        let (events, mut happened) = mpsc::channel::<(Happening, Timestamp)>(EVENTS);
        let (keep, mut kept) = mpsc::channel::<Untold>(EVENTS);
        let (hooks, key) = (self.clone(), format!("{}-{:016x}", about.handoff.call, rand::random::<u64>()));
        let (keeper, counted) = (self.clone(), Counted::of(&self.lines));
        // Kept as soon as it happens, however long the one before it takes to be told.
        let keeping = async move {
            let mut nth = 0;
            while let Some((happening, at)) = happened.recv().await {
                nth += 1;
                let untold = Untold { key: format!("{key}-{nth}"), at, event: about.event(happening, at) };
                keeper.keep(&untold).await;
                let _ = keep.send(untold).await;
            }
        };
        let telling = async move {
            while let Some(untold) = kept.recv().await {
                // Who is away is told later, out of what is kept.
                if hooks.is_settled(&untold).await {
                    hooks.forget(untold.key).await;
                }
            }
            drop(counted);
        };
        tokio::spawn(keeping.instrument(Span::current()));
        tokio::spawn(telling.instrument(Span::current()));
        Line { events, clock: self.clock.clone() }
    }

    /// Tells what an earlier run has left, and what this one could not tell while nobody listened, as soon as somebody
    /// does. To be called once, before calls come.
    pub fn catch_up(&self) {
        let hooks = self.clone();
        tokio::spawn(async move {
            // The first time everything there is was left by an earlier run.
            let mut settled = Duration::ZERO;
            loop {
                hooks.tell_what_is_left(settled).await;
                settled = SETTLED;
                tokio::time::sleep(AGAIN).await;
            }
        });
    }

    async fn tell_what_is_left(&self, settled: Duration) {
        let (untolds, now) = (self.untolds.clone(), self.clock.now().wall);
        let mut left = tokio::task::spawn_blocking(move || untolds.left(now)).await.unwrap_or_default();
        left.retain(|untold| now.duration_since(untold.at).unsigned_abs() >= settled);
        if !left.is_empty() {
            info!(events = left.len(), "telling the webhook of agents what it could not be told before");
        }
        for untold in left {
            if !self.is_settled(&untold).await {
                break;
            }
            self.forget(untold.key).await;
        }
    }

    /// Tells it. Is it told now, or refused for good?
    async fn is_settled(&self, untold: &Untold) -> bool {
        self.tell(untold).await.err().is_none_or(|failure| !is_away(&failure))
    }

    /// Waits until everything is told, for `grace` at most; what is left is told after the next start.
    pub async fn close(&self, grace: Duration) {
        let mut lines = self.lines.subscribe();
        if tokio::time::timeout(grace, lines.wait_for(|lines| *lines == 0)).await.is_err() {
            warn!("the webhook of agents was not told of everything; it will be after the next start");
        }
    }

    async fn keep(&self, untold: &Untold) {
        let (untolds, untold) = (self.untolds.clone(), untold.clone());
        match tokio::task::spawn_blocking(move || untolds.keep(&untold)).await {
            Ok(Ok(true)) | Err(_) => {}
            Ok(Ok(false)) => warn!("too many events wait for the webhook of agents; one more is told now or never"),
            Ok(Err(error)) => {
                warn!(%error, "an event for the webhook of agents cannot be kept; it is told now or never")
            }
        }
    }

    async fn forget(&self, key: String) {
        let untolds = self.untolds.clone();
        let _ = tokio::task::spawn_blocking(move || untolds.forget(&key)).await;
    }

    async fn tell(&self, untold: &Untold) -> Result<(), Failure> {
        match self.lookups.ask(&self.webhook.request(untold.event.clone(), untold.key.clone())).await {
            // It said yes; how it put that is its own business.
            Ok(_) | Err(Failure::NotJson | Failure::TooLarge { .. }) => debug!("the webhook of agents was told"),
            Err(failure) => {
                warn!(%failure, "the webhook of agents could not be told");
                return Err(failure);
            }
        }
        Ok(())
    }
}

/// May it be there later? Who refuses an event does so for good.
const fn is_away(failure: &Failure) -> bool {
    match failure {
        Failure::Timeout { .. } | Failure::Unreachable { .. } | Failure::Busy => true,
        Failure::Status(status) => matches!(status, 429 | 502..=504),
        _ => false,
    }
}

/// One more line that has something to tell, until it is dropped.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn of(lines: &watch::Sender<usize>) -> Self {
        lines.send_modify(|lines| *lines += 1);
        Self(lines.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|lines| *lines -= 1);
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// The way to the webhook for one call to one agent.
pub struct Line {
    events: mpsc::Sender<(Happening, Timestamp)>,
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
