//! From evidence to confidence: how surely does an entry answer a question?
//!
//! A conditional logit with an outside option (McFadden 1974): what speaks for each entry is weighed into a score, "none
//! of these" has the score 0, and a softmax over all of them gives the confidences. So a rival takes confidence away as
//! rightly as strangeness does.

/// What speaks for one entry, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// How much of the question all its wordings together cover, word by word.
    pub covered: f32,
    /// The same for its nearest wording.
    pub of_question: f32,
    /// How much of that wording was asked.
    pub of_wording: f32,
    /// How alike the question and a wording are in letters or syllables.
    pub spelling: f32,
    /// BM25 of question and answer together.
    pub relevance: f32,
    /// Likeness to the nearest wording in words, pairs, sounds, senses and fields.
    pub kinship: f32,
}

/// Numbers in a row of evidence, the constant included.
pub const FEATURES: usize = 7;

/// What each number of a row is worth.
pub type Weights = [f32; FEATURES];

/// Found by `knowledge::tests::fit`, by maximum likelihood on the first half of `tests/data/answers.tsv`.
pub const ENGLISH: Weights = [1.86, 3.16, 0.0, 5.78, 8.81, 5.13, -6.99];
/// The same for Mandarin.
pub const MANDARIN: Weights = [4.45, 2.79, 2.94, 1.91, 8.69, 3.35, -5.91];

impl Evidence {
    /// One more wording: the nearest is kept.
    pub fn keep(&mut self, of_question: f32, of_wording: f32, spelling: f32, kinship: f32) {
        self.spelling = self.spelling.max(spelling);
        self.kinship = self.kinship.max(kinship);
        if both(of_question, of_wording) > both(self.of_question, self.of_wording) {
            (self.of_question, self.of_wording) = (of_question, of_wording);
        }
    }

    /// As numbers to be weighed.
    pub fn row(&self) -> [f32; FEATURES] {
        let Self { covered, of_question, of_wording, spelling, relevance, kinship } = *self;
        [covered, of_wording, both(of_question, of_wording), spelling, relevance, kinship, 1.0]
    }
}

/// Confidence in each entry, 0 to 1; what is missing to one belongs to "none of these".
pub fn confidences(evidence: &[Evidence], weights: &Weights) -> Vec<f32> {
    let score = |of: &Evidence| of.row().iter().zip(weights).map(|(value, weight)| value * weight).sum::<f32>();
    let scores: Vec<f32> = evidence.iter().map(score).collect();
    let top = scores.iter().copied().fold(0.0, f32::max);
    let sum = (-top).exp() + scores.iter().map(|score| (score - top).exp()).sum::<f32>();
    scores.iter().map(|score| (score - top).exp() / sum).collect()
}

/// Harmonic mean: little of either is little.
fn both(one: f32, other: f32) -> f32 {
    if one + other > 0.0 { 2.0 * one * other / (one + other) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(all: f32) -> Evidence {
        Evidence { covered: all, of_question: all, of_wording: all, spelling: all, relevance: all, kinship: all }
    }

    #[test]
    fn more_evidence_is_more_confidence_and_a_rival_takes_some() {
        for weights in [ENGLISH, MANDARIN] {
            let alone = confidences(&[evidence(0.9), evidence(0.0)], &weights)[0];
            let rivalled = confidences(&[evidence(0.9), evidence(0.85)], &weights)[0];
            let weak = confidences(&[evidence(0.1), evidence(0.0)], &weights)[0];
            assert!(alone > rivalled && rivalled > weak && alone > 0.8 && weak < 0.2, "{alone} {rivalled} {weak}");
        }
        assert!(confidences(&[], &ENGLISH).is_empty());
    }
}
