//! The recurrent layers, and how to make the most of the processor that computes them.

use pulp::{Simd, WithSimd};

/// Units of each layer.
pub(super) const UNITS: usize = 64;
/// Sums a processor with AVX2 makes at once.
const LANES: usize = 8;
/// One, or next to it, as the gates count: 24 binary places.
const ONE: i32 = 0xFF_FFFF;
/// What a candidate counts: nine binary places more than a state.
const CANDIDATE: f32 = 1.0 / 512.0;

/// Minimal gated units (Heck and Salem, 2017): each state moves towards its candidate by its gate.
pub(super) struct Units {
    /// For each pair of inputs, the weights of all candidates, then of all gates.
    pairs: Vec<[[[i16; 2]; LANES]; 2 * UNITS / LANES]>,
}

impl Units {
    /// From the weights of each candidate, then of each gate.
    pub(super) fn new<const N: usize>(rows: &[[i16; N]; 2 * UNITS]) -> Self {
        let weights = |pair: usize, unit: usize| [rows[unit][2 * pair], rows[unit][2 * pair + 1]];
        let blocks =
            |pair| std::array::from_fn(|block| std::array::from_fn(|lane| weights(pair, block * LANES + lane)));
        Self { pairs: (0..N / 2).map(blocks).collect() }
    }

    /// One step in time.
    #[inline(always)]
    pub(super) fn step<M: Multiply, const N: usize>(&self, by: M, input: &[i16; N], state: &mut [i16; UNITS]) {
        let candidates = self.sums(by, 0, input);
        let gates = self.sums(by, UNITS / LANES, input);
        for ((state, candidate), gate) in state.iter_mut().zip(candidates.as_flattened()).zip(gates.as_flattened()) {
            let gate = gate.wrapping_shl(2).clamp(0, ONE) as f32 * (1.0 / (ONE + 1) as f32);
            let before = f32::from(*state);
            let moved = (before + gate * (*candidate as f32 * CANDIDATE - before)).floor();
            *state = moved.clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i32 as i16;
        }
    }

    /// Of as many units as a layer has, from `first` on, in blocks.
    #[inline(always)]
    fn sums<M: Multiply, const N: usize>(
        &self,
        by: M,
        first: usize,
        input: &[i16; N],
    ) -> [[i32; LANES]; UNITS / LANES] {
        let mut sums = [[0; LANES]; UNITS / LANES];
        for (&pair, weights) in input.as_chunks().0.iter().zip(&self.pairs) {
            for (sums, weights) in sums.iter_mut().zip(&weights[first..]) {
                *sums = by.pairs(*sums, pair, weights);
            }
        }
        sums
    }
}

/// Multiplies in fixed point as a generation of processors does best.
pub(super) trait Multiply: Copy {
    /// Adds to each sum the products of `pair` with the two weights of its lane; wraps where it does not fit.
    fn pairs(self, sums: [i32; LANES], pair: [i16; 2], weights: &[[i16; 2]; LANES]) -> [i32; LANES];
}

/// Something to be computed, compiled once for each generation.
pub(super) trait Task {
    /// What comes of it.
    type Output;

    /// Computes it. Everything it calls should be `#[inline(always)]`, or is compiled for the oldest generation.
    fn run<M: Multiply>(self, by: M) -> Self::Output;
}

/// What the processor can do.
#[derive(Clone, Copy)]
pub(super) enum Generation {
    /// AVX2 and FMA, x86-64-v3: since about 2015.
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    /// Whatever the compiler may count on.
    Any,
}

impl Generation {
    /// Asks the processor.
    pub(super) fn of_this_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = pulp::x86::V3::try_new() {
            return Self::V3(v3);
        }
        Self::Any
    }

    /// Runs `task` as this generation does best.
    #[inline(always)]
    pub(super) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V3(v3) => Simd::vectorize(v3, v3::Whole { v3, task }),
            Self::Any => task.run(Plain),
        }
    }
}

#[derive(Clone, Copy)]
struct Plain;

impl Multiply for Plain {
    #[inline(always)]
    fn pairs(self, mut sums: [i32; LANES], pair: [i16; 2], weights: &[[i16; 2]; LANES]) -> [i32; LANES] {
        let product = |weight: &[i16; 2]| {
            let product = |place: usize| i32::from(pair[place]) * i32::from(weight[place]);
            product(0).wrapping_add(product(1))
        };
        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum = sum.wrapping_add(product(weight)));
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod v3 {
    use pulp::x86::V3;
    use pulp::{cast, i16x16};

    use super::{LANES, Multiply, Simd, Task, WithSimd};

    /// A task, with the processor it may count on.
    pub(super) struct Whole<T> {
        pub(super) v3: V3,
        pub(super) task: T,
    }

    impl<T: Task> WithSimd for Whole<T> {
        type Output = T::Output;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> T::Output {
            self.task.run(self.v3)
        }
    }

    impl Multiply for V3 {
        #[inline(always)]
        fn pairs(self, sums: [i32; LANES], pair: [i16; 2], weights: &[[i16; 2]; LANES]) -> [i32; LANES] {
            let weights: i16x16 = cast(*weights);
            let products = self.multiply_wrapping_add_adjacent_i16x16(cast([pair; LANES]), weights);
            cast(self.wrapping_add_u32x8(cast(sums), cast(products)))
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    struct Steps<'a> {
        units: &'a Units,
        inputs: &'a [[i16; 80]],
    }

    impl Task for Steps<'_> {
        type Output = [i16; UNITS];

        #[inline(always)]
        fn run<M: Multiply>(self, by: M) -> [i16; UNITS] {
            let mut state = [0; UNITS];
            self.inputs.iter().for_each(|input| self.units.step(by, input, &mut state));
            state
        }
    }

    fn rows(seed: u64, most: i16) -> [[i16; 80]; 2 * UNITS] {
        let mut random = StdRng::seed_from_u64(seed);
        std::array::from_fn(|_| std::array::from_fn(|_| random.random_range(-most..=most)))
    }

    #[test]
    fn every_generation_comes_to_the_same_states() {
        for most in [300, 3_000, i16::MAX] {
            let (units, inputs) = (Units::new(&rows(1, most)), &rows(2, most)[..20]);
            let here = Generation::of_this_machine().run(Steps { units: &units, inputs });
            assert_eq!(here, Generation::Any.run(Steps { units: &units, inputs }));
            assert!(here.iter().any(|state| *state != 0), "something moved");
        }
    }

    #[test]
    fn a_shut_gate_keeps_a_state_and_an_open_one_takes_the_candidate() {
        // Unit 0 never moves; unit 1 becomes what its one input says, 512 of a candidate counting one.
        let mut rows = [[0; 2]; 2 * UNITS];
        (rows[0][0], rows[1][0]) = (i16::MAX, 512);
        (rows[UNITS][0], rows[UNITS + 1][0]) = (i16::MIN, i16::MAX);
        let mut state = [7; UNITS];
        Units::new(&rows).step(Plain, &[1_000, 0], &mut state);
        assert_eq!(state[0], 7);
        assert!((990..=1_000).contains(&state[1]), "{}", state[1]);
        assert_eq!(state[2], 7, "no gate, no move");
    }
}
