//! Peers that are asked for their password and never answer.
//!
//! Telephones exist that give up on a challenge whose first algorithm they do not know, instead of reading the next one
//! (RFC 8760 §2.4 wants them to). Nobody is offered a weaker hash for that without being asked: the log tells the admin
//! once, with the line to write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::auth::Algorithm;

/// Challenges without an answer that make a peer mute.
const ASKED: u32 = 3;
/// And they spread over this long: many calls may begin at once before the first has answered.
const FOR: Duration = Duration::from_secs(32);

/// By peer: as many as are configured.
#[derive(Debug, Default)]
pub struct Mutes(BTreeMap<Arc<str>, Asked>);

#[derive(Debug)]
enum Asked {
    Since(Instant, u32),
    /// It can answer, or the admin knows that it does not.
    Settled,
}

impl Mutes {
    /// `peer` was asked, `first` algorithm on top, and has not answered before.
    pub fn asked(&mut self, peer: &Arc<str>, first: &Option<Algorithm>, now: Instant) {
        let known = self.0.entry(peer.clone()).or_insert(Asked::Since(now, 0));
        let Asked::Since(since, times) = known else { return };
        *times += 1;
        if *times >= ASKED && now.saturating_duration_since(*since) >= FOR {
            *known = Asked::Settled;
            match first {
                Some(Algorithm::Md5) | None => tracing::warn!(
                    %peer, "was asked for its password again and again and never answers; has it been given one?"
                ),
                Some(first) => tracing::warn!(
                    %peer, first = first.name(),
                    "was asked for its password again and again and never answers; if it knows MD5 alone, set \
                     digest = [\"md5\"] in its [[peer]]"
                ),
            }
        }
    }

    /// `peer` has answered rightly.
    pub fn proved(&mut self, peer: &Arc<str>) {
        if !matches!(self.0.get(peer), Some(Asked::Settled)) {
            self.0.insert(peer.clone(), Asked::Settled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use crate::observe::captured;
    use crate::time::{Clock, SystemClock};

    #[test]
    fn the_admin_is_told_once_of_a_peer_that_never_answers() {
        let (page, _guard) = captured("warn", LogFormat::Text);
        let (start, peer) = (SystemClock.now().mono, Arc::<str>::from("old phone"));
        let mut mutes = Mutes::default();
        for second in [0, 0, 0, 5, 31] {
            mutes.asked(&peer, &Some(Algorithm::Sha256), start + Duration::from_secs(second));
        }
        assert_eq!(page.text(), "", "many calls at once are no sign");
        for second in [32, 33, 60] {
            mutes.asked(&peer, &Some(Algorithm::Sha256), start + Duration::from_secs(second));
        }
        assert_eq!(
            page.text()
                .matches("digest = [\\\"md5\\\"]")
                .count()
                .max(page.text().matches("digest = [\"md5\"]").count()),
            1,
            "{}",
            page.text()
        );
        let able = Arc::<str>::from("able");
        mutes.proved(&able);
        for second in 0..99 {
            mutes.asked(&able, &Some(Algorithm::Sha256), start + Duration::from_secs(second));
        }
        assert!(!page.text().contains("able"), "{}", page.text());
    }
}
