//! When to say "none of these": how sure one may be that a text belongs to any class at all.
//!
//! A logistic regression over the numbers of a [`Doubt`], learned from texts the model had not seen: some that belong
//! to its classes, and some that do not.

use super::model::{DOUBTS, Doubt};

/// Rounds of the fit; set by hand, enough for the weights to stand still.
const ROUNDS: usize = 600;
/// Pull of the weights towards zero.
const DECAY: f32 = 1e-3;

/// One text the model had not seen.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// What the model made of it.
    pub doubt: Doubt,
    /// Does it belong to one of the classes?
    pub belongs: bool,
    /// How much it counts.
    pub weight: f32,
}

/// Learned weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    mean: [f32; DOUBTS],
    spread: [f32; DOUBTS],
    weights: [f32; DOUBTS],
    constant: f32,
}

impl Refusal {
    /// Learns from lessons; both kinds count the same in sum.
    pub fn learn(lessons: &[Lesson]) -> Self {
        let share = |belongs: bool| -> f32 {
            lessons.iter().filter(|lesson| lesson.belongs == belongs).map(|lesson| lesson.weight).sum::<f32>().max(1e-6)
        };
        let (ours, theirs) = (share(true), share(false));
        let weight = |lesson: &Lesson| 0.5 * lesson.weight / if lesson.belongs { ours } else { theirs };
        let (mut mean, mut spread) = ([0.0_f32; DOUBTS], [0.0_f32; DOUBTS]);
        for lesson in lessons {
            mean.iter_mut().zip(lesson.doubt).for_each(|(mean, value)| *mean += weight(lesson) * value);
        }
        for lesson in lessons {
            let offs = lesson.doubt.iter().zip(&mean).map(|(value, mean)| value - mean);
            spread.iter_mut().zip(offs).for_each(|(spread, off)| *spread += weight(lesson) * off * off);
        }
        spread.iter_mut().for_each(|spread| *spread = spread.sqrt().max(1e-4));
        let mut refusal = Self { mean, spread, weights: [0.0; DOUBTS], constant: 0.0 };
        refusal.climb(lessons, weight);
        refusal
    }

    /// Gradient ascent of the likelihood, with a step of its own for each weight (Adam, Kingma and Ba 2015).
    fn climb(&mut self, lessons: &[Lesson], weight: impl Fn(&Lesson) -> f32) {
        let (mut drift, mut noise) = ([0.0_f32; DOUBTS + 1], [0.0_f32; DOUBTS + 1]);
        for round in 1..=ROUNDS {
            let mut slopes = [0.0_f32; DOUBTS + 1];
            for lesson in lessons {
                let row = self.row(&lesson.doubt);
                let error = weight(lesson) * (f32::from(u8::from(lesson.belongs)) - sigmoid(self.sum(&row)));
                slopes.iter_mut().zip(row.into_iter().chain([1.0])).for_each(|(slope, value)| *slope += error * value);
            }
            for (slope, weight) in slopes.iter_mut().zip(&self.weights) {
                *slope -= DECAY * weight;
            }
            let step = 0.1 * (1.0 - (round - 1) as f32 / ROUNDS as f32);
            let worth = self.weights.iter_mut().chain([&mut self.constant]);
            for (((worth, slope), drift), noise) in worth.zip(slopes).zip(&mut drift).zip(&mut noise) {
                *drift = 0.9 * *drift + 0.1 * slope;
                *noise = 0.99 * *noise + 0.01 * slope * slope;
                let fair = (1.0 - 0.9_f32.powi(round as i32), 1.0 - 0.99_f32.powi(round as i32));
                *worth += step * (*drift / fair.0) / ((*noise / fair.1).sqrt() + 1e-8);
            }
        }
    }

    fn row(&self, doubt: &Doubt) -> Doubt {
        let mut row = *doubt;
        for (at, value) in row.iter_mut().enumerate() {
            *value = ((*value - self.mean[at]) / self.spread[at]).clamp(-4.0, 4.0);
        }
        row
    }

    fn sum(&self, row: &Doubt) -> f32 {
        row.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum::<f32>() + self.constant
    }

    /// 0..1: how sure one may be that the text belongs to one of the classes.
    pub fn belongs(&self, doubt: &Doubt) -> f32 {
        sigmoid(self.sum(&self.row(doubt)))
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(value: f32, belongs: bool) -> Lesson {
        let mut doubt = Doubt::default();
        doubt[3] = value;
        Lesson { doubt, belongs, weight: 1.0 }
    }

    #[test]
    fn what_tells_our_own_from_strangers_is_learned() {
        let lessons: Vec<Lesson> = (0..50).map(|at| lesson(at as f32 / 50.0, at >= 25 || at % 10 == 0)).collect();
        let refusal = Refusal::learn(&lessons);
        let sure = |value| refusal.belongs(&lesson(value, true).doubt);
        assert!(sure(0.9) > 0.8 && sure(0.1) < 0.4, "{} {}", sure(0.9), sure(0.1));
        assert!(sure(0.6) > sure(0.4));
    }

    #[test]
    fn with_nothing_to_learn_from_it_answers_all_the_same() {
        for lessons in [vec![], vec![lesson(0.5, true)], vec![lesson(0.5, false)]] {
            let sure = Refusal::learn(&lessons).belongs(&Doubt::default());
            assert!((0.0..=1.0).contains(&sure), "{sure}");
        }
    }
}
