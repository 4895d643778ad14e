//! Session descriptions and what two of them agree on (RFC 8866, RFC 3264).
//!
//! `session` reads what the far end wrote, tolerating what real phones send; `negotiate` makes offers and answers.
//! Both are pure: text in, text and [`crate::rtp::StreamParams`] out.

pub mod negotiate;
pub mod session;

pub use negotiate::{Local, Preference, TELEPHONE_EVENT, accept_answer, answer, offer};
pub use session::{Direction, SdpError};
