//! Where consultations live: each in a task of its own, beside the call it is made for.

use tracing::{Instrument, Span};

/// Lets `consultation` run until it is over, logging as the call it is made for.
pub(super) fn start(consultation: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(consultation.instrument(Span::current()));
}
