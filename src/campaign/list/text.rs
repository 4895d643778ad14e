//! Bytes of a list as lines of text, whatever wrote them.
//!
//! Spreadsheets save in the encoding of the house: UTF-8 with and without a mark, UTF-16, GB18030 in China,
//! Windows-1252 in the West. The whole file is looked at once before it is read, since its first Chinese name may stand
//! in its last row.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// A line longer than this is cut: no row of a list is.
pub const LONGEST_LINE: usize = 1024 * 1024;
/// Share of Chinese pairs among the bytes above ASCII, in GB 18030: elsewhere such bytes stand alone between letters.
const MOSTLY: f64 = 0.6;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writing {
    encoding: &'static Encoding,
}

impl Writing {
    /// What it is called.
    pub fn name(self) -> &'static str {
        if self.encoding == WINDOWS_1252 { "Latin-1 (Windows-1252)" } else { self.encoding.name() }
    }
}

/// How the text in `bytes` is written. Reads to its end.
///
/// # Errors
///
/// It could not be read.
pub fn writing(mut bytes: impl Read) -> io::Result<Writing> {
    let mut counts = Counts::default();
    let mut chunk = vec![0; CHUNK];
    let mut first = true;
    loop {
        let length = fill(&mut bytes, &mut chunk)?;
        let part = &chunk[..length];
        if first && let Some((encoding, _)) = Encoding::for_bom(part) {
            return Ok(Writing { encoding });
        }
        first = false;
        counts.take(part);
        if length < CHUNK {
            return Ok(Writing { encoding: counts.verdict() });
        }
    }
}

