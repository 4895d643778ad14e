//! Where a call should go before anybody has said a word: by the calendar, by where the caller's number is at home, by
//! lot.
//!
//! Pure: the time comes in, the tables are in the binary.

pub mod calendar;
pub mod day;
pub mod dialling;
pub mod region;
mod split;

pub use calendar::{Calendar, Opening, Special};
pub use day::{DayRule, Days, Hours};
pub use region::{LineType, Region, region_of};
pub use split::split;
