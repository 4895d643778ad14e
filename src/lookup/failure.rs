//! What can go wrong with a look-up: a name for the plan to branch on, a sentence for whoever runs it.
//!
//! The sentences hold no path, no query, no header, no byte of the answer: those are people's. The host stands in the
//! plan and in the settings.

use std::time::Duration;

use super::allow::Refusal;

/// Why nothing was found out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not even be asked.
    #[error("the request cannot be made: {0}")]
    Invalid(&'static str),
    /// A secret that the plan uses is not among those of the settings, or not set.
    #[error("the secret `{0}` is not known; name its variable in `secrets` of [lookups], and set it")]
    NoSecret(String),
    /// The host may not be asked.
    #[error("`{host}` {why}")]
    Refused {
        /// As the plan names it.
        host: String,
        /// Why not.
        why: Refusal,
    },
    /// Too many look-ups at once.
    #[error("all look-ups that may run at once were busy until the time was over")]
    Busy,
    /// No connection, or it broke.
    #[error("`{host}` cannot be reached: {why}")]
    Unreachable {
        /// As the plan names it.
        host: String,
        /// At which stage.
        why: Trouble,
    },
    /// No whole answer in time.
    #[error("no answer within {} ms", after.as_millis())]
    Timeout {
        /// The time it had.
        after: Duration,
    },
    /// The answer was longer than anybody reads.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    /// An answer that says no.
    #[error("the answer was the HTTP status {0}")]
    Status(u16),
    /// Sent elsewhere, where we do not go.
    #[error("the answer points elsewhere (HTTP status {0}), and may not be followed there")]
    Redirected(u16),
    /// The answer is not JSON.
    #[error("the answer is not JSON")]
    NotJson,
    /// The answer lacks what the plan wants to know.
    #[error("the answer has nothing at `{path}`")]
    Missing {
        /// As the plan writes it.
        path: String,
    },
    /// What the plan wants to know is there, and is something else.
    #[error("what the answer has at `{path}` is not {wanted}")]
    WrongType {
        /// As the plan writes it.
        path: String,
        /// What it should be, with its article.
        wanted: String,
    },
}

/// At which stage a host could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Its name.
    #[error("its name is not known")]
    Name,
    /// The connection.
    #[error("no connection")]
    Connect,
    /// The certificate.
    #[error("its certificate, or its TLS, is not to be trusted")]
    Tls,
    /// The connection ended, or HTTP went wrong on it.
    #[error("the connection broke before the answer was whole")]
    Broken,
}

impl Failure {
    /// Every name, for plans that branch on one.
    pub const NAMES: [&'static str; 11] = [
        "invalid",
        "refused",
        "busy",
        "unreachable",
        "timeout",
        "too_large",
        "status",
        "redirect",
        "not_json",
        "missing",
        "wrong_type",
    ];

    /// What plans call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::NoSecret(_) => "invalid",
            Self::Refused { .. } => "refused",
            Self::Busy => "busy",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::Status(_) => "status",
            Self::Redirected(_) => "redirect",
            Self::NotJson => "not_json",
            Self::Missing { .. } => "missing",
            Self::WrongType { .. } => "wrong_type",
        }
    }

    /// Will it fail again for every caller, until somebody mends the plan or the settings?
    pub const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Invalid(_) | Self::NoSecret(_) | Self::Refused { .. } | Self::Missing { .. } | Self::WrongType { .. }
        )
    }

    /// The HTTP status that came, where one did: a plan may tell 404 from 500.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) | Self::Redirected(status) => Some(*status),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_name_that_plans_may_use() {
        let (path, wanted) = ("order.due".to_owned(), "a date".to_owned());
        let all = [
            Failure::Invalid("a GET carries no body"),
            Failure::Refused { host: "crm.example".into(), why: Refusal::NotListed },
            Failure::Busy,
            Failure::Unreachable { host: "crm.example".into(), why: Trouble::Tls },
            Failure::Timeout { after: Duration::from_secs(5) },
            Failure::TooLarge { limit: 10 },
            Failure::Status(404),
            Failure::Redirected(302),
            Failure::NotJson,
            Failure::Missing { path: path.clone() },
            Failure::WrongType { path, wanted },
        ];
        assert_eq!(all.each_ref().map(Failure::name), Failure::NAMES);
        assert_eq!(all.iter().filter_map(Failure::status).collect::<Vec<_>>(), [404, 302]);
        let faults: Vec<_> = all.iter().filter(|failure| failure.is_fault()).map(Failure::name).collect();
        assert_eq!(faults, ["invalid", "refused", "missing", "wrong_type"]);
        assert_eq!(all[10].to_string(), "what the answer has at `order.due` is not a date");
    }
}
