//! Placing calls from anywhere in the product.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::port::Control;
use crate::sip::callee::Callee;
use crate::sip::stats::SipStats;
use crate::sip::trunk::{PublicAddress, TrunkSpec, TrunkStatus};
use crate::sip::{Dial, DialError, OutgoingLeg};

/// Places calls. Clones speak to the same server.
#[derive(Clone, Debug)]
pub struct Dialer {
    control: mpsc::Sender<Control>,
    trunks: Arc<[TrunkSpec]>,
}

impl Dialer {
    pub(super) fn new(control: mpsc::Sender<Control>, trunks: Arc<[TrunkSpec]>) -> Self {
        Self { control, trunks }
    }

    /// Which of our addresses faces the far end of a call to `to` (through `trunk`): what belongs into the session
    /// description, before there is a leg.
    pub async fn local_for(&self, to: &str, trunk: Option<&str>) -> Result<IpAddr, DialError> {
        let trunk = self.trunk(trunk)?;
        if let Some(PublicAddress::Fixed(ip, _)) = trunk.map(|trunk| trunk.public) {
            return Ok(ip);
        }
        let target = Callee::of(to, trunk)?.towards;
        let shown = target.to_string();
        let found = self.ask(|reply| Control::LocalFor(target, reply)).await?;
        found.map_err(|cause| DialError::NoAddress { target: shown, cause })
    }

    /// Could a call go to `to` (through `trunk`), as far as that can be told without asking anybody?
    ///
    /// # Errors
    ///
    /// [`DialError::NoSuchTrunk`] and [`DialError::NotDialable`].
    pub fn judge(&self, to: &str, trunk: Option<&str>) -> Result<(), DialError> {
        Callee::of(to, self.trunk(trunk)?).map(drop)
    }

    fn trunk(&self, name: Option<&str>) -> Result<Option<&TrunkSpec>, DialError> {
        let Some(name) = name else { return Ok(None) };
        let found = self.trunks.iter().find(|trunk| &*trunk.name == name);
        found.map(Some).ok_or_else(|| DialError::NoSuchTrunk(name.into()))
    }

    /// Places a call.
    pub async fn dial(&self, dial: Dial) -> Result<OutgoingLeg, DialError> {
        // What the log says of the call is said inside the caller's span.
        self.ask(|reply| Control::Dial(Box::new(dial), tracing::Span::current(), reply)).await?
    }

    /// How the trunks are doing, in the order of their names; empty once the server is down.
    pub async fn trunks(&self) -> Vec<TrunkStatus> {
        self.ask(Control::Trunks).await.unwrap_or_default()
    }

    /// Counters so far; `None` once the server is down.
    pub async fn stats(&self) -> Option<SipStats> {
        self.ask(Control::Stats).await.ok()
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Control) -> Result<T, DialError> {
        let (reply, answer) = oneshot::channel();
        self.control.send(order(reply)).await.map_err(|_| DialError::Closed)?;
        answer.await.map_err(|_| DialError::Closed)
    }
}
