//! From evidence to confidence: how surely does an entry answer a question?
//!
//! A conditional logit with an outside option (McFadden 1974): what speaks for each entry is weighed into a score, "none
//! of these" has a score by how like the question is to sentences about something else, and a softmax over all of them gives the confidences. So a rival takes confidence away as
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

/// What each number of a row is worth, and likeness to sentences about something else.
pub type Weights = [f32; FEATURES + 1];

/// Found by `knowledge::tests::fit`, by maximum likelihood on the first half of `tests/data/answers.tsv`.
pub const ENGLISH: Weights = [1.69, 3.04, 0.0, 5.43, 8.54, 5.16, -5.79, 3.08];
/// The same for Mandarin.
pub const MANDARIN: Weights = [3.98, 2.5, 2.46, 1.33, 8.2, 4.72, -4.64, 4.41];

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
pub fn confidences(evidence: &[Evidence], strange: f32, weights: &Weights) -> Vec<f32> {
    let outside = strange * weights[FEATURES];
    let score = |of: &Evidence| of.row().iter().zip(weights).map(|(value, weight)| value * weight).sum::<f32>();
    let scores: Vec<f32> = evidence.iter().map(score).collect();
    let top = scores.iter().copied().fold(outside, f32::max);
    let sum = (outside - top).exp() + scores.iter().map(|score| (score - top).exp()).sum::<f32>();
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
            let alone = confidences(&[evidence(0.9), evidence(0.0)], 0.1, &weights)[0];
            let rivalled = confidences(&[evidence(0.9), evidence(0.85)], 0.1, &weights)[0];
            let weak = confidences(&[evidence(0.1), evidence(0.0)], 0.1, &weights)[0];
            assert!(alone > rivalled && rivalled > weak && alone > 0.8 && weak < 0.2, "{alone} {rivalled} {weak}");
        }
        assert!(confidences(&[], 0.0, &ENGLISH).is_empty());
    }
}
