//! From what a plan asks to what goes on the wire: the host permitted, the secrets in place, nothing odd in between.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::failure::Failure;
use super::{LookupSettings, Method, Request, component};

/// Longest URL anybody reads.
const MAX_URL: usize = 8 * 1024;
/// Most header fields of a plan.
const MAX_HEADERS: usize = 32;
/// Longest key for repeats.
const MAX_KEY: usize = 255;

/// Fields that are the connection's, not the plan's: whoever sets them could smuggle a second request into the first.
const OURS: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "accept-encoding",
    "idempotency-key",
];

/// A request that may be sent as it is. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct Prepared {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Arc<[u8]>>,
    /// All the time there is.
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    /// May it arrive twice?
    pub(super) repeatable: bool,
}

impl Request {
    /// Checks it and puts the secrets in.
    ///
    /// # Errors
    ///
    /// [`Failure::Invalid`], [`Failure::NoSecret`] or [`Failure::Refused`].
    pub fn prepare(&self, settings: &LookupSettings) -> Result<Prepared, Failure> {
        let secrets = &settings.secrets;
        let url = parse_url(&secrets.fill(self.url.reveal(), component)?)?;
        settings.allow.permits(&url).map_err(|why| Failure::Refused { host: host_of(&url), why })?;
        if self.body.is_some() && self.method == Method::Get {
            return Err(Failure::Invalid("a GET carries no body; use POST, or put it into the URL"));
        }
        let body = match &self.body {
            Some(body) => Some(write_body(&secrets.fill_json(body.reveal())?, settings.max_bytes)?),
            None => None,
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if self.headers.len() > MAX_HEADERS {
            return Err(Failure::Invalid("it has more than 32 header fields"));
        }
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Failure::Invalid("a header field has a name that HTTP does not allow"))?;
            if OURS.contains(&name.as_str()) {
                return Err(Failure::Invalid("it sets a header field that belongs to the connection, such as Host"));
            }
            headers.insert(name, hidden(&secrets.fill(value.reveal(), str::to_owned)?)?);
        }
        // An answer that unpacks to a thousand times its size would pass the limit on its way in.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(key) = &self.idempotency_key {
            if key.is_empty() || key.len() > MAX_KEY {
                return Err(Failure::Invalid("the idempotency key is empty, or longer than 255 bytes"));
            }
            headers.insert(HeaderName::from_static("idempotency-key"), hidden(key)?);
        }
        Ok(Prepared {
            method: self.method,
            url,
            headers,
            body,
            timeout: self.timeout.unwrap_or(settings.timeout).min(LookupSettings::LONGEST),
            retries: self.retries.min(Self::MOST_RETRIES),
            repeatable: self.method.is_idempotent() || self.idempotency_key.is_some(),
        })
    }
}

impl Prepared {
    /// Who is asked, for logs.
    pub fn host(&self) -> String {
        host_of(&self.url)
    }
}

/// The host that the URL of a plan names, template and all, so that `check` can tell at once whether it may be asked:
/// scheme, host and port must be the plan's own words, never a value.
///
/// # Errors
///
/// A sentence for the plan's author.
pub fn origin(template: &str) -> Result<Url, &'static str> {
    const FORM: &str = "write the URL out up to its path, like https://crm.example/orders/{{ order }}";
    let after = template.find("://").map(|at| at + 3).ok_or(FORM)?;
    let end = template[after..].find(['/', '?', '#']).map_or(template.len(), |at| after + at);
    let origin = &template[..end];
    if origin.contains(['{', '}', '~']) {
        return Err("whom to ask is decided by the plan, not by a value: no `{{ }}` before the path of a URL");
    }
    parse_url(origin).map_err(|failure| match failure {
        Failure::Invalid(why) => why,
        _ => FORM,
    })
}

