//! A linear model over sparse rows: one weight per feature and class.
//!
//! One machine per class tells its rows from all others: an L2-regularised support vector machine with squared hinge
//! loss, solved in the dual by coordinate descent (Hsieh, Chang, Lin, Keerthi and Sundararajan 2008, "A dual
//! coordinate descent method for large-scale linear SVM", algorithm 3 with shrinking).

use super::sparse::Row;

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
        let mut machine = vec![0.0_f32; features + 1];
        for class in 0..classes {
            machine.fill(0.0);
            solve(rows, labels, &squares, class, settings, &mut machine);
            for (feature, weight) in machine.iter().enumerate() {
                weights[feature * classes + class] = *weight;
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

fn solve(
    rows: &[Row],
    labels: &[Option<usize>],
    squares: &[f32],
    class: usize,
    settings: &Settings,
    machine: &mut [f32],
) {
    let bias = machine.len() - 1;
    let mut alphas = vec![0.0_f32; rows.len()];
    let mut active: Vec<u32> = (0..rows.len() as u32).collect();
    let mut state = 0x2545_F491_4F6C_DD1D_u64 ^ (class as u64 + 1);
    let mut bound = f32::INFINITY;
    for _ in 0..settings.rounds {
        shuffle(&mut active, &mut state);
        let (mut highest, mut lowest) = (f32::NEG_INFINITY, f32::INFINITY);
        let mut kept = 0;
        for place in 0..active.len() {
            let at = active[place] as usize;
            let (sign, cost) = if labels[at] == Some(class) {
                (1.0, settings.cost * settings.positive)
            } else {
                (-1.0, settings.cost)
            };
            let row = &rows[at];
            let mut value = machine[bias];
            for (feature, x) in &row.cells {
                value += machine[*feature as usize] * x;
            }
            let diagonal = 0.5 / cost;
            let gradient = sign * value - 1.0 + diagonal * alphas[at];
            if alphas[at] == 0.0 && gradient > bound {
                continue; // Shrunk: it has long been on the right side.
            }
            active[kept] = active[place];
            kept += 1;
            let projected = if alphas[at] == 0.0 { gradient.min(0.0) } else { gradient };
            highest = highest.max(projected);
            lowest = lowest.min(projected);
            if projected.abs() > 1e-8 {
                let before = alphas[at];
                alphas[at] = (before - gradient / (squares[at] + diagonal)).max(0.0);
                let step = (alphas[at] - before) * sign;
                machine[bias] += step;
                for (feature, x) in &row.cells {
                    machine[*feature as usize] += step * x;
                }
            }
        }
        active.truncate(kept);
        if highest - lowest <= settings.tolerance {
            if active.len() == rows.len() || bound == f32::INFINITY {
                break;
            }
            // Check everything once more.
            active = (0..rows.len() as u32).collect();
            bound = f32::INFINITY;
            continue;
        }
        bound = if highest <= 0.0 { f32::INFINITY } else { highest };
    }
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
