//! The core every question and every labelled set is understood by: what a text is made of, weighed by a linear model.
//!
//! ```text
//!   text ──▶ features (words, pairs, pieces, fields, sounds…) ──▶ row ──┬─▶ linear: one value per class
//!                                                                       └─▶ postings: how near is what was taught?
//! ```
//!
//! The linear part decides between the classes. How near the nearest example is, and how much of the text training
//! knew at all, tell whether it belongs to any of them ([`Doubt`]).

use super::features::features;
use super::linear::{Linear, Settings};
use super::sparse::{Dictionary, Feature, Postings, Row, VIEWS};
use crate::language::Language;

/// Numbers in one [`Doubt`].
pub const DOUBTS: usize = 14;

/// What a text to learn from is made of, and the class it belongs to; `None` for a stranger, which belongs to no class.
#[derive(Clone, Debug)]
pub struct Example {
    /// Gathered features.
    pub features: Vec<Feature>,
    /// Below the number of classes.
    pub class: Option<usize>,
}

impl Example {
    /// Takes `text` apart.
    pub fn new(text: &str, class: Option<usize>, language: &Language) -> Self {
        Self { features: features(text, language), class }
    }
}

/// What the model makes of one text.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The value of each class: above 0 where its machine says yes.
    pub values: Vec<f32>,
    /// The class with the highest value.
    pub best: usize,
    /// The value of the strangers' machine, where there were strangers to learn from.
    pub stranger: Option<f32>,
    row: Row,
}

/// Numbers that tell a text of one of the classes from a stranger, in a fixed order.
pub type Doubt = [f32; DOUBTS];

/// Trained on examples of each class and, perhaps, on strangers.
#[derive(Clone, Debug)]
pub struct Model {
    classes: usize,
    dictionary: Dictionary,
    linear: Linear,
    postings: Postings,
    /// Class of each row.
    labels: Vec<Option<usize>>,
    /// Squared length of a row that has every view.
    length: f32,
    strangers: bool,
}

impl Model {
    /// Trains on `examples` of `classes` classes. With strangers among them, one machine more learns what they have in
    /// common.
    pub fn train(examples: &[&Example], classes: usize, scale: [f32; VIEWS], settings: &Settings) -> Self {
        let dictionary = Dictionary::learn(examples.iter().map(|example| example.features.as_slice()), scale, 1);
        let rows: Vec<Row> = examples.iter().map(|example| dictionary.row(&example.features)).collect();
        let strangers = examples.iter().any(|example| example.class.is_none());
        let labels: Vec<Option<usize>> = examples.iter().map(|example| example.class).collect();
        let machines: Vec<Option<usize>> = labels.iter().map(|class| class.or(strangers.then_some(classes))).collect();
        let linear = Linear::train(&rows, &machines, classes + usize::from(strangers), dictionary.len(), settings);
        let postings = Postings::of(&rows, dictionary.len());
        let length = scale.iter().map(|scale| scale * scale).sum();
        Self { classes, dictionary, linear, postings, labels, length, strangers }
    }

    /// What `features` of a text speak for.
    pub fn read(&self, features: &[Feature]) -> Reading {
        let row = self.dictionary.row(features);
        let mut values = self.linear.values(&row);
        let stranger = if self.strangers { values.pop() } else { None };
        let best = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
        Reading { values, best, stranger, row }
    }

    /// What tells whether the text belongs to any class.
    pub fn doubt(&self, reading: &Reading) -> Doubt {
        let Reading { values, best, stranger, row } = reading;
        let best = *best;
        let top = values.get(best).copied().unwrap_or(-1.0);
        let others = values.iter().enumerate().filter(|(class, _)| *class != best).map(|(_, value)| *value);
        let second = others.fold(-1.5_f32, f32::max);
        let likeness = self.likeness(row);
        let mut own = [0.0_f32; 3];
        let (mut rival, mut strange) = (0.0_f32, 0.0_f32);
        for (class, likeness) in self.labels.iter().zip(&likeness) {
            match class {
                Some(class) if *class == best => insert(&mut own, *likeness),
                Some(_) => rival = rival.max(*likeness),
                None => strange = strange.max(*likeness),
            }
        }
        let sum: f32 = values.iter().map(|value| ((value - top) * 4.0).exp()).sum();
        [
            top,
            top - second,
            -sum.ln(),
            own[0],
            own.iter().sum::<f32>() / 3.0,
            own[0] - rival,
            row.known[0],
            row.known[1],
            row.known[2],
            row.known[4],
            row.known[11],
            (1.0 + row.cells.len() as f32).ln(),
            stranger.map_or(0.0, |value| top - value),
            own[0] - strange,
        ]
    }

    /// Cosine likeness to the nearest example of each class, 0..1.
    pub fn nearest(&self, reading: &Reading) -> Vec<f32> {
        let mut nearest = vec![0.0_f32; self.classes];
        for (class, likeness) in self.labels.iter().zip(self.likeness(&reading.row)) {
            if let Some(class) = class {
                nearest[*class] = nearest[*class].max(likeness);
            }
        }
        nearest
    }

    /// Cosine likeness to every training row.
    fn likeness(&self, row: &Row) -> Vec<f32> {
        let mut likeness = self.postings.products(row);
        likeness.iter_mut().for_each(|likeness| *likeness /= self.length);
        likeness
    }
}

fn insert(top: &mut [f32; 3], value: f32) {
    if let Some(place) = top.iter().position(|kept| value > *kept) {
        top[place..].rotate_right(1);
        top[place] = value;
    }
}
