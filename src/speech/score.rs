//! How much of what was said was heard: words put on common ground, then aligned.

/// Words of a transcript on common ground: lower case, no punctuation, figures spelt digit by digit, and one word for
/// the digit that is said "oh" or "zero".
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'') {
        let token = token.trim_matches('\'').to_lowercase();
        if token.is_empty() {
            continue;
        }
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            words.extend(token.bytes().map(|byte| DIGITS[usize::from(byte - b'0')].to_owned()));
        } else if matches!(token.as_str(), "oh" | "o") {
            words.push("zero".to_owned());
        } else {
            words.push(token.replace('\'', ""));
        }
    }
    words
}

const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Words that must be changed, added or dropped to turn `heard` into `said` (Levenshtein distance over words).
pub fn errors(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (line, word) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in heard.iter().enumerate() {
            let change = diagonal + usize::from(word != other);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[heard.len()]
}

/// Errors and words of many utterances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Utterances.
    pub utterances: usize,
    /// Those without any error.
    pub exact: usize,
    /// Words said.
    pub words: usize,
    /// Words wrong, missing or invented.
    pub errors: usize,
}

impl Score {
    /// Adds one utterance.
    pub fn add(&mut self, said: &str, heard: &str) -> bool {
        let (said, heard) = (words(said), words(heard));
        let errors = errors(&said, &heard);
        self.utterances += 1;
        self.exact += usize::from(errors == 0);
        self.words += said.len();
        self.errors += errors;
        errors == 0
    }

    /// Share of utterances without error, 0..1.
    pub fn exact_rate(&self) -> f64 {
        self.exact as f64 / self.utterances.max(1) as f64
    }

    /// Word error rate: errors per word said; can pass 1.
    pub fn word_error_rate(&self) -> f64 {
        self.errors as f64 / self.words.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_case_and_punctuation_do_not_count() {
        assert_eq!(words("268-44, O'Clock!"), ["two", "six", "eight", "four", "four", "oclock"]);
        assert_eq!(words("One, five, OH."), words("1 5 0"));
        assert_eq!(words(" ?! "), Vec::<String>::new());
    }

    #[test]
    fn errors_are_changes_additions_and_losses() {
        for (said, heard, expect) in [
            ("pay my bill", "pay my bill", 0),
            ("pay my bill", "pay a bill", 1),
            ("pay my bill", "please pay my bill now", 2),
            ("pay my bill", "bill", 2),
            ("pay", "", 1),
            ("", "pay", 1),
        ] {
            assert_eq!(errors(&words(said), &words(heard)), expect, "{said} / {heard}");
        }
    }

    #[test]
    fn rates_are_taken_over_all_utterances() {
        let mut score = Score::default();
        assert!(score.add("yes", "Yes."));
        assert!(!score.add("one two three", "one three"));
        assert_eq!((score.exact_rate(), score.word_error_rate()), (0.5, 0.25));
    }
}
