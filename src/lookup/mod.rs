//! Look-ups: asking a house's own systems about the caller, by HTTP and JSON, while the caller waits.
//!
//! ```text
//!   plan: Request ──prepare──▶ Prepared ──▶ Run ──Send──▶ driver ──Event──▶ Run … ──▶ Answer ──Mapping──▶ values
//!          allow list, secrets                │ Wait (backoff, Retry-After)
//!                                             └─ one deadline for all of it
//! ```
//!
//! What may go wrong does: the far end hangs, answers garbage without end, sends elsewhere, or its name suddenly leads
//! to this very machine. Each is a [`Failure`] with a name that the plan branches on, before the caller has lost
//! patience. Who may be asked stands in the settings ([`LookupSettings`]), never in a plan alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;

use crate::pii::Pii;

pub mod address;
pub mod allow;
mod answer;
pub mod driver;
mod failure;
pub mod mapping;
mod prepare;
pub mod retry;
pub mod secrets;

pub use allow::{AllowList, HostPattern, Refusal};
pub use answer::Answer;
pub use failure::{Failure, Trouble};
pub use mapping::Mapping;
pub use prepare::{Prepared, origin};
pub use secrets::{Secrets, component};

/// What a plan asks. Everything in it may be personal or secret; `Debug` shows neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where: absolute, values in it passed through [`component`].
    pub url: Pii<String>,
    /// Header fields besides those we set ourselves.
    pub headers: BTreeMap<String, Pii<String>>,
    /// What is sent along, as JSON.
    pub body: Option<Pii<Json>>,
    /// All the time there is, repeats included; `None`: as the settings say.
    pub timeout: Option<Duration>,
    /// How often it is asked again when that may help.
    pub retries: u32,
    /// The same for every repeat of one wish, another for each wish: lets the far end see that a repeat is one. Without
    /// it, what might be done twice is not repeated.
    pub idempotency_key: Option<String>,
}

impl Request {
    /// A plain question.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            url: Pii::new(url.into()),
            headers: BTreeMap::new(),
            body: None,
            timeout: None,
            retries: Self::RETRIES,
            idempotency_key: None,
        }
    }

    /// The same to be told something.
    pub fn post(url: impl Into<String>, body: Json) -> Self {
        Self { method: Method::Post, body: Some(Pii::new(body)), ..Self::get(url) }
    }

    /// Repeats of a request whose plan does not say.
    pub const RETRIES: u32 = 2;
    /// No plan may ask for more: a far end that is down is not helped by a crowd.
    pub const MOST_RETRIES: u32 = 5;
}

/// How something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Tell me.
    Get,
    /// Take this.
    Post,
    /// This is how it is.
    Put,
    /// Change this of it.
    Patch,
    /// Take it away.
    Delete,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As HTTP and plans write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Reads it, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text))
    }

    /// Is asking twice the same as asking once (RFC 9110 §9.2.2)?
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Put | Self::Delete)
    }
}

/// Who may be asked, and how much of anything there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupSettings {
    /// Hosts.
    pub allow: AllowList,
    /// What plans may prove themselves by.
    pub secrets: Secrets,
    /// Longest answer, in bytes.
    pub max_bytes: usize,
    /// Time for a request that does not say.
    pub timeout: Duration,
    /// How often a redirect is followed, to the same host only.
    pub redirects: u32,
    /// Requests under way at once; one more waits.
    pub at_once: usize,
    /// Authorities (PEM) to believe besides the system's.
    pub ca: Option<PathBuf>,
}

impl LookupSettings {
    /// A caller who waits longer hears silence, or the same filler again and again.
    pub const LONGEST: Duration = Duration::from_secs(60);
    /// Past three, a redirect is a loop, or a maze.
    pub const MOST_REDIRECTS: u32 = 3;
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self {
            allow: AllowList::default(),
            secrets: Secrets::default(),
            max_bytes: 256 * 1024,
            timeout: Duration::from_secs(5),
            redirects: 0,
            at_once: 32,
            ca: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_nothing_of_a_person() {
        let mut request = Request::post("https://crm.example/callers/4711", serde_json::json!({ "pin": "0042" }));
        request.headers.insert("authorization".into(), Pii::new("Bearer s3cret".into()));
        let shown = format!("{request:?}");
        for hidden in ["4711", "0042", "s3cret"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn methods_are_read_in_either_case() {
        assert_eq!(Method::parse("patch"), Some(Method::Patch));
        assert_eq!(Method::parse("TRACE"), None);
        assert!(Method::ALL.into_iter().all(|method| Method::parse(method.as_str()) == Some(method)));
    }
}