/// `host:port`, as people write it.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn parse_url(text: &str) -> Result<Url, Failure> {
    if text.len() > MAX_URL {
        return Err(Failure::Invalid("its URL is longer than 8,192 bytes"));
    }
    let url = Url::parse(text).map_err(|_| Failure::Invalid("its URL cannot be read; it begins with https://"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
        return Err(Failure::Invalid("its URL is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::Invalid("its URL holds a password; prove who asks by a header field"));
    }
    Ok(url)
}

fn write_body(json: &Json, max_bytes: usize) -> Result<Arc<[u8]>, Failure> {
    let bytes = serde_json::to_vec(json).map_err(|_| Failure::Invalid("its body cannot be written as JSON"))?;
    if bytes.len() > max_bytes {
        return Err(Failure::Invalid("its body is larger than `max_bytes` of [lookups]"));
    }
    Ok(bytes.into())
}

/// A value that libraries do not show in their own logs either.
fn hidden(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| Failure::Invalid("a header field has a value that HTTP does not allow, such as a line break"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::{AllowList, HostPattern, Refusal, Secrets};
    use crate::pii::Pii;

    fn settings() -> LookupSettings {
        LookupSettings {
            allow: AllowList::new([HostPattern::parse("crm.example").unwrap()]),
            secrets: Secrets::new([("TOKEN".to_owned(), Pii::new("s3/cret".to_owned()))].into(), 7),
            ..LookupSettings::default()
        }
    }

    fn why(request: &Request) -> Failure {
        request.prepare(&settings()).err().expect("it cannot be sent")
    }

    #[test]
    fn secrets_are_put_where_the_plan_wants_them() {
        let settings = settings();
        let marker = settings.secrets.marker("TOKEN");
        let mut request = Request::post(format!("https://crm.example/a?key={marker}"), serde_json::json!([marker]));
        request.headers.insert("Authorization".into(), Pii::new(format!("Bearer {marker}")));
        let prepared = request.prepare(&settings).ok().unwrap();
        assert_eq!(prepared.url.as_str(), "https://crm.example/a?key=s3%2Fcret");
        assert_eq!(prepared.headers["authorization"], "Bearer s3/cret");
        assert!(!format!("{:?}", prepared.headers).contains("s3/cret"));
        assert_eq!(prepared.body.as_deref(), Some(br#"["s3/cret"]"#.as_slice()));
        assert!(!prepared.repeatable, "nobody could tell a repeat from a second wish");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_a_reason() {
        let other = why(&Request::get("https://evil.example/"));
        assert_eq!(other, Failure::Refused { host: "evil.example".into(), why: Refusal::NotListed });
        for url in
            ["", "/orders", "crm.example", "ftp://crm.example/", "file:///etc/passwd", "https://u:p@crm.example/"]
        {
            assert_eq!(why(&Request::get(url)).name(), "invalid", "{url}");
        }
        let with = |name: &str, value: &str| {
            let headers = [(name.to_owned(), Pii::new(value.to_owned()))].into();
            Request { headers, ..Request::get("https://crm.example/") }
        };
        for (name, value) in [("Host", "evil"), ("Transfer-Encoding", "chunked"), ("a b", "c"), ("x", "a\r\nb: c")] {
            assert_eq!(why(&with(name, value)).name(), "invalid", "{name}");
        }
        let get = Request { method: Method::Get, ..Request::post("https://crm.example/", serde_json::json!({})) };
        assert_eq!(why(&get).name(), "invalid");
        let long = Request::post("https://crm.example/", serde_json::json!("x".repeat(300_000)));
        assert_eq!(why(&long).name(), "invalid");
        let key = Request { idempotency_key: Some(String::new()), ..Request::get("https://crm.example/") };
        assert_eq!(why(&key).name(), "invalid");
        assert_eq!(why(&Request::get(format!("https://crm.example/{}", "x".repeat(9_000)))).name(), "invalid");
    }

    #[test]
    fn nobody_waits_longer_or_asks_more_often_than_anybody_should() {
        let greedy = Request {
            timeout: Some(Duration::from_secs(3_600)),
            retries: 1_000,
            ..Request::get("https://crm.example/")
        };
        let prepared = greedy.prepare(&settings()).ok().unwrap();
        assert_eq!((prepared.timeout, prepared.retries), (LookupSettings::LONGEST, Request::MOST_RETRIES));
    }

    #[test]
    fn whom_a_plan_asks_stands_in_the_plan() {
        let host = |template| origin(template).map(|url| host_of(&url));
        assert_eq!(host("https://crm.example/orders/{{ id }}?x={{ y }}"), Ok("crm.example".into()));
        assert_eq!(host("https://crm.example:8443?x={{ y }}"), Ok("crm.example:8443".into()));
        for template in ["{{ url }}", "https://{{ host }}/", "https://crm.example{{ port }}/", "/orders", ""] {
            assert!(host(template).is_err(), "{template}");
        }
    }
}
