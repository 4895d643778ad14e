//! An utterance or a phrase as the terms that carry its meaning.
//!
//! ```text
//!   English   "I can't find my bank card"  →  i · can_not_find · my · bank · card     (stems, expressions joined)
//!   Mandarin  "查我的余额"                  →  查 我 余 额 · 查我 我余 余额             (characters and their pairs)
//! ```

use super::lexicon::{self, Lexicon};
use super::phonetic::{self, Sound};
use super::stem::stem;
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

/// What a single Mandarin character tells, beside the pair it stands in.
const CHARACTER_WEIGHT: f32 = 0.25;
/// What a pair of Mandarin characters tells.
const PAIR_WEIGHT: f32 = 0.6;
/// A mishearing of a word that everyday speech is full of is a weaker excuse.
const COMMON_MISHEARD: f32 = 0.5;
/// How alike two expressions are when one of their words is the same.
const OF_PARTS: f32 = 0.6;
/// A word of an expression tells enough to be compared alone.
const TELLING: f32 = 0.25;

const DETERMINERS: &[&str] =
    &["a", "an", "the", "my", "our", "your", "his", "her", "their", "some", "any", "another", "more"];
const CIRCUMSTANCES: &[&str] = &[
    "at", "in", "on", "from", "with", "by", "near", "during", "after", "before", "outside", "inside", "behind",
    "under", "since", "until", "when", "while", "because", "if", "into", "over", "through", "where", "than", "as",
    "without",
];

/// One unit of meaning.
#[derive(Clone, Debug)]
pub struct Term {
    /// Stem, joined expression, character or pair.
    pub stem: String,
    /// What it tells by itself, 0..1.
    pub weight: f32,
    /// It has been said before in the same utterance.
    pub repeated: bool,
    /// Synonym lines it stands on.
    lines: &'static [(u16, f32)],
    /// The telling words of an expression, with their lines.
    parts: Vec<(String, &'static [(u16, f32)])>,
    /// As it was said, for comparing by sound; empty for expressions and Mandarin.
    spoken: String,
    sound: Option<Sound>,
    common: bool,
}

impl Term {
    /// Likeness 0..1 by meaning, and failing that by sound. `self` was heard, `meant` comes from the plan.
    pub fn likeness(&self, meant: &Self) -> f32 {
        let by_meaning = lexicon::alike((&self.stem, self.lines), (&meant.stem, meant.lines));
        if by_meaning > 0.0 {
            return by_meaning;
        }
        if !self.parts.is_empty() || !meant.parts.is_empty() {
            return self.likeness_of_parts(meant);
        }
        let (Some(heard), Some(known)) = (&self.sound, &meant.sound) else { return 0.0 };
        let by_sound = phonetic::misheard((&self.spoken, heard), (&meant.spoken, known));
        if self.common { by_sound * COMMON_MISHEARD } else { by_sound }
    }

    /// Does it open the naming of a thing, as "my" and "the" do?
    pub fn is_determiner(&self) -> bool {
        DETERMINERS.contains(&self.spoken.as_str())
    }

    /// Does it tie a circumstance to the wish ("at the zoo") rather than name what is wished?
    pub fn is_circumstance(&self) -> bool {
        CIRCUMSTANCES.contains(&self.spoken.as_str())
    }

    fn likeness_of_parts(&self, meant: &Self) -> f32 {
        let whole_or_parts = |term: &Self| match term.parts.as_slice() {
            [] => vec![(term.stem.clone(), term.lines)],
            parts => parts.to_vec(),
        };
        let (heard, known) = (whole_or_parts(self), whole_or_parts(meant));
        let pairs = heard.iter().flat_map(|one| known.iter().map(move |two| (one, two)));
        let best = pairs.map(|((one, lines), (two, others))| lexicon::alike((one, lines), (two, others)));
        best.fold(0.0, f32::max) * OF_PARTS
    }
}

/// The terms of normalised `words`, in order.
pub fn terms(words: &[String], language: &Language) -> Vec<Term> {
    let mut terms = if is_mandarin(language) { mandarin(words) } else { of_words(words, Lexicon::of(language)) };
    for at in 1..terms.len() {
        terms[at].repeated = terms[..at].iter().any(|earlier| earlier.stem == terms[at].stem);
    }
    terms
}

fn of_words(words: &[String], lexicon: &'static Lexicon) -> Vec<Term> {
    let stems: Vec<String> = words.iter().map(|word| stem(word)).collect();
    let mut terms = Vec::new();
    let mut at = 0;
    while at < stems.len() {
        let (term, taken) = match lexicon.expression(&stems[at..]) {
            Some((expression, taken)) => (of_expression(expression, lexicon), taken),
            None => (of_word(&words[at], &stems[at], lexicon), 1),
        };
        terms.push(term);
        at += taken;
    }
    terms
}

fn of_word(word: &str, stem: &str, lexicon: &'static Lexicon) -> Term {
    Term {
        stem: stem.to_owned(),
        weight: lexicon.weight(word, stem),
        repeated: false,
        lines: lexicon.lines(stem),
        parts: Vec::new(),
        spoken: word.to_owned(),
        sound: Sound::of(word),
        common: lexicon.is_common(word),
    }
}

fn of_expression(stems: &[String], lexicon: &'static Lexicon) -> Term {
    let name = stems.join("_");
    let telling = stems.iter().filter(|stem| lexicon.weight(stem, stem) >= TELLING);
    Term {
        weight: lexicon.weight(&name, &name),
        repeated: false,
        lines: lexicon.lines(&name),
        parts: telling.map(|stem| (stem.clone(), lexicon.lines(stem))).collect(),
        stem: name,
        spoken: String::new(),
        sound: None,
        common: false,
    }
}

fn mandarin(characters: &[String]) -> Vec<Term> {
    let plain = |stem: String, weight: f32| Term {
        stem,
        weight,
        repeated: false,
        lines: &[],
        parts: Vec::new(),
        spoken: String::new(),
        sound: None,
        common: false,
    };
    let singles = characters.iter().map(|one| {
        // A Latin word or number inside Mandarin tells as much as a pair.
        plain(one.clone(), if one.is_ascii() { PAIR_WEIGHT } else { CHARACTER_WEIGHT })
    });
    let pairs = characters.windows(2).map(|pair| plain(pair.concat(), PAIR_WEIGHT));
    singles.chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::normalize::words;

    fn stems(text: &str, tag: &str) -> String {
        let language = Language::parse(tag).unwrap();
        let terms = terms(&words(text, &language), &language);
        terms.into_iter().map(|term| term.stem).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn expressions_become_one_term() {
        assert_eq!(stems("I can't find my bank cards", "en"), "i can_not_find my bank_card");
    }

    #[test]
    fn mandarin_is_characters_and_pairs() {
        assert_eq!(stems("查余额", "zh-CN"), "查 余 额 查余 余额");
    }
}
