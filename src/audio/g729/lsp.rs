//! Line spectral pairs: the same filter as ten places on the unit circle, which bear being rounded and mixed (ITU-T
//! G.729, §3.2.3, §3.2.5 and §3.2.6).

use std::f32::consts::PI;
use std::sync::LazyLock;

use super::lpc::{Lpc, ORDER};

/// Cosines of line spectral frequencies, falling.
pub type Lsp = [f32; ORDER];

/// Half of the pairs.
const HALF: usize = ORDER / 2;
/// Steps in which the half circle is searched for them.
const STEPS: usize = 60;
/// Halvings of a step in which one is found.
const HALVINGS: usize = 4;

static GRID: LazyLock<[f32; STEPS + 1]> =
    LazyLock::new(|| std::array::from_fn(|step| (PI * step as f32 / STEPS as f32).cos()));

/// Those of silence, and of the time before anything was heard.
pub fn even() -> Lsp {
    std::array::from_fn(|i| ((i + 1) as f32 * PI / 11.0).cos())
}

/// The pairs of a filter; `None` when it has not ten of them that can be told apart.
pub fn of_lpc(lpc: &Lpc) -> Option<Lsp> {
    // The sum and the difference of the filter and its mirror image, without their roots at ±1.
    let (mut sum, mut difference) = ([1.0; HALF + 1], [1.0; HALF + 1]);
    for i in 0..HALF {
        sum[i + 1] = lpc[i + 1] + lpc[ORDER - i] - sum[i];
        difference[i + 1] = lpc[i + 1] - lpc[ORDER - i] + difference[i];
    }
    // Their roots alternate.
    let polynomials = [sum, difference];
    let mut lsp = [0.0; ORDER];
    let (mut found, mut step, mut above) = (0, 1, 1.0);
    let mut at_above = value(&sum, above);
    while step <= STEPS {
        let polynomial = &polynomials[found % 2];
        let below = GRID[step];
        let at_below = value(polynomial, below);
        let sign = at_above * at_below;
        if sign > 0.0 || sign.is_nan() {
            (above, at_above, step) = (below, at_below, step + 1);
            continue;
        }
        lsp[found] = root(polynomial, [above, below], [at_above, at_below]);
        above = lsp[found];
        found += 1;
        if found == ORDER {
            return Some(lsp);
        }
        at_above = value(&polynomials[found % 2], above);
    }
    None
}

/// `C(x)` of §3.2.3, `x` being a cosine, by Clenshaw's recurrence.
fn value(polynomial: &[f32; HALF + 1], x: f32) -> f32 {
    let (mut one, mut two) = (1.0, 0.0);
    for f in &polynomial[1..HALF] {
        (one, two) = (2.0 * x * one - two + f, one);
    }
    x * one - two + polynomial[HALF] / 2.0
}

/// The root between two places at which the signs differ.
fn root(polynomial: &[f32; HALF + 1], mut x: [f32; 2], mut y: [f32; 2]) -> f32 {
    for _ in 0..HALVINGS {
        let middle = (x[0] + x[1]) / 2.0;
        let there = value(polynomial, middle);
        let side = usize::from(y[0] * there <= 0.0);
        (x[side], y[side]) = (middle, there);
    }
    let slope = y[1] - y[0];
    if slope == 0.0 { x[0] } else { x[0] - y[0] * (x[1] - x[0]) / slope }
}

/// The filter of pairs.
pub fn to_lpc(lsp: &Lsp) -> Lpc {
    let (sum, difference) = (product(lsp, 0), product(lsp, 1));
    let mut lpc = [1.0; ORDER + 1];
    for i in 1..=HALF {
        let (sum, difference) = (sum[i] + sum[i - 1], difference[i] - difference[i - 1]);
        lpc[i] = (sum + difference) / 2.0;
        lpc[ORDER + 1 - i] = (sum - difference) / 2.0;
    }
    lpc
}

/// The first coefficients of `Π (1 − 2·q·z⁻¹ + z⁻²)` over every second pair.
fn product(lsp: &Lsp, first: usize) -> [f32; HALF + 1] {
    let mut all = [0.0; HALF + 1];
    all[0] = 1.0;
    for q in lsp.iter().skip(first).step_by(2) {
        for i in (1..=HALF).rev() {
            let two_before = if i > 1 { all[i - 2] } else { 0.0 };
            all[i] += two_before - 2.0 * q * all[i - 1];
        }
    }
    all
}

/// The filters of the first half of a frame, half way between the last and this one, and of the second.
pub fn filters(before: &Lsp, now: &Lsp) -> [Lpc; 2] {
    let between = std::array::from_fn(|i| (before[i] + now[i]) / 2.0);
    [to_lpc(&between), to_lpc(now)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_comes_back_from_its_pairs() {
        let lsp: Lsp = [0.97, 0.93, 0.7, 0.62, 0.3, 0.05, -0.2, -0.52, -0.7, -0.9];
        let lpc = to_lpc(&lsp);
        let found = of_lpc(&lpc).unwrap();
        assert!(lsp.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
        // White noise has no filter.
        let flat = to_lpc(&even());
        assert!(flat[1..].iter().all(|a| a.abs() < 1e-5), "{flat:?}");
        assert!(of_lpc(&flat).unwrap().iter().zip(even()).all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn what_is_no_filter_has_no_pairs() {
        assert_eq!(of_lpc(&[1.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), None);
        assert_eq!(of_lpc(&[1.0, 40.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -9.0]), None);
    }
}