fn fill(from: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < chunk.len() {
        match from.read(&mut chunk[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// What was seen of a file.
#[derive(Default)]
struct Counts {
    bytes: usize,
    zeros: [usize; 2],
    high: usize,
    chinese: usize,
    sequences: usize,
    broken: usize,
    /// A sequence of UTF-8, or a pair, that the last part ended in.
    tail: Vec<u8>,
}

impl Counts {
    fn take(&mut self, part: &[u8]) {
        for (at, _) in part.iter().enumerate().filter(|(_, byte)| **byte == 0) {
            self.zeros[(self.bytes + at) % 2] += 1;
        }
        self.bytes += part.len();
        if self.tail.is_empty() && part.is_ascii() {
            return;
        }
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(part);
        self.pairs(&joined);
        let mut rest = &joined[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.sequences += text.chars().filter(|letter| !letter.is_ascii()).count();
                    return;
                }
                Err(error) => {
                    let good = &rest[..error.valid_up_to()];
                    self.sequences += String::from_utf8_lossy(good).chars().filter(|letter| !letter.is_ascii()).count();
                    let Some(length) = error.error_len() else {
                        self.tail = rest[error.valid_up_to()..].to_vec();
                        return;
                    };
                    self.broken += 1;
                    rest = &rest[error.valid_up_to() + length..];
                }
            }
        }
    }

    /// Pairs as GB 2312 has them, by far the most of any Chinese text, and bytes above ASCII.
    fn pairs(&mut self, part: &[u8]) {
        let mut bytes = part.iter().peekable();
        while let Some(byte) = bytes.next() {
            if *byte < 0x80 {
                continue;
            }
            self.high += 1;
            let common = |byte: &u8| (0xa1..=0xfe).contains(byte);
            if (0xa1..=0xf7).contains(byte) && bytes.next_if(|next| common(next)).is_some() {
                self.high += 1;
                self.chinese += 2;
            }
        }
    }

    fn verdict(&self) -> &'static Encoding {
        // Digits, commas and ends of lines have a zero beside them in UTF-16, and nothing else has any.
        if self.zeros[1] > self.bytes / 8 && self.zeros[1] > 4 * self.zeros[0] {
            return UTF_16LE;
        }
        if self.zeros[0] > self.bytes / 8 && self.zeros[0] > 4 * self.zeros[1] {
            return UTF_16BE;
        }
        let broken = self.broken + usize::from(!self.tail.is_empty());
        // A few rows that came from elsewhere do not make the rest another encoding.
        if broken == 0 || self.sequences > 4 * broken {
            return UTF_8;
        }
        if self.chinese as f64 > MOSTLY * self.high as f64 { GB18030 } else { WINDOWS_1252 }
    }
}

/// The lines of a text, decoded as they are read. What cannot be decoded becomes U+FFFD.
pub struct Lines<R> {
    from: R,
    decoder: Decoder,
    chunk: Vec<u8>,
    text: String,
    /// Where the next line begins in `text`.
    at: usize,
    ended: bool,
    /// Bytes read so far.
    pub bytes: u64,
}

impl<R: Read> Lines<R> {
    /// The lines of what `from` gives.
    pub fn new(from: R, writing: Writing) -> Self {
        let decoder = writing.encoding.new_decoder();
        Self { from, decoder, chunk: vec![0; CHUNK], text: String::new(), at: 0, ended: false, bytes: 0 }
    }

    /// Puts the next line, without its end, into `line`. `None` at the end; `Some(false)`: it was too long and is cut.
    ///
    /// # Errors
    ///
    /// It could not be read.
    pub fn next(&mut self, line: &mut String) -> io::Result<Option<bool>> {
        line.clear();
        let mut whole = true;
        loop {
            let rest = &self.text[self.at..];
            let end = rest.bytes().position(|byte| byte == b'\n' || byte == b'\r');
            // A \r at the very end may have its \n in the next part.
            let split = end.filter(|end| rest.as_bytes()[*end] == b'\n' || end + 1 < rest.len() || self.ended);
            let piece = &rest[..end.unwrap_or(rest.len())];
            let room = LONGEST_LINE.saturating_sub(line.len());
            if let Some(split) = split {
                whole &= piece.len() <= room;
                line.push_str(&piece[..floor(piece, room)]);
                let both = rest[split..].starts_with("\r\n");
                self.at += split + if both { 2 } else { 1 };
                return Ok(Some(whole));
            }
            whole &= piece.len() <= room;
            line.push_str(&piece[..floor(piece, room)]);
            let begun = !rest.is_empty();
            self.at += piece.len();
            if self.ended {
                return Ok((begun || !line.is_empty()).then_some(whole));
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        self.text.drain(..self.at);
        self.at = 0;
        let length = fill(&mut self.from, &mut self.chunk)?;
        self.bytes += length as u64;
        self.ended = length < CHUNK;
        let mut part = &self.chunk[..length];
        loop {
            self.text.reserve(self.decoder.max_utf8_buffer_length(part.len()).unwrap_or(4 * CHUNK));
            let (result, read, _) = self.decoder.decode_to_string(part, &mut self.text, self.ended);
            part = &part[read..];
            if result == CoderResult::InputEmpty {
                return Ok(());
            }
        }
    }
}

/// The last place at or before `most` where a letter of `text` begins.
fn floor(text: &str, most: usize) -> usize {
    let mut at = most.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (&'static str, Vec<String>) {
        let writing = writing(bytes).unwrap();
        let mut lines = Lines::new(bytes, writing);
        let (mut all, mut line) = (Vec::new(), String::new());
        while lines.next(&mut line).unwrap().is_some() {
            all.push(line.clone());
        }
        (writing.name(), all)
    }

    fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        let units = mark.into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn a_text_is_the_same_in_every_encoding() {
        let text = "姓名,手机\n王小明,13900011234\n李芳,13900011235\n";
        let expect = ["姓名,手机", "王小明,13900011234", "李芳,13900011235"];
        for (name, bytes) in [
            ("UTF-8", text.as_bytes().to_vec()),
            ("UTF-8", ["\u{feff}", text].concat().into_bytes()),
            ("UTF-16LE", utf16(text, true, true)),
            ("UTF-16BE", utf16(text, false, true)),
            ("UTF-16LE", utf16(text, true, false)),
            ("UTF-16BE", utf16(text, false, false)),
            ("gb18030", GB18030.encode(text).0.into_owned()),
        ] {
            assert_eq!(read(&bytes), (name, expect.iter().map(|line| (*line).to_owned()).collect()));
        }
        let western = "name;phone\nJürgen Müller;030 901820\nZoë;030 901821";
        let (name, lines) = read(&WINDOWS_1252.encode(western).0);
        assert_eq!((name, lines.join("\n").as_str()), ("Latin-1 (Windows-1252)", western));
    }

    #[test]
    fn the_first_chinese_name_may_stand_behind_the_first_part() {
        let mut text = "name,phone\n".to_owned();
        while text.len() < 3 * CHUNK {
            text.push_str("Ann Miller,2025550143\n");
        }
        text.push_str("王小明,13900011234");
        for bytes in [text.as_bytes().to_vec(), GB18030.encode(&text).0.into_owned()] {
            assert_eq!(read(&bytes).1.last().unwrap(), "王小明,13900011234");
        }
    }

    #[test]
    fn a_few_broken_rows_leave_the_rest_as_it_is() {
        let mut bytes = "姓名\n王小明\n李芳\n张伟\n".as_bytes().to_vec();
        bytes.extend(b"M\xfcller\n");
        let (name, lines) = read(&bytes);
        assert_eq!((name, lines[1].as_str(), lines[4].as_str()), ("UTF-8", "王小明", "M\u{fffd}ller"));
    }

    #[test]
    fn lines_end_in_every_way_and_the_last_needs_no_end() {
        for text in ["a\nb\n\nc", "a\r\nb\r\n\r\nc\r\n", "a\rb\r\rc\r", "a\nb\r\n\nc\n"] {
            assert_eq!(read(text.as_bytes()).1, ["a", "b", "", "c"], "{text:?}");
        }
        assert!(read(b"").1.is_empty());
        // The end of a line lies on the end of a part.
        let text = ["x".repeat(CHUNK - 1).as_str(), "\r\ny"].concat();
        assert_eq!(read(text.as_bytes()).1[1], "y");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let bytes = vec![b'x'; LONGEST_LINE + 3 * CHUNK];
        let mut lines = Lines::new(&bytes[..], writing(&bytes[..]).unwrap());
        let mut line = String::new();
        assert_eq!(lines.next(&mut line).unwrap(), Some(false));
        assert_eq!(line.len(), LONGEST_LINE);
        assert_eq!(lines.next(&mut line).unwrap(), None);
    }
}
