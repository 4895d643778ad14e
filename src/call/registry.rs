//! Which calls are live: a seat per call, taken before it is answered and given back when it is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};

use super::record::Direction;
use super::{NotNow, Order, TimelineEvent};
use crate::id::CallId;

/// What can be said of a live call without asking its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveCall {
    /// When its INVITE came, or went.
    pub since: Timestamp,
    /// Name of the plan it runs.
    pub plan: String,
    /// Its version: the plan may have been edited since the call began.
    pub version: String,
    /// Who called whom.
    pub direction: Direction,
    /// Peer it came from, or trunk it goes through.
    pub peer: String,
}

/// Why an order reached no call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// None begins so.
    #[error("no live call begins with {0}")]
    NoSuchCall(String),
    /// More than one does.
    #[error("more than one live call begins with {0}; type more of the id")]
    Ambiguous(String),
    /// It is ending, or has orders enough.
    #[error("the call takes no orders just now")]
    Deaf,
    /// It has heard, and cannot.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// An order on its way to its call.
#[derive(Debug)]
pub struct Ordered {
    /// What.
    pub order: Order,
    /// Whether it is taken; dropped when the call is over.
    pub reply: oneshot::Sender<Result<(), NotNow>>,
    /// Whoever wants to see what comes of it, once it is taken.
    pub watch: Option<mpsc::Sender<TimelineEvent>>,
}

#[derive(Debug)]
struct Entry {
    live: LiveCall,
    orders: mpsc::Sender<Ordered>,
}

/// Every live call of this process. Clones share the seats.
#[derive(Clone, Debug)]
pub struct Registry {
    live: Arc<Mutex<BTreeMap<CallId, Entry>>>,
    left: Arc<Notify>,
    seats: usize,
}

impl Registry {
    /// Room for `seats` calls at once.
    pub fn with_seats(seats: usize) -> Self {
        Self { live: Arc::default(), left: Arc::default(), seats }
    }

    /// Takes a seat, or `None` when every one is taken: the caller hears 503 rather than bad sound. What others want of
    /// the call goes into `orders`.
    pub fn take(&self, call: CallId, live: LiveCall, orders: mpsc::Sender<Ordered>) -> Option<Seat> {
        let mut seats = self.locked();
        if seats.len() >= self.seats {
            return None;
        }
        seats.insert(call.clone(), Entry { live, orders });
        Some(Seat { registry: self.clone(), call })
    }

    /// How many calls are live.
    pub fn len(&self) -> usize {
        self.locked().len()
    }

    /// Is nobody on the line?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until nobody is on the line.
    pub async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // From here on no leaving is missed.
            left.as_mut().enable();
            if self.is_empty() {
                return;
            }
            left.await;
        }
    }

    /// A copy of what is live now, by arrival.
    pub fn snapshot(&self) -> Vec<(CallId, LiveCall)> {
        self.locked().iter().map(|(call, entry)| (call.clone(), entry.live.clone())).collect()
    }

    /// Gives a live call an order and hears whether it takes it; `typed` is its id or the beginning of it, in either
    /// case. `watch`: where to tell what happens from then on.
    pub async fn order(
        &self,
        typed: &str,
        order: Order,
        watch: Option<mpsc::Sender<TimelineEvent>>,
    ) -> Result<CallId, OrderError> {
        let (call, taken) = self.give(typed, order, watch)?;
        taken.await.map_err(|_| OrderError::Deaf)??;
        Ok(call)
    }

    /// Has a live call hung up, whether or not it still listens.
    pub fn hang_up(&self, call: &CallId) {
        let _ = self.give(call.as_str(), Order::Hangup, None);
    }

    fn give(
        &self,
        typed: &str,
        order: Order,
        watch: Option<mpsc::Sender<TimelineEvent>>,
    ) -> Result<(CallId, oneshot::Receiver<Result<(), NotNow>>), OrderError> {
        let wanted = typed.trim().to_ascii_uppercase();
        let live = self.locked();
        let mut fitting = live.iter().filter(|(call, _)| call.as_str().starts_with(&wanted));
        let (call, entry) = fitting.next().ok_or_else(|| OrderError::NoSuchCall(wanted.clone()))?;
        if fitting.next().is_some() {
            return Err(OrderError::Ambiguous(wanted));
        }
        let (reply, taken) = oneshot::channel();
        entry.orders.try_send(Ordered { order, reply, watch }).map_err(|_| OrderError::Deaf)?;
        Ok((call.clone(), taken))
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<CallId, Entry>> {
        self.live.lock().expect("nobody panics while holding the register of calls")
    }
}

