//! A linear model over sparse rows: one weight per feature and class.
//!
//! One machine per class tells its rows from all others: an L2-regularised support vector machine with squared hinge
//! loss, solved in the dual by coordinate descent (Hsieh, Chang, Lin, Keerthi and Sundararajan 2008, "A dual
//! coordinate descent method for large-scale linear SVM", algorithm 3 with shrinking).

use std::ops::Range;

use super::sparse::Row;

/// Machines trained side by side: sixteen numbers fill a line of a processor's cache.
const ABREAST: usize = 16;

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What a training row on the wrong side costs.
    pub cost: f32,
    /// What one row of the class itself costs more than another's.
    pub positive: f32,
    /// Rounds over the rows at most.
    pub rounds: usize,
    /// Stop when no gradient is further off than this.
    pub tolerance: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cost: 0.5, positive: 1.0, rounds: 10, tolerance: 0.1 }
    }
}

/// Trained weights.
#[derive(Clone, Debug, Default)]
pub struct Linear {
    classes: usize,
    /// `[feature][class]`, the constant last.
    weights: Vec<f32>,
}

impl Linear {
    /// Trains on rows and the class of each (below `classes`; `None` belongs to no class). `features` is the size of
    /// the dictionary.
    pub fn train(rows: &[Row], labels: &[Option<usize>], classes: usize, features: usize, settings: &Settings) -> Self {
        let mut weights = vec![0.0; (features + 1) * classes];
        let squares: Vec<f32> =
            rows.iter().map(|row| 1.0 + row.cells.iter().map(|(_, value)| value * value).sum::<f32>()).collect();
        for first in (0..classes).step_by(ABREAST) {
            let count = ABREAST.min(classes - first);
            let machines = solve(rows, labels, &squares, first..first + count, features, settings);
            for (feature, machine) in machines.iter().enumerate() {
                let at = feature * classes + first;
                weights[at..at + count].copy_from_slice(&machine.0[..count]);
            }
        }
        Self { classes, weights }
    }

    /// The value of each class: above 0 where its machine says yes.
    pub fn values(&self, row: &Row) -> Vec<f32> {
        let mut values = self.weights[self.weights.len() - self.classes..].to_vec();
        for (feature, value) in &row.cells {
            let at = *feature as usize * self.classes;
            for (sum, weight) in values.iter_mut().zip(&self.weights[at..at + self.classes]) {
                *sum += weight * value;
            }
        }
        values
    }
}

/// One number for each of the machines that are trained side by side: what they have of one feature lies in one line of
/// a processor's cache, and is weighed by few instructions.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Abreast([f32; ABREAST]);

impl Abreast {
    const NOTHING: Self = Self([0.0; ABREAST]);

    fn add(&mut self, other: &Self, times: f32) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, value)| *sum += value * times);
    }
}

/// The machines of up to [`ABREAST`] classes. They look at the rows in one order, each descending on its own; a row that
/// has long been on the right side of all of them is left out.
fn solve(
    rows: &[Row],
    labels: &[Option<usize>],
    squares: &[f32],
    classes: Range<usize>,
    features: usize,
    settings: &Settings,
) -> Vec<Abreast> {
    let bias = features;
    let mut machines = vec![Abreast::NOTHING; features + 1];
    let mut alphas = vec![Abreast::NOTHING; rows.len()];
    let mut active: Vec<u32> = (0..rows.len() as u32).collect();
    let mut state = 0x2545_F491_4F6C_DD1D_u64 ^ (classes.start as u64 + 1);
    let mut bounds = [f32::INFINITY; ABREAST];
    for _ in 0..settings.rounds {
        shuffle(&mut active, &mut state);
        let (mut highest, mut lowest) = ([f32::NEG_INFINITY; ABREAST], [f32::INFINITY; ABREAST]);
        let mut kept = 0;
        for place in 0..active.len() {
            let at = active[place] as usize;
            let row = &rows[at];
            let mut values = machines[bias];
            for (feature, x) in &row.cells {
                values.add(&machines[*feature as usize], *x);
            }
            let own = labels[at].filter(|class| classes.contains(class)).map(|class| class - classes.start);
            let mut steps = Abreast::NOTHING;
            let (mut is_kept, mut moves) = (false, false);
            for machine in 0..classes.len() {
                let (sign, cost) =
                    if own == Some(machine) { (1.0, settings.cost * settings.positive) } else { (-1.0, settings.cost) };
                let alpha = &mut alphas[at].0[machine];
                let diagonal = 0.5 / cost;
                let gradient = sign * values.0[machine] - 1.0 + diagonal * *alpha;
                if *alpha == 0.0 && gradient > bounds[machine] {
                    continue; // Shrunk: it has long been on the right side.
                }
                is_kept = true;
                let projected = if *alpha == 0.0 { gradient.min(0.0) } else { gradient };
                highest[machine] = highest[machine].max(projected);
                lowest[machine] = lowest[machine].min(projected);
                if projected.abs() > 1e-8 {
                    let before = *alpha;
                    *alpha = (before - gradient / (squares[at] + diagonal)).max(0.0);
                    steps.0[machine] = (*alpha - before) * sign;
                    moves = true;
                }
            }
            if is_kept {
                active[kept] = active[place];
                kept += 1;
            }
            if moves {
                machines[bias].add(&steps, 1.0);
                for (feature, x) in &row.cells {
                    machines[*feature as usize].add(&steps, *x);
                }
            }
        }
        active.truncate(kept);
        let all_looked_at = bounds.iter().all(|bound| *bound == f32::INFINITY) || kept == rows.len();
        let settled = highest.iter().zip(&lowest).all(|(highest, lowest)| highest - lowest <= settings.tolerance);
        match (settled, all_looked_at) {
            (true, true) => break,
            (true, false) => {
                // Check everything once more.
                active = (0..rows.len() as u32).collect();
                bounds = [f32::INFINITY; ABREAST];
            }
            (false, _) => {
                bounds = highest.map(|highest| if highest <= 0.0 { f32::INFINITY } else { highest });
            }
        }
    }
    machines
}

