//! Addresses as SIP writes them: `sip:` and `tel:` URIs, name-addr values, parameter lists (RFC 3261 §19, §20.10,
//! §25.1; RFC 3966). Reading is liberal where the meaning is clear, because real phones put `#` into users, blanks
//! around `=` and names outside quotes; what has two meanings is an error.

use std::net::{IpAddr, SocketAddr};

/// A URI we understand well enough to route by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// As it came, to be sent back untouched.
    pub text: String,
    /// `sip`, `sips`, `tel` or something else, lower case.
    pub scheme: String,
    /// User part, percent-decoded, without its own parameters; the number of a `tel:` URI; empty when absent.
    pub user: String,
    /// Host without port and brackets, lower case; empty unless the scheme is `sip` or `sips`.
    pub host: String,
    /// Port, when written.
    pub port: Option<u16>,
    /// Everything behind the host: names lower case, in order.
    pub params: Vec<Param>,
    /// Whether `?header=value` follows: forbidden in a Request-URI (RFC 3261 §19.1.1).
    pub has_headers: bool,
}

/// One `;name` or `;name=value`, quotes removed from the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Lower case.
    pub name: String,
    /// Without quotes.
    pub value: Option<String>,
}

/// From, To, Contact, Route and their kin: a URI with what stands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The URI.
    pub uri: Uri,
    /// Parameters outside the angle brackets.
    pub params: Vec<Param>,
}

/// Why a value could not be read; the text goes into a `400` reason phrase, so it names no person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(pub &'static str);

impl Uri {
    /// Reads one URI without surrounding blanks or brackets.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"'))
        {
            return Err(BadAddress("Bad URI"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(BadAddress("URI without scheme"))?;
        if !is_token(scheme) || rest.is_empty() {
            return Err(BadAddress("Bad URI"));
        }
        let scheme = scheme.to_ascii_lowercase();
        let uri = |user: String, host: String, port, params, has_headers| Self {
            text: text.to_owned(),
            scheme: scheme.clone(),
            user,
            host,
            port,
            params,
            has_headers,
        };
        match scheme.as_str() {
            "sip" | "sips" => {
                let (userinfo, hostpart) = match rest.split_once('@') {
                    Some((user, host)) => (Some(user), host),
                    None => (None, rest),
                };
                if userinfo == Some("") {
                    return Err(BadAddress("URI with empty user"));
                }
                let (hostpart, headers) = match hostpart.split_once('?') {
                    Some((host, headers)) => (host, Some(headers)),
                    None => (hostpart, None),
                };
                let (hostport, params) = match hostpart.split_once(';') {
                    Some((hostport, params)) => (hostport, parse_params(params)?),
                    None => (hostpart, Vec::new()),
                };
                let (host, port) = parse_host_port(hostport)?;
                let user = userinfo.map(|user| user.split(':').next().unwrap_or_default()).unwrap_or_default();
                let user = user.split(';').next().unwrap_or_default();
                Ok(uri(percent_decode(user), host, port, params, headers.is_some()))
            }
            "tel" => {
                let (number, params) = match rest.split_once(';') {
                    Some((number, params)) => (number, parse_params(params)?),
                    None => (rest, Vec::new()),
                };
                Ok(uri(percent_decode(number), String::new(), None, params, false))
            }
            _ => Ok(uri(String::new(), String::new(), None, Vec::new(), false)),
        }
    }

    /// A parameter's value; `Some("")` when it stands without one.
    pub fn param(&self, name: &str) -> Option<&str> {
        find_param(&self.params, name)
    }

    /// Where a packet for this URI goes, if that needs no name lookup. `maddr` is not followed: it would let a
    /// request choose a third party to be sent to.
    pub fn address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port.unwrap_or(5060)))
    }
}

