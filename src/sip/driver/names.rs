//! Asks the name servers what [`Search`] wants to know.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

use crate::sip::locate::{Answer, Question, Search, Step};
use crate::sip::transport::{Hop, Target, Transport};

/// How long one name server is waited for, and how often it is asked: both together stay below the agent's patience.
const TRY: Duration = Duration::from_secs(2);
const TRIES: usize = 2;

/// A resolver shared by every lookup; it keeps answers for as long as they say.
#[derive(Clone, Debug)]
pub(super) struct Names {
    resolver: Option<Arc<TokioResolver>>,
    speaks: Arc<[Transport]>,
}

/// Where a target is, and how that was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// In the order to be tried.
    pub hops: Vec<Hop>,
    /// What the name servers were asked that had an answer, with the answer.
    pub asked: Vec<String>,
}

/// Looks a target up as the gateway does, for a person who wants to know what it would find. Asks `server`, or whom the
/// system asks; `speaks` are the transports that may be used.
///
/// # Errors
///
/// A sentence that says why it has no address.
pub async fn locate(target: &Target, server: Option<SocketAddr>, speaks: &[Transport]) -> Result<Located, String> {
    let mut asked = Vec::new();
    let names = Names::new(server, speaks);
    let hops = names.find_and_tell(target.clone(), rand::random(), |line| asked.push(line)).await?;
    Ok(Located { hops, asked })
}

impl Names {
    /// Asks `server`, or whom the system asks.
    pub(super) fn new(server: Option<SocketAddr>, speaks: &[Transport]) -> Self {
        let resolver = match build(server) {
            Ok(resolver) => Some(Arc::new(resolver)),
            Err(error) => {
                tracing::warn!(%error, "names cannot be looked up; only addresses will be reached");
                None
            }
        };
        Self { resolver, speaks: speaks.into() }
    }

    /// Can we use `transport` at all?
    pub(super) fn speaks(&self, transport: Transport) -> bool {
        self.speaks.contains(&transport)
    }

    /// Where `target` is, in the order to be tried.
    pub(super) async fn find(&self, target: Target, random: u64) -> Result<Vec<Hop>, String> {
        self.find_and_tell(target, random, |_| {}).await
    }

    async fn find_and_tell(
        &self,
        target: Target,
        random: u64,
        mut tell: impl FnMut(String),
    ) -> Result<Vec<Hop>, String> {
        let mut search = Search::new(target.clone(), &self.speaks, random);
        let mut fault = None;
        loop {
            match search.poll() {
                Step::Ask(question) => {
                    let answers = self.ask(&question).await.unwrap_or_else(|error| {
                        fault = Some(error);
                        Vec::new()
                    });
                    if !answers.is_empty() {
                        tell(format!("{question} → {}", shown(&answers)));
                    }
                    search.handle(&question, answers);
                }
                Step::Done(hops) if hops.is_empty() => {
                    return Err(fault.unwrap_or_else(|| {
                        format!("the name {} is not found, or has no usable address", target.host)
                    }));
                }
                Step::Done(hops) => return Ok(hops),
            }
        }
    }

    async fn ask(&self, question: &Question) -> Result<Vec<Answer>, String> {
        let Some(resolver) = &self.resolver else { return Err("no name server is configured".to_owned()) };
        let (name, kind) = match question {
            Question::Naptr(name) => (name, RecordType::NAPTR),
            Question::Srv(name) => (name, RecordType::SRV),
            Question::Aaaa(name) => (name, RecordType::AAAA),
            Question::A(name) => (name, RecordType::A),
        };
        // A name with a dot in it is complete: the system's search list would send it somewhere else.
        let name = if name.contains('.') && !name.ends_with('.') { format!("{name}.") } else { name.clone() };
        match resolver.lookup(name.as_str(), kind).await {
            Ok(lookup) => Ok(lookup.answers().iter().filter_map(|record| answer(&record.data)).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(format!("{name}: {error}")),
        }
    }
}

fn shown(answers: &[Answer]) -> String {
    answers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn answer(data: &RData) -> Option<Answer> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(match data {
        RData::NAPTR(naptr) => Answer::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            service: text(&naptr.services),
            replacement: naptr.replacement.to_ascii(),
        },
        RData::SRV(srv) => {
            Answer::Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: srv.target.to_ascii() }
        }
        RData::A(address) => Answer::Address(address.0.into()),
        RData::AAAA(address) => Answer::Address(address.0.into()),
        _ => return None,
    })
}

fn build(server: Option<SocketAddr>) -> Result<TokioResolver, String> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = match server {
        None => TokioResolver::builder_tokio().map_err(|error| error.to_string())?,
        Some(server) => {
            let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp]
                .into_iter()
                .map(|protocol| {
                    let mut connection = ConnectionConfig::new(protocol);
                    connection.port = server.port();
                    connection
                })
                .collect();
            let server = NameServerConfig::new(server.ip(), true, connections);
            Resolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), vec![server]), provider)
        }
    };
    let options: &mut ResolverOpts = builder.options_mut();
    (options.timeout, options.attempts) = (TRY, TRIES);
    builder.build().map_err(|error| error.to_string())
}
