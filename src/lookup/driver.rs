//! Look-ups on the wire: one HTTP client for the whole house, and the loop that drives each [`Run`].

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Client, Url, redirect, retry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tracing::debug;

use super::allow::{AllowList, Refusal};
use super::answer::{Answer, Body, Head};
use super::failure::{Failure, Trouble};
use super::prepare::Prepared;
use super::retry::{Event, Next, Run};
use super::{LookupSettings, Method, Request};
use crate::time::Clock;

/// Connections kept open to one host for the next caller.
const IDLE_PER_HOST: usize = 8;

/// Asks for everybody. Clones share connections and limits; a future that is dropped (the caller hung up) ends its
/// request.
#[derive(Clone)]
pub struct Lookups {
    shared: Arc<Shared>,
}

struct Shared {
    settings: LookupSettings,
    client: Client,
    at_once: Semaphore,
    clock: Arc<dyn Clock>,
}

/// Why nobody can be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum LookupFault {
    /// The file of authorities cannot be used.
    #[error("the certificate authority `{path}` of [lookups] cannot be used: {cause}", path = path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The HTTP client cannot be made.
    #[error("look-ups cannot be made: {0}")]
    Client(#[source] reqwest::Error),
}

/// Who knows the addresses of names.
#[async_trait]
pub trait Names: Send + Sync + 'static {
    /// Every address of `host`.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

impl Lookups {
    /// Ready to ask. Reads the certificates of the system: some hundred files.
    ///
    /// # Errors
    ///
    /// [`LookupFault`] when the authorities cannot be read.
    pub fn new(settings: LookupSettings, clock: Arc<dyn Clock>) -> Result<Self, LookupFault> {
        Self::with_names(settings, clock, Arc::new(SystemNames))
    }

    /// The same, with names known otherwise.
    ///
    /// # Errors
    ///
    /// As [`Lookups::new`].
    pub fn with_names(
        settings: LookupSettings,
        clock: Arc<dyn Clock>,
        names: Arc<dyn Names>,
    ) -> Result<Self, LookupFault> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(&settings)?)
            .dns_resolver(Judged { names, allow: Arc::new(settings.allow.clone()) })
            // Redirects and repeats are decided by `retry`, proxies would ask in our place whom we may not ask.
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(LookupFault::Client)?;
        let at_once = Semaphore::new(settings.at_once.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { shared: Arc::new(Shared { settings, client, at_once, clock }) })
    }

    /// The settings it works by.
    pub fn settings(&self) -> &LookupSettings {
        &self.shared.settings
    }

    /// Asks, waits, asks again, until there is an answer or the time is over.
    ///
    /// # Errors
    ///
    /// [`Failure`], never later than the request's timeout.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let Shared { settings, clock, at_once, .. } = &*self.shared;
        let prepared = request.prepare(settings)?;
        let (host, began) = (prepared.host(), clock.now());
        let mut run = Run::new(prepared.clone(), settings, began);
        let result = loop {
            let event = match run.next() {
                Next::Send { url, method, deadline } => {
                    // One at a time: who waits to ask again takes nobody's turn meanwhile.
                    let permit = tokio::time::timeout_at(deadline.into(), at_once.acquire()).await;
                    let Ok(_permit) = permit else { break Err(Failure::Busy) };
                    let exchange = self.exchange(&prepared, url, method);
                    tokio::time::timeout_at(deadline.into(), exchange).await.unwrap_or(Event::TimedOut)
                }
                Next::Wait(until) => {
                    tokio::time::sleep_until(until.into()).await;
                    Event::Waited
                }
                Next::Done(result) => break result,
            };
            run.handle(event, clock.now(), rand::random());
        };
        let took_ms = clock.now().mono.duration_since(began.mono).as_millis();
        match &result {
            Ok(answer) => debug!(host, took_ms, status = answer.status, attempts = answer.attempts, "looked up"),
            Err(failure) => debug!(host, took_ms, %failure, "look-up failed"),
        }
        result
    }

    async fn exchange(&self, prepared: &Prepared, url: Url, method: Method) -> Event {
        let method = reqwest::Method::from_bytes(method.as_str().as_bytes()).expect("HTTP knows our methods");
        let mut request = self.shared.client.request(method, url).headers(prepared.headers.clone());
        if let Some(body) = &prepared.body {
            request = request.body(body.to_vec());
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return trouble(&error, prepared.host()),
        };
        let head = head(&response);
        if !head.is_success() {
            return Event::Refused(head);
        }
        let mut body = match Body::expected(&head, self.shared.settings.max_bytes) {
            Ok(body) => body,
            Err(failure) => return Event::Answered(head, Err(failure)),
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    if let Err(failure) = body.push(&chunk) {
                        return Event::Answered(head, Err(failure));
                    }
                }
                Ok(None) => break,
                Err(_) => return Event::Trouble(Trouble::Broken),
            }
        }
        let json = body.read(&head);
        Event::Answered(head, json)
    }
}

/// Addresses are judged where they come in: a name that was permitted may lead where nobody may go.
struct Judged {
    names: Arc<dyn Names>,
    allow: Arc<AllowList>,
}

/// Travels through the client's errors back to us.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Forbidden(Refusal);

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, allow) = (self.names.clone(), self.allow.clone());
        Box::pin(async move {
            let host = name.as_str();
            let mut refusal = None;
            let mut permitted = Vec::new();
            for address in names.addresses(host).await? {
                match allow.permits_address(host, address) {
                    Ok(()) => permitted.push(SocketAddr::new(address, 0)),
                    Err(why) => refusal = Some(why),
                }
            }
            match refusal {
                Some(why) if permitted.is_empty() => Err(Forbidden(why).into()),
                _ => Ok(Box::new(permitted.into_iter()) as Addrs),
            }
        })
    }
}

fn head(response: &reqwest::Response) -> Head {
    let field = |name: HeaderName| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    Head {
        status: response.status().as_u16(),
        content_type: field(CONTENT_TYPE),
        length: response.content_length(),
        retry_after: field(RETRY_AFTER),
        location: field(LOCATION),
    }
}

/// What an error of the client means. Its own words would hold the URL.
fn trouble(error: &reqwest::Error, host: String) -> Event {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(Forbidden(why)) = error.downcast_ref::<Forbidden>() {
            return Event::Forbidden(Failure::Refused { host, why: *why });
        }
        cause = error.source();
    }
    Event::Trouble(match () {
        () if is_tls(error) => Trouble::Tls,
        () if error.is_dns() => Trouble::Name,
        () if error.is_connect() => Trouble::Connect,
        () => Trouble::Broken,
    })
}

/// Is TLS at the bottom of it? An I/O error hides the error that it carries from `source`.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || carried.is_some_and(|error| is_tls(error)) || error.source().is_some_and(is_tls)
}

/// Whom we believe: the system's authorities, and the house's own.
fn tls(settings: &LookupSettings) -> Result<ClientConfig, LookupFault> {
    let mut roots = RootCertStore::empty();
    // What the system holds may be partly unreadable, or missing in a container: `ca` may be all there is.
    for certificate in rustls_native_certs::load_native_certs().certs {
        let _ = roots.add(certificate);
    }
    if let Some(path) = &settings.ca {
        let fault = |cause: String| LookupFault::Authority { path: path.clone(), cause };
        let read = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
        let mut found = 0;
        for certificate in read {
            let added = certificate.map_err(|error| fault(error.to_string()))?;
            roots.add(added).map_err(|error| fault(error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err(fault("there is no certificate in it".to_owned()));
        }
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth())
}