/// A live call's place in the [`Registry`]; dropping it gives the place back, however the call ended.
#[derive(Debug)]
pub struct Seat {
    registry: Registry,
    call: CallId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.locked().remove(&self.call);
        self.registry.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> LiveCall {
        let (plan, version, peer) = ("bank".into(), "00".into(), "local".into());
        LiveCall { since: Timestamp::UNIX_EPOCH, plan, version, direction: Direction::Inbound, peer }
    }

    fn id(random: u128) -> CallId {
        CallId::new(Timestamp::UNIX_EPOCH, random)
    }

    #[test]
    fn a_full_house_turns_callers_away_until_one_leaves() {
        let registry = Registry::with_seats(1);
        let (orders, _kept) = mpsc::channel(1);
        let take = |random| registry.take(id(random), live(), orders.clone());
        let first = take(1);
        assert!(first.is_some());
        assert!(take(2).is_none());
        drop(first);
        assert!(registry.is_empty());
        assert!(take(3).is_some());
    }

    #[tokio::test]
    async fn an_order_reaches_the_call_it_names_and_no_other() {
        let registry = Registry::with_seats(9);
        let (one, mut of_one) = mpsc::channel(1);
        let (other, mut of_other) = mpsc::channel(1);
        let _seats = [registry.take(id(1), live(), one), registry.take(id(2), live(), other)];
        let typed = id(2).as_str().to_lowercase();
        for (said, heard) in [(Ok(()), Ok(id(2))), (Err(NotNow::Ending), Err(OrderError::NotNow(NotNow::Ending)))] {
            let taken = async {
                let ordered = of_other.recv().await.unwrap();
                assert_eq!(ordered.order, Order::Hangup);
                ordered.reply.send(said).unwrap();
            };
            let (told, ()) = tokio::join!(registry.order(&typed, Order::Hangup, None), taken);
            assert_eq!(told, heard);
        }
        assert!(of_one.try_recv().is_err());
        let order = async |typed: &str| registry.order(typed, Order::Hangup, None).await;
        assert!(matches!(order("").await, Err(OrderError::Ambiguous(_))));
        assert!(matches!(order("7ZZZ").await, Err(OrderError::NoSuchCall(_))));
        drop(of_one);
        assert_eq!(order(id(1).as_str()).await, Err(OrderError::Deaf));
        let ends = async { drop(of_other.recv().await) };
        let (told, ()) = tokio::join!(registry.order(&typed, Order::Hold, None), ends);
        assert_eq!(told, Err(OrderError::Deaf), "a call that ends over an order has not taken it");
    }

    #[tokio::test]
    async fn waiting_for_the_last_to_leave_ends_when_it_has() {
        let registry = Registry::with_seats(2);
        registry.emptied().await;
        let (orders, _kept) = mpsc::channel(1);
        let seats = [registry.take(id(1), live(), orders.clone()), registry.take(id(2), live(), orders)];
        let waiting = registry.emptied();
        tokio::pin!(waiting);
        assert!(futures_pending(waiting.as_mut()).await);
        drop(seats);
        waiting.await;
    }

    /// Is it still waiting, after everything that could run has?
    async fn futures_pending(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        tokio::select! {
            biased;
            () = future => false,
            () = tokio::task::yield_now() => true,
        }
    }
}
