//! As much of HTTP/1.1 (RFC 9112) as a scraper and a load balancer need: a GET without a body, an answer, the end.

/// A longer head is refused: ours are a few hundred bytes.
pub const LONGEST_HEAD: usize = 4_096;

/// What a head asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It has not come whole yet.
    More,
    /// `GET` of this path, without what stands behind `?`; `HEAD` when only the head of the answer is wanted.
    Get {
        /// Begins with `/`.
        path: String,
        /// Without the body.
        head_only: bool,
    },
    /// Refuse it with this.
    Refuse(Status),
}

/// The statuses we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200
    Ok,
    /// 400
    BadRequest,
    /// 404
    NotFound,
    /// 405
    NotAllowed,
    /// 431
    TooLong,
    /// 503
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::NotAllowed => "405 Method Not Allowed",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// Reads what has come so far.
pub fn read(bytes: &[u8]) -> Asked {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        return if bytes.len() >= LONGEST_HEAD { Asked::Refuse(Status::TooLong) } else { Asked::More };
    };
    let Ok(head) = std::str::from_utf8(&bytes[..end]) else { return Asked::Refuse(Status::BadRequest) };
    let line = head.split("\r\n").next().unwrap_or_default();
    if !line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Asked::Refuse(Status::BadRequest);
    }
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Asked::Refuse(Status::BadRequest);
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Asked::Refuse(Status::BadRequest);
    }
    let path = target.split('?').next().unwrap_or(target).to_owned();
    match method {
        "GET" => Asked::Get { path, head_only: false },
        "HEAD" => Asked::Get { path, head_only: true },
        _ => Asked::Refuse(Status::NotAllowed),
    }
}

/// An answer, ready for the wire. The connection ends behind it.
pub fn answer(status: Status, kind: &str, body: &str, head_only: bool) -> Vec<u8> {
    let allow = if status == Status::NotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let mut bytes = format!(
        "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Cache-Control: no-store\r\n\
         Connection: close\r\n\r\n",
        status.line(),
        body.len(),
    )
    .into_bytes();
    if !head_only {
        bytes.extend_from_slice(body.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_is_read_once_its_head_is_whole() {
        let whole = b"GET /metrics?x=1 HTTP/1.1\r\nHost: here\r\n\r\n";
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Asked::More, "{cut}");
        }
        let expect = Asked::Get { path: "/metrics".to_owned(), head_only: false };
        assert_eq!(read(whole), expect);
        assert_eq!(read(&[&whole[..], b"body that nobody reads"].concat()), expect);
    }

    #[test]
    fn what_is_no_get_is_refused() {
        let rows: [(&[u8], Status); 10] = [
            (b"GET /me\n\0ts HTTP/1.1\r\n\r\n", Status::BadRequest),
            (b"POST /metrics HTTP/1.1\r\n\r\n", Status::NotAllowed),
            (b"get /metrics HTTP/1.1\r\n\r\n", Status::NotAllowed),
            (b"GET metrics HTTP/1.1\r\n\r\n", Status::BadRequest),
            (b"GET /metrics\r\n\r\n", Status::BadRequest),
            (b"GET /metrics HTTP/2\r\n\r\n", Status::BadRequest),
            (b"GET  /metrics HTTP/1.1\r\n\r\n", Status::BadRequest),
            (b"\r\n\r\n", Status::BadRequest),
            (b"\xff\xfe\r\n\r\n", Status::BadRequest),
            (b"INVITE sip:1000@127.0.0.1 SIP/2.0\r\n\r\n", Status::BadRequest),
        ];
        for (bytes, status) in rows {
            assert_eq!(read(bytes), Asked::Refuse(status), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(read(&[b'a'; LONGEST_HEAD]), Asked::Refuse(Status::TooLong));
        assert_eq!(read(&[b'a'; LONGEST_HEAD - 1]), Asked::More);
    }

    #[test]
    fn an_answer_says_how_long_it_is_and_that_nothing_follows() {
        let text = String::from_utf8(answer(Status::Ok, "text/plain", "häm\n", false)).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"), "{text}");
        assert!(text.ends_with("Connection: close\r\n\r\nhäm\n"), "{text}");
        let text = String::from_utf8(answer(Status::NotAllowed, "text/plain", "no\n", true)).unwrap();
        assert!(text.contains("Allow: GET, HEAD\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }
}
