//! `say`: speak, then go.

use crate::dialplan::plan::Say;
use crate::dialplan::step::{Event, Next};
use crate::media::BargeIn;

/// Speaks when entered; whatever comes then leads on.
pub const fn next<'plan>(say: &'plan Say, event: &Event) -> Next<'plan> {
    match event {
        Event::Entered => Next::Say {
            prompt: &say.prompt,
            protected: say.protected,
            barge_in: if say.protected { BargeIn::Off } else { say.barge_in },
        },
        Event::Said | Event::Answered(_) | Event::NoInput | Event::NoMatch { .. } | Event::Error => Next::Go(say.go),
    }
}
