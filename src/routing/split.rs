//! A part of the calls this way, the rest that way.

use sha2::{Digest as _, Sha256};

/// Which of the `weights` the lot falls on: the place of one of them, each as likely as it weighs. The same key (a call
/// and a step of its plan) falls on the same place every time, on every machine; other keys fall independently.
///
/// Nothing to choose from is 0.
pub fn split(key: &str, weights: &[u32]) -> usize {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let hash = Sha256::digest(key.as_bytes());
    let lot = hash.iter().take(8).fold(0_u64, |lot, byte| (lot << 8) | u64::from(*byte));
    // 0 to total, without the small unfairness of a remainder.
    let mut left = ((u128::from(lot) * u128::from(total)) >> 64) as u64;
    for (place, weight) in weights.iter().enumerate() {
        match left.checked_sub(u64::from(*weight)) {
            Some(rest) => left = rest,
            None => return place,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_gets_its_part_and_the_same_call_goes_the_same_way() {
        let weights = [70, 0, 20, 10];
        let mut counts = [0; 4];
        for call in 0..20_000 {
            let key = format!("call-{call}/offer");
            let way = split(&key, &weights);
            assert_eq!(way, split(&key, &weights));
            counts[way] += 1;
        }
        for (count, weight) in counts.into_iter().zip(weights) {
            // Four standard deviations of a binomial.
            let (p, n) = (f64::from(weight) / 100.0, 20_000.0);
            assert!((f64::from(count) - p * n).abs() <= 4.0 * (p * (1.0 - p) * n).sqrt(), "{counts:?}");
        }
    }

    #[test]
    fn two_steps_of_one_call_fall_independently() {
        let both = (0..4_000).filter(|call| {
            let at = |step: &str| split(&format!("call-{call}/{step}"), &[1, 1]);
            at("a") == at("b")
        });
        let both = both.count();
        assert!((1_850..=2_150).contains(&both), "{both}");
    }

    #[test]
    fn the_lot_never_changes_between_versions() {
        let ways: Vec<usize> = (0..12).map(|n| split(&format!("call-{n}/x"), &[1, 1, 1])).collect();
        assert_eq!(ways, WAYS);
        assert_eq!((split("a", &[]), split("a", &[0, 0]), split("a", &[u32::MAX; 3]) < 3), (0, 0, true));
    }

    /// As Python's hashlib has it.
    const WAYS: [usize; 12] = [2, 1, 1, 0, 2, 0, 1, 0, 1, 0, 2, 2];
}
