//! Values as people say them, per language: said to a caller, and heard from one.
//!
//! ```text
//!   Amount USD 200.05 ── say ──▶ "two hundred dollars and five cents" · 两百美元五美分
//! ```
//!
//! English and Mandarin are spoken in words, since synthesisers disagree about figures. Every other language gets plain
//! figures, and its synthesiser reads them.

mod currencies;
pub mod digits;
pub mod heard;
pub mod markup;
pub mod redact;
mod said;

pub use currencies::{home_currency, home_region};
pub use said::{SayAs, say, yes_no};
