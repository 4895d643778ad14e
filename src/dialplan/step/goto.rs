//! `goto`: lead elsewhere, at once.

use crate::dialplan::plan::Target;
use crate::dialplan::step::Next;

/// Goes there, whatever happened.
pub const fn next(target: Target) -> Next<'static> {
    Next::Go(target)
}
