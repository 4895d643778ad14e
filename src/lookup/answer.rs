//! What came back: a head that is judged before its body is read, a body that may not grow without end, JSON or not.

use serde_json::Value as Json;

use super::failure::Failure;

/// What was found out.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// HTTP status, 200 to 299.
    pub status: u16,
    /// What it said; null when it said nothing.
    pub json: Json,
    /// How often it was asked.
    pub attempts: u32,
}

/// The answer is about a person.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

/// What of an answer's head decides how it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Length`.
    pub length: Option<u64>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `Location`.
    pub location: Option<String>,
}

impl Head {
    /// Is the body worth reading?
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Does it call its body what JSON may be called? Those who call it nothing, or plain text, are believed; a page
    /// for people is not even looked at.
    fn may_be_json(&self) -> bool {
        let Some(text) = &self.content_type else { return true };
        let name = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        name.ends_with("/json") || name.ends_with("+json") || matches!(name.as_str(), "" | "text/plain")
    }
}

/// A body as it comes in.
#[derive(Clone, Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    limit: usize,
}

impl Body {
    /// An empty one that takes `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Failure::TooLarge`] when the head promises more.
    pub fn expected(head: &Head, limit: usize) -> Result<Self, Failure> {
        if head.length.is_some_and(|length| length > limit as u64) {
            return Err(Failure::TooLarge { limit });
        }
        Ok(Self { bytes: Vec::new(), limit })
    }

    /// Takes some more of it.
    ///
    /// # Errors
    ///
    /// [`Failure::TooLarge`], whatever the head said.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        if self.bytes.len() + chunk.len() > self.limit {
            return Err(Failure::TooLarge { limit: self.limit });
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// All of it, read.
    ///
    /// # Errors
    ///
    /// [`Failure::NotJson`]. JSON that is nested deeper than 128 levels is none.
    pub fn read(&self, head: &Head) -> Result<Json, Failure> {
        // RFC 8259 §8.1: a byte order mark may be ignored.
        let bytes = self.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.bytes);
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Json::Null);
        }
        if !head.may_be_json() {
            return Err(Failure::NotJson);
        }
        serde_json::from_slice(bytes).map_err(|_| Failure::NotJson)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(content_type: &str) -> Head {
        Head { status: 200, content_type: Some(content_type.to_owned()), ..Head::default() }
    }

    fn read(head: &Head, bytes: &[u8]) -> Result<Json, Failure> {
        let mut body = Body::expected(head, 1_000)?;
        bytes.chunks(7).try_for_each(|chunk| body.push(chunk))?;
        body.read(head)
    }

    #[test]
    fn json_is_read_whatever_it_is_called_short_of_a_page() {
        for name in ["application/json", "application/problem+json; charset=utf-8", "text/plain", "Text/JSON"] {
            assert_eq!(read(&head(name), br#"{"a": 1}"#).unwrap()["a"], 1, "{name}");
        }
        assert_eq!(read(&Head::default(), b"\xef\xbb\xbf[1]").unwrap()[0], 1);
        assert_eq!(read(&head("text/html"), b" \n"), Ok(Json::Null));
    }

    #[test]
    fn garbage_is_no_answer() {
        assert_eq!(read(&head("text/html"), b"{}"), Err(Failure::NotJson));
        let deep = "[".repeat(500);
        for bytes in [&b"<html>"[..], b"{", b"{}{}", b"\xff\xfe", b"NaN", deep.as_bytes()] {
            assert_eq!(read(&head("application/json"), bytes), Err(Failure::NotJson));
        }
    }

    #[test]
    fn a_body_is_cut_off_where_it_grows_too_large_whatever_it_promised() {
        let too_large = Err(Failure::TooLarge { limit: 1_000 });
        assert_eq!(read(&Head { length: Some(1_001), ..Head::default() }, b""), too_large);
        assert_eq!(read(&Head { length: Some(10), ..Head::default() }, &[b' '; 1_001]), too_large);
        assert_eq!(read(&Head::default(), &[b' '; 1_000]), Ok(Json::Null));
    }
}
