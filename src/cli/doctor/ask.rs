//! Somebody is asked by OPTIONS whether they speak SIP, from a port of its own, so that nothing a running gateway does
//! is disturbed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use rand::Rng as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::tls;
use crate::config::Config;
use crate::sip::{Hop, Target, Transport};

/// An answer comes within this, or nobody is there.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// A datagram may be lost: it is sent again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// Longest answer looked at.
const LONGEST: usize = 4_096;

/// What somebody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `200 OK`. Any answer shows that somebody speaks SIP there: what it thinks of strangers is its own affair.
    pub status: String,
    /// What it calls itself, where it does.
    pub server: Option<String>,
    /// What its clock says, where it tells (RFC 3261 §20.17).
    pub date: Option<Timestamp>,
}

/// Asks, and waits for ever: bound it by [`PATIENCE`].
pub(super) async fn options(hop: Hop, target: &Target, config: &Config) -> io::Result<Answer> {
    match hop.transport {
        Transport::Udp => by_datagram(hop, target, config.sip.listen.ip()).await,
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

/// Asks from `ours`, the address that the gateway is bound to: from another one an answer would prove nothing.
async fn by_datagram(hop: Hop, target: &Target, ours: IpAddr) -> io::Result<Answer> {
    let any: SocketAddr = if hop.address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    // The other family is not bound at all; what the system would take is then as good as anything.
    let from = if ours.is_ipv4() == hop.address.is_ipv4() { SocketAddr::new(ours, 0) } else { any };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(hop.address).await?;
    let request = request(hop.transport, socket.local_addr()?, target);
    let mut answer = [0; LONGEST];
    loop {
        socket.send(request.as_bytes()).await?;
        match tokio::time::timeout(AGAIN, socket.recv(&mut answer)).await {
            Ok(length) => return read(&answer[..length?]),
            Err(_) => continue,
        }
    }
}

async fn by_stream(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<Answer> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut part = [0; 1_024];
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") && answer.len() < LONGEST {
        match stream.read(&mut part).await? {
            0 => break,
            length => answer.extend_from_slice(&part[..length]),
        }
    }
    read(&answer)
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

fn read(answer: &[u8]) -> io::Result<Answer> {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines().take_while(|line| !line.is_empty());
    let Some(status) = lines.next().and_then(|line| line.strip_prefix("SIP/2.0 ")) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "whoever answers there does not speak SIP"));
    };
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim())
    };
    let date = header("date").and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp());
    Ok(Answer { status: status.to_owned(), server: header("server").map(str::to_owned), date })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::uri::Uri;

    #[test]
    fn any_sip_answer_is_one() {
        let answer = read(b"SIP/2.0 403 Forbidden\r\nVia: x\r\nserver:  Trunkline/1\r\n\r\n").unwrap();
        assert_eq!((answer.status.as_str(), answer.server.as_deref()), ("403 Forbidden", Some("Trunkline/1")));
        assert_eq!(read(b"SIP/2.0 200 OK\r\n\r\nServer: of the body").unwrap().server, None);
        let told = read(b"SIP/2.0 200 OK\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\r\n").unwrap().date;
        assert_eq!(told, Some("2010-11-13T23:29:00Z".parse().unwrap()));
        assert_eq!(read(b"SIP/2.0 200 OK\r\nDate: tomorrow\r\n\r\n").unwrap().date, None);
        assert!(read(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err().to_string().contains("does not speak SIP"));
        assert!(read(b"").is_err());
    }

    #[test]
    fn what_we_ask_is_a_request_our_own_guard_would_take() {
        let target = Target::of(&Uri::parse("sip:carrier.example;transport=tcp").unwrap()).unwrap();
        let request = request(Transport::Tcp, "192.0.2.1:40000".parse().unwrap(), &target);
        assert!(request.starts_with("OPTIONS sip:carrier.example;transport=tcp SIP/2.0\r\n"), "{request}");
        assert!(request.contains("\r\nVia: SIP/2.0/TCP 192.0.2.1:40000;branch=z9hG4bK"), "{request}");
        assert!(request.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{request}");
    }
}
