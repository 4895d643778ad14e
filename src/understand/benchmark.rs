//! How good is a classifier? What it said of sentences with known meaning in, a handful of numbers out.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Equally wide bands of confidence the calibration error is taken over.
const BANDS: usize = 15;
/// Confusions worth naming.
const CONFUSIONS: usize = 10;

/// What was said of one sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The class it belongs to; `None` for strangers.
    pub meant: Option<usize>,
    /// The class it was taken for, without refusing.
    pub taken: Option<usize>,
    /// Confidence in that, 0..1.
    pub confidence: f32,
    /// What is compared with the threshold.
    pub belongs: f32,
}

/// The numbers. Shares are 0..1; those of strangers are missing where there were none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measures {
    /// Of the sentences of our classes, those taken for the right one, nothing refused.
    pub accuracy: f64,
    /// Mean over the classes of the harmonic mean of precision and recall; same sentences, nothing refused.
    pub macro_f1: f64,
    /// The same over all decisions together; as nothing is refused it equals the accuracy.
    pub micro_f1: f64,
    /// Strangers refused at the threshold that refuses 3 in 100 held-out training sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oos_recall_at_3: Option<f64>,
    /// The same for 5 in 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oos_recall_at_5: Option<f64>,
    /// Share of our own test sentences that the first threshold really refuses.
    pub false_reject_at_3: f64,
    /// Share of our own test sentences that the second threshold really refuses.
    pub false_reject_at_5: f64,
    /// Expected calibration error over the sentences of our classes: mean gap between confidence and accuracy.
    pub ece: f64,
    /// Training, calibration and thresholds included.
    pub train_ms: f64,
    /// One sentence, mean.
    pub classify_us: f64,
}

impl Measures {
    /// Sums up. `thresholds` are for 3 and 5 in 100; the two times come from whoever has a clock.
    pub fn of(judged: &[Judged], classes: usize, thresholds: [f32; 2], train_ms: f64, classify_us: f64) -> Self {
        let own: Vec<&Judged> = judged.iter().filter(|one| one.meant.is_some()).collect();
        let strangers: Vec<&Judged> = judged.iter().filter(|one| one.meant.is_none()).collect();
        let right = own.iter().filter(|one| one.taken == one.meant).count();
        let accuracy = share(right, own.len());
        let refused = |of: &[&Judged], threshold: f32| {
            share(of.iter().filter(|one| one.taken.is_none() || one.belongs < threshold).count(), of.len())
        };
        let recall = |threshold| (!strangers.is_empty()).then(|| refused(&strangers, threshold));
        Self {
            accuracy,
            macro_f1: macro_f1(&own, classes),
            micro_f1: accuracy,
            oos_recall_at_3: recall(thresholds[0]),
            oos_recall_at_5: recall(thresholds[1]),
            false_reject_at_3: refused(&own, thresholds[0]),
            false_reject_at_5: refused(&own, thresholds[1]),
            ece: calibration_error(&own),
            train_ms,
            classify_us,
        }
    }

    /// Names and values, in the order they are printed.
    pub fn rows(&self) -> Vec<(&'static str, Option<f64>)> {
        vec![
            ("accuracy", Some(self.accuracy)),
            ("macro_f1", Some(self.macro_f1)),
            ("micro_f1", Some(self.micro_f1)),
            ("oos_recall_at_3", self.oos_recall_at_3),
            ("oos_recall_at_5", self.oos_recall_at_5),
            ("false_reject_at_3", Some(self.false_reject_at_3)),
            ("false_reject_at_5", Some(self.false_reject_at_5)),
            ("ece", Some(self.ece)),
            ("train_ms", Some(self.train_ms)),
            ("classify_us", Some(self.classify_us)),
        ]
    }
}

/// Shares of our own that may be refused.
const FALSE_REJECTS: [f64; 2] = [0.03, 0.05];

/// The values below which 3 and 5 in 100 of `sure` lie; 0 when there are none.
pub fn quantiles(mut sure: Vec<f32>) -> [f32; 2] {
    sure.sort_by(f32::total_cmp);
    FALSE_REJECTS.map(|share| sure.get((sure.len() as f64 * share) as usize).copied().unwrap_or(0.0))
}

/// Mean F1 over the classes that were meant or taken at all.
fn macro_f1(own: &[&Judged], classes: usize) -> f64 {
    let (mut right, mut meant, mut taken) = (vec![0_usize; classes], vec![0_usize; classes], vec![0_usize; classes]);
    for one in own {
        if let Some(class) = one.meant {
            meant[class] += 1;
            right[class] += usize::from(one.taken == Some(class));
        }
        if let Some(class) = one.taken {
            taken[class] += 1;
        }
    }
    let seen: Vec<usize> = (0..classes).filter(|class| meant[*class] + taken[*class] > 0).collect();
    let f1 = |class: &usize| 2.0 * right[*class] as f64 / (meant[*class] + taken[*class]) as f64;
    seen.iter().map(f1).sum::<f64>() / seen.len().max(1) as f64
}

