//! Who is expected at a SIP endpoint, by the name that is dialled.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::sip::{IncomingLeg, LegCommand, Rejection};

/// A leg that somebody waits for.
pub(super) type Awaited = oneshot::Receiver<IncomingLeg>;

/// Lets in who is expected. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<Mutex<BTreeMap<String, oneshot::Sender<IncomingLeg>>>>);

impl Door {
    /// Somebody will dial this.
    pub fn expect(&self, name: &str) -> Awaited {
        let (arrived, leg) = oneshot::channel();
        self.expected().insert(name.to_owned(), arrived);
        leg
    }

    /// Lets in who is expected, and turns everybody else away.
    pub async fn keep(self, mut incoming: mpsc::Receiver<IncomingLeg>) {
        while let Some(leg) = incoming.recv().await {
            let awaited = self.expected().remove(leg.called.reveal());
            let turned_away = match awaited {
                Some(awaited) => awaited.send(leg).err(),
                None => Some(leg),
            };
            // A leg that nobody talks to any more ends by itself.
            if let Some(leg) = turned_away {
                let _ = leg.commands.send(LegCommand::Reject(Rejection::status(404))).await;
            }
        }
    }

    fn expected(&self) -> MutexGuard<'_, BTreeMap<String, oneshot::Sender<IncomingLeg>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
