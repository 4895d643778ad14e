//! Session descriptions and what two of them agree on (RFC 8866, RFC 3264).
//!
//! `session` reads what the far end wrote, tolerating what real phones send; `negotiate` makes offers and answers.
//! Both are pure: text in, text and [`crate::rtp::StreamParams`] out.

mod crypto;
pub mod negotiate;
pub mod negotiation;
pub mod security;
pub mod session;
mod write;

pub use negotiate::{Local, Preference, TELEPHONE_EVENT, accept_answer, answer, offer};
pub use negotiation::Negotiation;
pub use security::SrtpPolicy;
pub use session::{Direction, SdpError};