impl NameAddr {
    /// Reads `"Name" <uri>;params`, `Name <uri>` or `uri;params`.
    pub fn parse(value: &str) -> Result<Self, BadAddress> {
        let value = value.trim();
        if !quotes_balance(value) {
            return Err(BadAddress("Unbalanced quotes"));
        }
        let Some(open) = find_unquoted(value, '<') else {
            // RFC 3261 §20.10: without brackets, parameters belong to the header, not to the URI.
            let (uri, params) = value.split_once(';').unwrap_or((value, ""));
            return Ok(Self { uri: Uri::parse(uri.trim())?, params: parse_params(params)? });
        };
        let inside = &value[open + 1..];
        let close = inside.find('>').ok_or(BadAddress("Unclosed angle bracket"))?;
        let behind = inside[close + 1..].trim();
        let params = match behind.strip_prefix(';') {
            Some(params) => parse_params(params)?,
            None if behind.is_empty() => Vec::new(),
            None => return Err(BadAddress("Text behind angle bracket")),
        };
        Ok(Self { uri: Uri::parse(inside[..close].trim())?, params })
    }

    /// The dialog tag, if one stands there.
    pub fn tag(&self) -> Option<&str> {
        find_param(&self.params, "tag").filter(|tag| !tag.is_empty())
    }
}

/// The value of the first parameter called `name` (lower case); `Some("")` when it has none.
pub fn find_param<'a>(params: &'a [Param], name: &str) -> Option<&'a str> {
    params.iter().find(|param| param.name == name).map(|param| param.value.as_deref().unwrap_or_default())
}

/// Reads `a=b;c;d="e;f"`. Blanks around `;` and `=` are legal (SEMI and EQUAL, RFC 3261 §25.1); empty elements,
/// as a trailing `;` leaves them, are skipped.
pub fn parse_params(text: &str) -> Result<Vec<Param>, BadAddress> {
    if !quotes_balance(text) {
        return Err(BadAddress("Unbalanced quotes"));
    }
    let mut params = Vec::new();
    for part in split_unquoted(text, ';') {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start()))),
            None => (part, None),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(BadAddress("Bad parameter"));
        }
        params.push(Param { name: name.to_ascii_lowercase(), value });
    }
    Ok(params)
}

/// Reads `host`, `host:port`, `[v6]`, `[v6]:port`, with blanks around the colon. Underscores pass: container and
/// office networks are full of them.
pub fn parse_host_port(text: &str) -> Result<(String, Option<u16>), BadAddress> {
    const BAD_HOST: BadAddress = BadAddress("Bad host");
    let text = text.trim();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, behind) = rest.split_once(']').ok_or(BAD_HOST)?;
        address.parse::<std::net::Ipv6Addr>().map_err(|_| BAD_HOST)?;
        let behind = behind.trim();
        let port = behind.strip_prefix(':');
        if port.is_none() && !behind.is_empty() {
            return Err(BAD_HOST);
        }
        (address, port)
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host.trim_end(), Some(port)),
            None => (text, None),
        };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.is_empty() || !host.bytes().all(legal) {
            return Err(BAD_HOST);
        }
        (host, port)
    };
    let port = match port.map(str::trim) {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port != 0).ok_or(BadAddress("Bad port"))?)
        }
        Some(_) => return Err(BadAddress("Bad port")),
        None => None,
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// Splits at `separator` outside quotes and angle brackets.
pub fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest?;
        match find_unquoted(here, separator) {
            Some(at) => {
                rest = Some(&here[at + separator.len_utf8()..]);
                Some(&here[..at])
            }
            None => {
                rest = None;
                Some(here)
            }
        }
    })
}

/// RFC 3261 §25.1 `token`.
pub fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

/// Decodes `%41`; whatever is not a sound escape, and anything that would decode to control characters or broken
/// UTF-8 (`%00`), is left as written.
pub fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let value = escape.and_then(|hex| Some(hex_digit(hex[0])? << 4 | hex_digit(hex[1])?));
        decoded.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 3 } else { 1 };
    }
    match String::from_utf8(decoded) {
        Ok(decoded) if !decoded.chars().any(char::is_control) => decoded,
        _ => text.to_owned(),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn find_unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, c) in text.char_indices() {
        if quoted {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
            continue;
        }
        if c == wanted && !bracketed {
            return Some(at);
        }
        match c {
            '"' => quoted = true,
            '<' => bracketed = true,
            '>' => bracketed = false,
            _ => {}
        }
    }
    None
}