/// Fisher and Yates, with xorshift: the same rows train the same model.
fn shuffle(places: &mut [u32], state: &mut u64) {
    for last in (1..places.len()).rev() {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        places.swap(last, (*state % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(u32, f32)]) -> Row {
        Row { cells: cells.to_vec(), ..Row::default() }
    }

    #[test]
    fn what_can_be_told_apart_is_told_apart() {
        let rows = [row(&[(0, 1.0)]), row(&[(0, 1.0), (2, 1.0)]), row(&[(1, 1.0)]), row(&[(1, 1.0), (2, 1.0)])];
        let labels = [Some(0), Some(0), Some(1), Some(1)];
        let model = Linear::train(&rows, &labels, 2, 3, &Settings::default());
        for (row, label) in rows.iter().zip(labels) {
            let values = model.values(row);
            assert_eq!(Some(usize::from(values[1] > values[0])), label, "{values:?}");
        }
        let shared = model.values(&row(&[(2, 1.0)]));
        assert!((shared[0] - shared[1]).abs() < 0.1, "{shared:?}");
    }

    /// The optimum of one machine: no small change of a weight makes the objective smaller.
    #[test]
    fn the_solution_is_the_bottom_of_the_objective() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) as f32) / (1_u64 << 31) as f32
        };
        let rows: Vec<Row> = (0..40).map(|_| row(&[(0, next()), (1, next()), (2, next())])).collect();
        let labels: Vec<Option<usize>> =
            rows.iter().map(|row| Some(usize::from(row.cells[0].1 + 0.3 * next() > 0.6))).collect();
        let settings = Settings { rounds: 2000, tolerance: 1e-4, ..Settings::default() };
        let model = Linear::train(&rows, &labels, 2, 3, &settings);
        let objective = |change: [f32; 4]| -> f64 {
            let weight = |at: usize| f64::from(model.weights[at * 2] + change[at]);
            let norm: f64 = (0..4).map(|at| weight(at) * weight(at)).sum();
            let loss = rows.iter().zip(&labels).map(|(row, label)| {
                let value =
                    row.cells.iter().map(|(at, x)| weight(*at as usize) * f64::from(*x)).sum::<f64>() + weight(3);
                let sign = if *label == Some(0) { 1.0 } else { -1.0 };
                (1.0 - sign * value).max(0.0).powi(2)
            });
            0.5 * norm + f64::from(settings.cost) * loss.sum::<f64>()
        };
        let bottom = objective([0.0; 4]);
        for at in 0..4 {
            for by in [-0.05, 0.05] {
                let mut change = [0.0; 4];
                change[at] = by;
                assert!(objective(change) > bottom, "weight {at} by {by}");
            }
        }
    }

    #[test]
    fn the_same_rows_train_the_same_model_and_none_at_all_train_an_empty_one() {
        let rows = [row(&[(0, 1.0)]), row(&[(1, 1.0)])];
        let train = || Linear::train(&rows, &[Some(0), Some(1)], 2, 2, &Settings::default()).weights;
        assert_eq!(train(), train());
        assert!(Linear::train(&[], &[], 0, 0, &Settings::default()).values(&row(&[])).is_empty());
    }
}
