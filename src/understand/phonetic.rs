//! How alike two English words sound, for words a recogniser misheard: "balanse", "lost cart".
//!
//! Double Metaphone (Philips 2000) codes compared by edit distance, checked against the spelling, because short
//! codes are shared by strangers ("pay", "boy").

use rphonetic::DoubleMetaphone;

/// Codes longer than this tell nothing more about words people say to a menu.
const CODE_LENGTH: usize = 6;
/// Codes less alike than this are strangers…
const NEAR: f32 = 0.74;
/// …so that one letter may differ in a code of this length, and none in a shorter one.
const EDITABLE: usize = 4;
/// Words shorter than this sound like too many others.
const SHORTEST: usize = 4;

/// The sound of a word: both codes Double Metaphone gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    primary: String,
    alternate: String,
}

impl Sound {
    /// `None` for words too short to be told by sound, and for anything but ASCII letters.
    pub fn of(word: &str) -> Option<Self> {
        if word.len() < SHORTEST || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let codes = DoubleMetaphone::new(Some(CODE_LENGTH)).double_metaphone(word);
        Some(Self { primary: codes.primary(), alternate: codes.alternate() }).filter(|sound| sound.primary.len() >= 2)
    }

    /// The sound of a word however short, for making up what it may be taken for.
    pub fn of_any(word: &str) -> Option<Self> {
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let codes = DoubleMetaphone::new(Some(CODE_LENGTH)).double_metaphone(word);
        Some(Self { primary: codes.primary(), alternate: codes.alternate() }).filter(|sound| !sound.primary.is_empty())
    }

    /// The first of the codes.
    pub fn primary(&self) -> &str {
        &self.primary
    }

    /// A quick look that spares most comparisons: of short codes nothing may be edited, of longer ones one letter.
    fn may_be_near(&self, other: &Self) -> bool {
        let (one, two) = (self.primary.len(), other.primary.len());
        let edits = 1.0 - one.abs_diff(two) as f32 / one.max(two).max(1) as f32;
        let is_short = one.max(two) < EDITABLE && self.alternate.len().max(other.alternate.len()) < EDITABLE;
        match is_short {
            true => self.primary == other.primary || self.primary == other.alternate || self.alternate == other.primary,
            false => edits >= NEAR || self.primary != self.alternate || other.primary != other.alternate,
        }
    }

    /// 0 (strangers) to 1 (same sound): smallest share of the codes that must be edited.
    pub fn alike(&self, other: &Self) -> f32 {
        let pairs =
            [(&self.primary, &other.primary), (&self.primary, &other.alternate), (&self.alternate, &other.primary)];
        pairs.into_iter().map(|(one, two)| strsim::normalized_levenshtein(one, two) as f32).fold(0.0, f32::max)
    }
}

/// How likely `heard` is a mishearing of `meant`, 0..0.85; zero unless both sound and spelling are near.
pub fn misheard((heard, heard_sound): (&str, &Sound), (meant, meant_sound): (&str, &Sound)) -> f32 {
    if !heard_sound.may_be_near(meant_sound) {
        return 0.0;
    }
    let sound = heard_sound.alike(meant_sound);
    if sound < NEAR {
        return 0.0;
    }
    let spelling = strsim::jaro_winkler(heard, meant) as f32;
    match (sound, spelling) {
        (sound, spelling) if sound > 0.99 && spelling > 0.86 => 0.85,
        (sound, spelling) if sound > 0.99 && spelling > 0.75 => 0.7,
        (_, spelling) if spelling > 0.9 => 0.6,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(heard: &str, meant: &str) -> f32 {
        match (Sound::of(heard), Sound::of(meant)) {
            (Some(one), Some(two)) => misheard((heard, &one), (meant, &two)),
            _ => 0.0,
        }
    }

    #[test]
    fn misheard_words_are_near() {
        for (heard, meant) in
            [("balanse", "balance"), ("cart", "card"), ("ballance", "balance"), ("perscription", "prescription")]
        {
            assert!(likeness(heard, meant) >= 0.6, "{heard} {meant} {}", likeness(heard, meant));
        }
    }

    #[test]
    fn strangers_are_far() {
        for (heard, meant) in
            [("pizza", "pay"), ("weather", "water"), ("people", "pupil"), ("order", "card"), ("boy", "pay")]
        {
            assert!(likeness(heard, meant) < 0.6, "{heard} {meant} {}", likeness(heard, meant));
        }
    }
}