/// Mean gap between confidence and accuracy over bands of confidence, each counted by its sentences (Naeini, Cooper
/// and Hauskrecht 2015).
fn calibration_error(own: &[&Judged]) -> f64 {
    let mut bands = [(0_usize, 0_usize, 0.0_f64); BANDS];
    for one in own {
        let band = &mut bands[((one.confidence * BANDS as f32) as usize).min(BANDS - 1)];
        band.0 += 1;
        band.1 += usize::from(one.taken == one.meant);
        band.2 += f64::from(one.confidence);
    }
    bands.iter().map(|(_, right, sure)| (*right as f64 - sure).abs()).sum::<f64>() / own.len().max(1) as f64
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Two classes taken for one another, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// What was meant.
    pub meant: String,
    /// What it was taken for.
    pub taken: String,
    /// How often.
    pub count: usize,
}

/// The commonest mistakes among sentences of our classes, nothing refused.
pub fn confusions(judged: &[Judged], names: &[String]) -> Vec<Confusion> {
    let mut counts: BTreeMap<(usize, Option<usize>), usize> = BTreeMap::new();
    for one in judged.iter().filter(|one| one.taken != one.meant) {
        if let Some(meant) = one.meant {
            *counts.entry((meant, one.taken)).or_default() += 1;
        }
    }
    let name = |class: Option<usize>| class.and_then(|class| names.get(class)).map_or("-", String::as_str).to_owned();
    let confusion = |((meant, taken), count): ((usize, Option<usize>), usize)| Confusion {
        meant: name(Some(meant)),
        taken: name(taken),
        count,
    };
    let mut all: Vec<Confusion> = counts.into_iter().map(confusion).collect();
    all.sort_by_key(|confusion| std::cmp::Reverse(confusion.count));
    all.truncate(CONFUSIONS);
    all
}

/// What `understand eval` says: for people by `Display`, for programs as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// Of the sentences.
    pub language: String,
    /// Sentences trained on, strangers aside.
    pub train_rows: usize,
    /// Strangers trained on, to learn when to refuse.
    pub train_strangers: usize,
    /// Sentences tried that belong to a class.
    pub test_rows: usize,
    /// Strangers tried.
    pub test_strangers: usize,
    /// Classes, strangers aside.
    pub classes: usize,
    /// Ours.
    #[serde(flatten)]
    pub measures: Measures,
    /// The same of tf-idf over words and a linear model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<Measures>,
    /// Commonest first.
    pub confusions: Vec<Confusion>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: trained on {} sentences of {} intents and {} strangers, tried on {} and {} strangers\n",
            self.language, self.train_rows, self.classes, self.train_strangers, self.test_rows, self.test_strangers
        )?;
        writeln!(
            f,
            "{:<20}{:>10}{}",
            "",
            "trunkline",
            if self.yardstick.is_some() { "    tf-idf + linear" } else { "" }
        )?;
        let plain = self.yardstick.as_ref().map(Measures::rows);
        for (at, (name, value)) in self.measures.rows().into_iter().enumerate() {
            let other = plain.as_ref().map(|rows| format!("{:>19}", number(name, rows[at].1))).unwrap_or_default();
            writeln!(f, "{name:<20}{:>10}{other}", number(name, value))?;
        }
        if !self.confusions.is_empty() {
            writeln!(f, "\n{:<28}{:<28}{:>5}", "meant", "taken for", "times")?;
        }
        for Confusion { meant, taken, count } in &self.confusions {
            writeln!(f, "{meant:<28}{taken:<28}{count:>5}")?;
        }
        Ok(())
    }
}

fn number(name: &str, value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if name.ends_with("_ms") || name.ends_with("_us") => format!("{value:.1}"),
        Some(value) => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(meant: Option<usize>, taken: usize, confidence: f32, belongs: f32) -> Judged {
        Judged { meant, taken: Some(taken), confidence, belongs }
    }

    #[test]
    fn the_numbers_are_those_of_a_count_by_hand() {
        let said = [
            judged(Some(0), 0, 1.0, 0.9),
            judged(Some(0), 1, 0.5, 0.2),
            judged(Some(1), 1, 0.5, 0.7),
            judged(Some(1), 1, 1.0, 0.8),
            judged(None, 0, 0.9, 0.1),
            judged(None, 1, 0.9, 0.5),
        ];
        let found = Measures::of(&said, 3, [0.3, 0.6], 1.0, 2.0);
        assert_eq!((found.accuracy, found.micro_f1), (0.75, 0.75));
        // Class 0: precision 1, recall 1/2; class 1: precision 2/3, recall 1; class 2 never came up.
        assert!((found.macro_f1 - (2.0 / 3.0 + 0.8) / 2.0).abs() < 1e-9, "{found:?}");
        assert_eq!((found.oos_recall_at_3, found.oos_recall_at_5), (Some(0.5), Some(1.0)));
        assert_eq!((found.false_reject_at_3, found.false_reject_at_5), (0.25, 0.25));
        // At 0.5: one of two right; at 1.0: two of two.
        assert!(found.ece.abs() < 1e-9, "{found:?}");
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(confusions(&said, &names), [Confusion { meant: "a".into(), taken: "b".into(), count: 1 }]);
    }

    #[test]
    fn overconfidence_is_a_calibration_error() {
        let said: Vec<Judged> = (0..10).map(|at| judged(Some(0), usize::from(at % 2 == 0), 0.9, 1.0)).collect();
        assert!((Measures::of(&said, 2, [0.0; 2], 0.0, 0.0).ece - 0.4).abs() < 1e-6);
    }

    #[test]
    fn nothing_tried_is_no_failure() {
        let found = Measures::of(&[], 0, [0.5; 2], 0.0, 0.0);
        assert_eq!((found.accuracy, found.oos_recall_at_3), (0.0, None));
    }
}
