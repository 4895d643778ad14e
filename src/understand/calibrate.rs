//! From evidence to a confidence that means what it says.
//!
//! A conditional logit with an outside option (McFadden 1974): each option's evidence is weighed into a score, "none
//! of these" has the score 0, and a softmax over all of them gives the confidences. So a rival takes confidence away
//! as rightly as strangeness does. The weights are the same for every plan; `trunkline understand fit` finds them by
//! maximum likelihood from cases that say what was meant.

use super::classifier::{Evidence, NUMBERS};
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

/// Numbers in one row of evidence, and a constant.
pub const FEATURES: usize = NUMBERS + 1;

/// What each number of [`Evidence::row`] and the constant are worth.
pub type Weights = [f32; FEATURES];

/// For English, found by `trunkline understand fit` on `tests/data/understanding-dev.tsv` and on few-shot draws.
const ENGLISH: Weights =
    [1.63, 0.47, 2.93, 0.76, 1.98, -1.99, 0.09, 2.06, 0.31, 1.16, -0.73, -1.73, -1.93, 0.68, 0.62, -3.16, -1.45, 4.48];

/// For Mandarin, found on few-shot draws alone.
const MANDARIN: Weights = [
    -0.91, -0.81, -1.18, 0.19, -0.02, -2.17, 2.61, -2.10, -1.17, 0.19, 0.05, 1.90, 0.00, 0.44, 2.92, 0.24, -1.11, 4.41,
];

/// The weights for `language`.
pub fn weights(language: &Language) -> &'static Weights {
    if is_mandarin(language) { &MANDARIN } else { &ENGLISH }
}

/// One utterance to learn from: the evidence for each option, and which one was meant, if any.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// As [`super::classifier::Classifier::weigh`] gave it.
    pub evidence: Vec<Evidence>,
    /// `None` when it was out of scope.
    pub meant: Option<usize>,
    /// How much this lesson counts.
    pub weight: f32,
}

/// Confidence 0..1 in each option. They add up to less than one; the rest belongs to "none of these".
pub fn confidences(evidence: &[Evidence], weights: &Weights) -> Vec<f32> {
    let scores: Vec<f32> = evidence.iter().map(|of| score(of, weights)).collect();
    let top = scores.iter().copied().fold(0.0, f32::max);
    let outside = (-top).exp();
    let sum = outside + scores.iter().map(|score| (score - top).exp()).sum::<f32>();
    scores.iter().map(|score| (score - top).exp() / sum).collect()
}

fn score(evidence: &Evidence, weights: &Weights) -> f32 {
    evidence.row().iter().zip(weights).map(|(value, weight)| value * weight).sum::<f32>() + weights[FEATURES - 1]
}

/// Weights that make the lessons likeliest, by gradient ascent with a step of its own for each weight (Adam, Kingma
/// and Ba 2015); `decay` keeps them small.
pub fn fit(lessons: &[Lesson], decay: f32, rounds: usize, language: &Language) -> Weights {
    let mut weights = *self::weights(language);
    let (mut mean, mut spread) = ([0.0_f32; FEATURES], [0.0_f32; FEATURES]);
    for round in 1..=rounds {
        let slopes = slopes(lessons, &weights);
        let step = 0.05 * (1.0 - (round - 1) as f32 / rounds as f32);
        for (place, slope) in slopes.into_iter().enumerate() {
            let slope = slope - decay * weights[place];
            mean[place] = 0.9 * mean[place] + 0.1 * slope;
            spread[place] = 0.99 * spread[place] + 0.01 * slope * slope;
            let (mean, spread) =
                (mean[place] / (1.0 - 0.9_f32.powi(round as i32)), spread[place] / (1.0 - 0.99_f32.powi(round as i32)));
            weights[place] += step * mean / (spread.sqrt() + 1e-8);
        }
    }
    weights
}

/// Which way each weight makes the lessons likelier.
fn slopes(lessons: &[Lesson], weights: &Weights) -> Weights {
    let count: f32 = lessons.iter().map(|lesson| lesson.weight).sum();
    let mut slopes = [0.0_f32; FEATURES];
    for lesson in lessons {
        let believed = confidences(&lesson.evidence, weights);
        for (option, (of, believed)) in lesson.evidence.iter().zip(believed).enumerate() {
            let error = lesson.weight * (f32::from(u8::from(lesson.meant == Some(option))) - believed) / count;
            let row = of.row().into_iter().chain([1.0]);
            slopes.iter_mut().zip(row).for_each(|(slope, value)| *slope += error * value);
        }
    }
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(covered: f32) -> Evidence {
        Evidence {
            covered,
            specific: covered,
            nearest: covered,
            near: covered,
            phrase_said: covered,
            ..Default::default()
        }
    }

    #[test]
    fn more_evidence_is_more_confidence_and_a_rival_takes_some() {
        let alone = confidences(&[evidence(1.0), evidence(0.0)], &ENGLISH)[0];
        let rivalled = confidences(&[evidence(1.0), evidence(1.0)], &ENGLISH)[0];
        let weak = confidences(&[evidence(0.3), evidence(0.0)], &ENGLISH)[0];
        assert!(alone > rivalled && alone > weak, "{alone} {rivalled} {weak}");
        assert!(confidences(&[], &ENGLISH).is_empty());
    }

    #[test]
    fn fitting_learns_what_tells() {
        let lesson = |covered: f32, meant| Lesson { evidence: vec![evidence(covered)], meant, weight: 1.0 };
        let lessons = vec![lesson(0.9, Some(0)), lesson(0.8, Some(0)), lesson(0.3, None), lesson(0.2, None)];
        let weights = fit(&lessons, 1e-4, 2000, &Language::english());
        assert!(confidences(&[evidence(0.85)], &weights)[0] > 0.8);
        assert!(confidences(&[evidence(0.25)], &weights)[0] < 0.2);
    }
}