fn quotes_balance(text: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

fn unquote(value: &str) -> String {
    match value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) => {
            let mut plain = String::with_capacity(inner.len());
            let mut chars = inner.chars();
            while let Some(c) = chars.next() {
                plain.extend(if c == '\\' { chars.next() } else { Some(c) });
            }
            plain
        }
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_give_up_user_host_and_port() {
        for (text, user, host, port) in [
            ("sip:alice@example.com", "alice", "example.com", None),
            ("SIP:Alice@EXAMPLE.com:5070;transport=udp", "Alice", "example.com", Some(5070)),
            ("sip:192.0.2.1", "", "192.0.2.1", None),
            ("sip:a@[2001:db8::1]:5060", "a", "2001:db8::1", Some(5060)),
            ("sip:alice:secret@example.com", "alice", "example.com", None),
            ("sip:*98#@pbx_1.local", "*98#", "pbx_1.local", None),
            ("sip:*98%23@h", "*98#", "h", None),
            ("sip:+12025550123;npdi;rn=+1202@h;user=phone", "+12025550123", "h", None),
            ("sip:sips%3Auser%40example.com@example.net", "sips:user@example.com", "example.net", None),
            ("sip:null-%00-null@h", "null-%00-null", "h", None),
            ("sip:100%@h", "100%", "h", None),
            ("tel:+1-201-555-0123;phone-context=example.com", "+1-201-555-0123", "", None),
        ] {
            let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((uri.user.as_str(), uri.host.as_str(), uri.port), (user, host, port), "{text}");
            assert_eq!(uri.text, text);
        }
    }

    #[test]
    fn uris_with_two_meanings_are_refused() {
        for text in [
            "",
            "sip:",
            "alice",
            "sip:@h",
            "sip:a@",
            "sip:a@b@c",
            "sip:a@h:0",
            "sip:a@h:99999",
            "sip:a@h:",
            "sip:a@[::1",
            "sip:a b@h",
            "<sip:a@h>",
            "sip:a@h:x",
            "sip:a@[1.2.3.4]",
            "1 2:3",
        ] {
            assert!(Uri::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn name_addrs_are_read_as_phones_write_them() {
        for (value, user, tag) in [
            ("<sip:a@h>;tag=1", "a", Some("1")),
            ("\"A;<b>, \\\"c\\\"\" <sip:a@h>;tag=1", "a", Some("1")),
            ("Bell, Alexander <sip:bell@h> ; tag  =  43", "bell", Some("43")),
            ("caller<sip:a@h;x=y>;tag=1;", "a", Some("1")),
            ("sip:a@h;tag=1", "a", Some("1")),
            ("<tel:+12025550123>;tag=\"q\"", "+12025550123", Some("q")),
            ("<sip:a@h>", "a", None),
            ("<sip:a@h>;tag", "a", None),
        ] {
            let read = NameAddr::parse(value).unwrap_or_else(|error| panic!("{value}: {error}"));
            assert_eq!((read.uri.user.as_str(), read.tag()), (user, tag), "{value}");
        }
        for value in ["\"Mr. J. User <sip:j@h>", "<sip:a@h", "", "<>", "<sip:a@h> tag=1", "\"a\""] {
            assert!(NameAddr::parse(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn lists_split_outside_quotes_and_brackets() {
        let parts: Vec<_> = split_unquoted("\"a,b\" <sip:c,d@h>, <sip:e@h>", ',').map(str::trim).collect();
        assert_eq!(parts, ["\"a,b\" <sip:c,d@h>", "<sip:e@h>"]);
    }
}
