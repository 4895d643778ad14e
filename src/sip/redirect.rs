//! Where to try next after a 3xx, and when to stop (RFC 3261 §8.1.3.4).
//!
//! ```text
//!   302 a;q=1, b;q=0.5 ─▶ a ─ 404 ─▶ b ─ 302 c ─▶ c ─ 302 d ─▶ too deep: the last refusal stands
//! ```
//!
//! Best `q` first, nobody twice, at most [`MOST_TARGETS`] of one response and [`MOST_LEVELS`] deep: two switches that
//! point at each other would else ring for ever.

use std::collections::{BTreeSet, VecDeque};

use super::message::Response;
use super::transport::Target;
use super::uri::{NameAddr, Uri};

/// Contacts taken of one response.
pub const MOST_TARGETS: usize = 5;
/// Redirections of redirections.
pub const MOST_LEVELS: u8 = 2;

/// Targets still to be tried.
#[derive(Clone, Debug, Default)]
pub struct Redirects {
    tried: BTreeSet<String>,
    waiting: VecDeque<(u8, Next)>,
    /// How deep the target is that is being tried.
    level: u8,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Request-URI.
    pub uri: String,
    /// First hop.
    pub towards: Target,
}

impl Redirects {
    /// The first target is `uri`.
    pub fn starting_at(uri: &str) -> Self {
        Self { tried: [same_as(uri)].into(), ..Self::default() }
    }

    /// Takes the contacts of a 3xx. A secure call stays secure (§8.1.3.4).
    pub fn take(&mut self, response: &Response, secure: bool) {
        if self.level >= MOST_LEVELS {
            return;
        }
        let mut contacts: Vec<(u16, Next)> = response
            .headers
            .list("Contact")
            .filter_map(|value| NameAddr::parse(value).ok())
            .filter(|contact| !contact.uri.has_headers && (!secure || contact.uri.scheme == "sips"))
            .filter_map(|contact| {
                let next = Next { towards: Target::of(&contact.uri)?, uri: bare(&contact.uri) };
                Some((quality(&contact), next))
            })
            .collect();
        // Stable: equals stay in their order.
        contacts.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        let mut taken = 0;
        // What a redirection says goes before what an older one left over.
        for (_, next) in contacts {
            if taken < MOST_TARGETS && self.tried.insert(same_as(&next.uri)) {
                self.waiting.insert(taken, (self.level + 1, next));
                taken += 1;
            }
        }
    }

    /// The next target.
    pub fn pop(&mut self) -> Option<Next> {
        let (level, next) = self.waiting.pop_front()?;
        self.level = level;
        Some(next)
    }
}

/// Thousandths; 1 where none is written (§20.10).
fn quality(contact: &NameAddr) -> u16 {
    let q = contact.params.iter().find(|param| param.name == "q").and_then(|param| param.value.as_deref());
    let (whole, rest) = match q {
        None => return 1000,
        Some(q) => q.split_once('.').unwrap_or((q, "")),
    };
    match whole {
        "1" => 1000,
        _ => format!("{:0<3.3}", rest).parse().unwrap_or(0),
    }
}

/// `method` and `headers` have no place in a Request-URI (§19.1.1); headers were refused before.
fn bare(uri: &Uri) -> String {
    let keep = |part: &&str| !part.to_ascii_lowercase().starts_with("method=");
    uri.text.split(';').filter(keep).collect::<Vec<_>>().join(";")
}

fn same_as(uri: &str) -> String {
    uri.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{CSeq, Raw, Via};

    fn moved(contacts: &str) -> Response {
        let raw = Raw::read(format!("SIP/2.0 302 Moved\r\n{contacts}\r\n\r\n").as_bytes()).headers;
        Response {
            status: 302,
            reason: String::new(),
            via: Via::parse("SIP/2.0/UDP h;branch=z9hG4bKx").unwrap(),
            cseq: CSeq::parse("1 INVITE").unwrap(),
            headers: raw,
            body: Vec::new(),
        }
    }

    fn all(redirects: &mut Redirects) -> Vec<String> {
        std::iter::from_fn(|| redirects.pop()).map(|next| next.uri).collect()
    }

    #[test]
    fn the_best_comes_first_and_nobody_twice() {
        let mut redirects = Redirects::starting_at("sip:a@h");
        let contacts =
            "Contact: <sip:c@h>;q=0.5, \"B\" <sip:b@h;method=INVITE>;q=0.75, <SIP:A@h>\r\nm: sip:d@h;q=0, <sip:e@h>";
        redirects.take(&moved(contacts), false);
        assert_eq!(all(&mut redirects), ["sip:e@h", "sip:b@h", "sip:c@h", "sip:d@h"]);
        redirects.take(&moved(contacts), false);
        assert_eq!(all(&mut redirects), [""; 0]);
    }

    #[test]
    fn what_cannot_be_called_is_left_out() {
        let mut redirects = Redirects::starting_at("sip:a@h");
        redirects
            .take(&moved("Contact: <tel:+1555>, <sip:b@h?Subject=x>, *, rubbish, <mailto:a@h>, <sip:ok@h>"), false);
        assert_eq!(all(&mut redirects), ["sip:ok@h"]);
        let mut secure = Redirects::starting_at("sips:a@h");
        secure.take(&moved("Contact: <sip:b@h>, <sips:c@h>"), true);
        assert_eq!(all(&mut secure), ["sips:c@h"]);
    }

    #[test]
    fn two_that_point_at_each_other_end_and_so_does_a_long_chain() {
        let mut redirects = Redirects::starting_at("sip:a@h");
        let mut hops = 0;
        for step in 0..10 {
            redirects.take(&moved(&format!("Contact: <sip:x{step}@h>, <sip:a@h>")), false);
            match redirects.pop() {
                Some(_) => hops += 1,
                None => break,
            }
        }
        assert_eq!(hops, MOST_LEVELS);
        let mut wide = Redirects::starting_at("sip:a@h");
        let contacts: Vec<String> = (0..50).map(|n| format!("<sip:x{n}@h>")).collect();
        wide.take(&moved(&format!("Contact: {}", contacts.join(","))), false);
        assert_eq!(all(&mut wide).len(), MOST_TARGETS);
    }

    #[test]
    fn the_targets_of_an_inner_redirection_are_tried_before_the_outer_ones() {
        let mut redirects = Redirects::starting_at("sip:a@h");
        redirects.take(&moved("Contact: <sip:b@h>, <sip:c@h>"), false);
        assert_eq!(redirects.pop().unwrap().uri, "sip:b@h");
        redirects.take(&moved("Contact: <sip:d@h>"), false);
        assert_eq!(redirects.pop().unwrap().uri, "sip:d@h");
        redirects.take(&moved("Contact: <sip:e@h>"), false);
        assert_eq!(all(&mut redirects), ["sip:c@h"], "d was as deep as it goes");
    }
}
