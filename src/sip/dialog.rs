//! Both sides' view of who is talking to whom (RFC 3261 §12), and how a request finds its way inside.

use std::borrow::Cow;

use super::branch::OutRequest;
use super::message::{Method, Request, Response};
use super::respond::Origin;
use super::transport::{Path, Target};
use super::uri::{NameAddr, Uri};

/// One dialog. Our own sequence numbers are the agent's to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// Our party, with our tag: From of our requests.
    pub local: String,
    /// Their party, with their tag.
    pub remote: String,
    /// Their tag; empty for phones of RFC 2543.
    pub remote_tag: String,
    /// Highest sequence number of theirs; `None` until they have sent a request.
    pub remote_cseq: Option<u32>,
    /// Routes of our requests, first hop first.
    pub route_set: Vec<String>,
    /// Their Contact.
    pub remote_target: String,
    /// The way their message came.
    pub path: Path,
    /// Opened for a `sips` URI: our Contact is one too.
    pub secure: bool,
}

impl Dialog {
    /// The dialog that our answer to `request` makes (§12.1.1); `tag` is ours.
    pub fn uas(request: &Request, origin: &Origin, tag: &str, path: &Path) -> Self {
        let contact = request.contact.as_ref().map(|contact| contact.uri.text.clone());
        Self {
            call_id: request.call_id.clone(),
            local: origin.local_party(tag),
            remote: origin.remote_party().to_owned(),
            remote_tag: request.from.tag().unwrap_or_default().to_owned(),
            remote_cseq: Some(request.cseq.number),
            route_set: request.headers.list("Record-Route").map(str::to_owned).collect(),
            remote_target: contact.unwrap_or_else(|| request.from.uri.text.clone()),
            path: *path,
            secure: request.uri.scheme == "sips",
        }
    }

    /// The dialog that their answer to our `request` makes (§12.1.2). `None` unless it names us, them and a place to
    /// reach them at.
    pub fn uac(request: &OutRequest, response: &Response, path: &Path) -> Option<Self> {
        let remote = response.headers.first("To")?;
        let mut route_set: Vec<String> = response.headers.list("Record-Route").map(str::to_owned).collect();
        route_set.reverse();
        Some(Self {
            call_id: request.header("Call-ID")?.to_owned(),
            local: request.header("From")?.to_owned(),
            remote: remote.to_owned(),
            remote_tag: response.to_tag()?,
            remote_cseq: None,
            route_set,
            remote_target: response.contact()?.uri.text,
            path: *path,
            secure: request.uri.starts_with("sips:"),
        })
    }

    /// The next request of ours inside the dialog (§12.2.1.1), without Contact and body.
    pub fn request(&self, method: Method) -> OutRequest {
        let first = self.route_set.first().and_then(|route| NameAddr::parse(route).ok()).map(|route| route.uri);
        let (uri, routes) = match &first {
            // A strict router takes the Request-URI; the real target goes to the end of the list.
            Some(first) if first.param("lr").is_none() => {
                let mut routes: Vec<String> = self.route_set[1..].to_vec();
                routes.push(format!("<{}>", self.remote_target));
                (first.text.clone(), routes)
            }
            _ => (self.remote_target.clone(), self.route_set.clone()),
        };
        let hop = first.or_else(|| Uri::parse(&self.remote_target).ok()).and_then(|uri| Target::of(&uri));
        let mut headers: Vec<(Cow<'static, str>, String)> = vec![
            ("From".into(), self.local.clone()),
            ("To".into(), self.remote.clone()),
            ("Call-ID".into(), self.call_id.clone()),
        ];
        headers.extend(routes.into_iter().map(|route| ("Route".into(), route)));
        OutRequest {
            method,
            uri,
            // A target that names no host (`tel:`) is behind whoever sent us here.
            towards: hop.unwrap_or_else(|| self.back()),
            fallback: Some(self.path),
            headers,
            contact: None,
            body: None,
        }
    }

    /// Takes the sequence number of a request of theirs; `false` when it is older than one we have seen, to be
    /// answered 500 (§12.2.2).
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|known| number >= known);
        self.remote_cseq = Some(self.remote_cseq.unwrap_or(number).max(number));
        in_order
    }

    fn back(&self) -> Target {
        let hop = self.path.hop;
        Target {
            host: hop.address.ip().to_string(),
            port: Some(hop.address.port()),
            transport: Some(hop.transport),
            secure: self.secure,
        }
    }
}
