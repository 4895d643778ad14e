//! Trunks: is there somebody who speaks SIP? Asked by OPTIONS from a port of its own, so that nothing a running
//! gateway does is disturbed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::finding::Finding;
use super::tls;
use crate::config::{Config, TrunkConfig};
use crate::sip::uri::Uri;
use crate::sip::{Hop, Target, Transport};
use crate::time::{Clock as _, SystemClock};

/// An answer comes within this, or nobody is there.
const PATIENCE: Duration = Duration::from_secs(2);
/// A datagram may be lost: it is sent again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// Addresses tried for one trunk.
const TRIED: usize = 4;

/// Asks every trunk, one after the other.
pub(super) async fn trunks(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for trunk in &config.trunks {
        found.push(ask(trunk, config).await);
    }
    found
}

async fn ask(trunk: &TrunkConfig, config: &Config) -> Finding {
    let check = format!("trunk {}", trunk.name);
    let target = Uri::parse(&trunk.uri).ok().and_then(|uri| Target::of(&uri));
    let Some(target) = target else {
        let remedy = "write its uri like sip:carrier.example or sip:192.0.2.1;transport=tcp";
        return Finding::broken(&check, format!("{} is no address to call", trunk.uri), remedy);
    };
    let hops = match hops(&target).await {
        Ok(hops) => hops,
        Err(why) => {
            let remedy = "check the name in its uri, and the name server";
            return Finding::broken(&check, format!("{} is not found: {why}", target.host), remedy);
        }
    };
    let mut troubles = Vec::new();
    for hop in hops.into_iter().take(TRIED) {
        let began = SystemClock.now().mono;
        match tokio::time::timeout(PATIENCE, options(hop, &target, config)).await {
            Ok(Ok(answer)) => {
                let after = SystemClock.now().mono.saturating_duration_since(began).as_millis();
                return Finding::fine(&check, format!("{hop} answers {answer} after {after} ms"));
            }
            Ok(Err(error)) => troubles.push(format!("{hop}: {error}")),
            Err(_) => troubles.push(format!("{hop} says nothing")),
        }
    }
    let remedy = "check its uri, the transport and the firewall between you";
    Finding::broken(&check, troubles.join("; "), remedy)
}

/// Where it may be, best first. The gateway itself also follows NAPTR and SRV; here an address is enough to ask.
async fn hops(target: &Target) -> Result<Vec<Hop>, String> {
    if let Some(hop) = target.literal_hop() {
        return Ok(vec![hop]);
    }
    let usual = if target.secure { Transport::Tls } else { Transport::Udp };
    let transport = target.transport.unwrap_or(usual);
    let port = target.port.unwrap_or(transport.default_port());
    let found = tokio::net::lookup_host((target.host.as_str(), port)).await.map_err(|error| error.to_string())?;
    Ok(found.map(|address| Hop::new(transport, address)).collect())
}

/// The status line of the answer.
async fn options(hop: Hop, target: &Target, config: &Config) -> io::Result<String> {
    match hop.transport {
        Transport::Udp => by_datagram(hop, target).await,
        Transport::Tcp => {
            let stream = TcpStream::connect(hop.address).await?;
            let local = stream.local_addr()?;
            by_stream(stream, &request(hop.transport, local, target)).await
        }
        Transport::Tls => {
            let stream = TcpStream::connect(hop.address).await?;
            let local = stream.local_addr()?;
            let (settings, name) = tls::client(config.sip.ca.as_deref(), &target.host)?;
            let stream = TlsConnector::from(Arc::new(settings)).connect(name, stream).await?;
            by_stream(stream, &request(hop.transport, local, target)).await
        }
    }
}

async fn by_datagram(hop: Hop, target: &Target) -> io::Result<String> {
    let any: SocketAddr = if hop.address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(hop.address).await?;
    let request = request(hop.transport, socket.local_addr()?, target);
    let mut answer = [0; 2_048];
    loop {
        socket.send(request.as_bytes()).await?;
        match tokio::time::timeout(AGAIN, socket.recv(&mut answer)).await {
            Ok(length) => return status(&answer[..length?]),
            Err(_) => continue,
        }
    }
}

async fn by_stream(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut part = [0; 1_024];
    while !answer.windows(2).any(|two| two == b"\r\n") && answer.len() < 4_096 {
        match stream.read(&mut part).await? {
            0 => break,
            length => answer.extend_from_slice(&part[..length]),
        }
    }
    status(&answer)
}

fn request(transport: Transport, local: SocketAddr, target: &Target) -> String {
    let (via, random) = (transport.via(), rand::rng().random::<u64>());
    format!(
        "OPTIONS {target} SIP/2.0\r\nVia: SIP/2.0/{via} {local};branch=z9hG4bK{random:016x};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:doctor@{local}>;tag={random:x}\r\nTo: <{target}>\r\n\
         Call-ID: {random:016x}@{local}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:doctor@{local}>\r\n\
         User-Agent: {agent}\r\nContent-Length: 0\r\n\r\n",
        agent = concat!("Trunkline/", env!("CARGO_PKG_VERSION"), " doctor"),
    )
}

/// `200 OK`. Any answer shows that somebody speaks SIP there: what it thinks of strangers is its own affair.
fn status(answer: &[u8]) -> io::Result<String> {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().next().unwrap_or_default();
    match line.strip_prefix("SIP/2.0 ") {
        Some(status) => Ok(status.to_owned()),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "whoever answers there does not speak SIP")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn any_sip_answer_is_one() {
        assert_eq!(status(b"SIP/2.0 403 Forbidden\r\nVia: x\r\n\r\n").unwrap(), "403 Forbidden");
        assert!(status(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err().to_string().contains("does not speak SIP"));
        assert!(status(b"").is_err());
    }

    #[test]
    fn what_we_ask_is_a_request_our_own_guard_would_take() {
        let target = Target::of(&Uri::parse("sip:carrier.example;transport=tcp").unwrap()).unwrap();
        let request = request(Transport::Tcp, "192.0.2.1:40000".parse().unwrap(), &target);
        assert!(request.starts_with("OPTIONS sip:carrier.example;transport=tcp SIP/2.0\r\n"), "{request}");
        assert!(request.contains("\r\nVia: SIP/2.0/TCP 192.0.2.1:40000;branch=z9hG4bK"), "{request}");
        assert!(request.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{request}");
    }

    #[tokio::test]
    async fn a_uri_nobody_can_call_is_a_fault() {
        let trunk = serde_json::from_value(serde_json::json!({ "name": "carrier", "uri": "tel:+1555" })).unwrap();
        let finding = ask(&trunk, &Config::default()).await;
        assert_eq!(finding.verdict, Verdict::Broken);
        assert!(finding.result.starts_with("tel:+1555 is no address"), "{finding:?}");
    }
}
