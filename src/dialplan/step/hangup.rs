//! `hangup`: a last word, then the end.

use crate::dialplan::plan::Hangup;
use crate::dialplan::step::Next;

/// Ends the call, whatever happened.
pub fn next(hangup: &Hangup) -> Next<'_> {
    Next::End { prompt: hangup.prompt.as_ref(), result: hangup.result.as_deref() }
}
