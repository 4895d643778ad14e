//! Moonshine's vocabulary: which bytes each token stands for, and token sequences back into text.
//!
//! `tokenizer.bin` is a run of entries in token order, each a length and that many bytes. A length below 128 is one
//! byte; from 128 on it is two, the second counting in 128s: `(first - 128) + 128 * second`. Words begin with `▁`
//! (U+2581, the SentencePiece convention); tokens 3 to 258 are single raw bytes, so that anything can be spelt.

use std::ops::Range;

/// What a word-initial space looks like inside a token.
const SPACE: &str = "\u{2581}";
/// More entries than any model of this family has; a file that claims more is not a vocabulary.
const MOST_TOKENS: usize = 1 << 17;

/// Start of a transcript.
pub const START: i64 = 1;
/// End of a transcript.
pub const END: i64 = 2;

/// Bytes of every token.
#[derive(Debug)]
pub struct Vocabulary {
    bytes: Vec<u8>,
    tokens: Vec<Range<usize>>,
}

/// Why a file is no vocabulary.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// The last entry runs past the end of the file.
    #[error("it ends in the middle of token {0}")]
    CutShort(usize),
    /// More tokens than any such model has.
    #[error("it holds more than {MOST_TOKENS} tokens")]
    TooMany,
    /// Tokens 0 to 2 are not the markers they must be.
    #[error("it does not begin with <unk>, <s> and </s>")]
    NoMarkers,
}

impl Vocabulary {
    /// Reads the bytes of a `tokenizer.bin`.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, VocabularyError> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let cut = VocabularyError::CutShort(tokens.len());
            let (length, head) = match (bytes[at], bytes.get(at + 1)) {
                (short @ 0..=127, _) => (usize::from(short), 1),
                (low, Some(high)) => (usize::from(low) - 128 + 128 * usize::from(*high), 2),
                (_, None) => return Err(cut),
            };
            let token = at + head..at + head + length;
            if token.end > bytes.len() {
                return Err(cut);
            }
            if tokens.len() == MOST_TOKENS {
                return Err(VocabularyError::TooMany);
            }
            at = token.end;
            tokens.push(token);
        }
        let vocabulary = Self { bytes, tokens };
        let marks = [(0, "<unk>"), (START, "<s>"), (END, "</s>")];
        if marks.iter().all(|(token, mark)| vocabulary.piece(*token) == mark.as_bytes()) {
            Ok(vocabulary)
        } else {
            Err(VocabularyError::NoMarkers)
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The text `tokens` spell, trimmed. Markers and unknown tokens spell nothing, broken UTF-8 becomes `�`.
    pub fn text(&self, tokens: &[i64]) -> String {
        let spelt: Vec<u8> = tokens
            .iter()
            .filter(|token| !self.is_mark(**token))
            .flat_map(|token| self.piece(*token))
            .copied()
            .collect();
        String::from_utf8_lossy(&spelt).replace(SPACE, " ").trim().to_owned()
    }

    /// Bytes of one token; none for a token outside the vocabulary.
    fn piece(&self, token: i64) -> &[u8] {
        let range = usize::try_from(token).ok().and_then(|token| self.tokens.get(token));
        range.map_or(&[], |range| &self.bytes[range.clone()])
    }

    /// `<unk>`, `<s>`, `</s>` and the reserved `<<ST_0>>`…: never words.
    fn is_mark(&self, token: i64) -> bool {
        let piece = self.piece(token);
        (0..=END).contains(&token) || (piece.starts_with(b"<<ST_") && piece.ends_with(b">>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tokens: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for token in [b"<unk>".as_slice(), b"<s>", b"</s>"].iter().chain(tokens) {
            if token.len() < 128 {
                bytes.push(token.len() as u8);
            } else {
                bytes.extend([(token.len() % 128) as u8 + 128, (token.len() / 128) as u8]);
            }
            bytes.extend(*token);
        }
        bytes
    }

    #[test]
    fn tokens_join_into_words_and_raw_bytes_into_letters() {
        let tokens: [&[u8]; 6] = ["▁caf".as_bytes(), b"\xc3", b"\xa9", "▁au".as_bytes(), b"<<ST_7>>", b""];
        let vocabulary = Vocabulary::parse(file(&tokens)).unwrap();
        assert_eq!(vocabulary.len(), 9);
        assert_eq!(vocabulary.text(&[START, 3, 4, 5, 8, 6, 7, END]), "café au");
        assert_eq!(vocabulary.text(&[-1, 99, i64::MAX]), "");
        assert_eq!(vocabulary.text(&[4, 6]), "\u{fffd} au");
    }

    #[test]
    fn a_long_token_has_a_length_of_two_bytes() {
        let long = [b'a'; 300];
        assert_eq!(Vocabulary::parse(file(&[&long])).unwrap().text(&[3]).len(), 300);
    }

    #[test]
    fn a_file_cut_anywhere_never_panics() {
        let whole = file(&["▁hello".as_bytes(), &[b'x'; 200]]);
        for length in 0..whole.len() {
            let _ = Vocabulary::parse(whole[..length].to_vec());
        }
        assert_eq!(Vocabulary::parse(whole[..whole.len() - 1].to_vec()).unwrap_err(), VocabularyError::CutShort(4));
        assert_eq!(Vocabulary::parse(Vec::new()).unwrap_err(), VocabularyError::NoMarkers);
    }

    #[test]
    fn random_bytes_are_refused() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for length in 0..2_000 {
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            };
            let bytes: Vec<u8> = (0..length).map(|_| random()).collect();
            assert!(Vocabulary::parse(bytes).is_err());
        }
        assert_eq!(Vocabulary::parse(vec![0; MOST_TOKENS + 1]).unwrap_err(), VocabularyError::TooMany);
    }
}
