//! Legs that we open. This is only the shape; the lane `caller` brings the life.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::branch::{Act, Branch, ClientNews, Context, Tx};
use super::message::Request;
use super::respond::Origin;
use super::transport::Path;
use super::trunk::TrunkSpec;
use super::{Dial, DialError, LegCommand, LegEnd, LegEvent};
use crate::id::LegId;
use crate::time::Now;

/// One SIP branch that we opened.
#[derive(Debug)]
pub(super) struct OutLeg {
    tag: Arc<str>,
    call_id: String,
    acts: VecDeque<Act>,
}

impl OutLeg {
    pub(super) fn dial(
        _id: LegId,
        _dial: Dial,
        _trunk: Option<&TrunkSpec>,
        context: Context,
        _now: Now,
    ) -> Result<Self, DialError> {
        let acts = VecDeque::from([Act::Event(LegEvent::Ended(LegEnd::Unreachable)), Act::Gone]);
        Ok(Self { tag: format!("{:016x}", context.seed).into(), call_id: format!("{:016x}", !context.seed), acts })
    }

    pub(super) fn call_id(&self) -> &str {
        &self.call_id
    }
}

impl Branch for OutLeg {
    fn handle_command(&mut self, _command: LegCommand, _now: Now) {}

    fn handle_request(&mut self, _request: &Request, _origin: &Origin, _key: &Arc<str>, _now: Now) {}

    fn handle_ack(&mut self, _request: &Request, _now: Now) {}

    fn handle_cancel(&mut self, _key: &Arc<str>, _now: Now) {}

    fn handle_news(&mut self, _tx: Tx, _news: ClientNews, _path: Option<&Path>, _now: Now) {}

    fn handle_timeout(&mut self, _now: Now) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn local_tag(&self) -> &Arc<str> {
        &self.tag
    }

    fn owns(&self, _call_id: &str, _remote_tag: &str) -> bool {
        false
    }

    fn replaces(&self) -> Option<String> {
        None
    }
}
