//! What ten bytes say (ITU-T G.729, table 8), and what two say about silence (Annex B, table B.2).
//!
//! ```text
//!   L0 L1      L2    L3     P1       P0 C1            S1   GA1 GB1  P2    C2            S2   GA2 GB2
//!   1  7       5     5      8        1  13            4    3   4    5     13            4    3   4
//! ```

use super::{FRAME_BYTES, SILENCE_BYTES};

/// One frame of sound, as indices into tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The filter.
    pub lsf: LsfCode,
    /// Of the first lag: see [`parity`].
    pub parity: u8,
    /// The excitation of either half.
    pub halves: [Half; 2],
}

/// Line spectral frequencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LsfCode {
    /// L0: which predictor.
    pub mode: u8,
    /// L1: the first stage.
    pub first: u8,
    /// L2 and L3: the second, lower and upper half.
    pub second: [u8; 2],
}

/// Excitation of 5 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Half {
    /// P: eight bits in the first half, five, relative to those, in the second.
    pub lag: u8,
    /// C: positions of the four pulses.
    pub positions: u16,
    /// S: their signs.
    pub signs: u8,
    /// GA and GB: the gains.
    pub gains: [u8; 2],
}

/// Silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its spectrum, as in [`LsfCode`]; both halves of the second stage share an index.
    pub lsf: LsfCode,
    /// Its loudness.
    pub gain: u8,
}

impl Frame {
    /// Bits of each field in their order.
    const FIELDS: [u32; 15] = [1, 7, 5, 5, 8, 1, 13, 4, 3, 4, 5, 13, 4, 3, 4];

    /// Reads a frame; every pattern of bits is one.
    pub fn unpack(bytes: &[u8; FRAME_BYTES]) -> Self {
        let mut left = bytes.iter().fold(0_u128, |bits, &byte| bits << 8 | u128::from(byte));
        let mut fields = [0_u16; 15];
        for (field, bits) in fields.iter_mut().zip(Self::FIELDS).rev() {
            *field = (left & ((1 << bits) - 1)) as u16;
            left >>= bits;
        }
        let half = |at: usize, lag: u16| Half {
            lag: lag as u8,
            positions: fields[at],
            signs: fields[at + 1] as u8,
            gains: [fields[at + 2] as u8, fields[at + 3] as u8],
        };
        Self {
            lsf: LsfCode { mode: fields[0] as u8, first: fields[1] as u8, second: [fields[2] as u8, fields[3] as u8] },
            parity: fields[5] as u8,
            halves: [half(6, fields[4]), half(11, fields[10])],
        }
    }

    /// Writes it.
    pub fn pack(&self) -> [u8; FRAME_BYTES] {
        let [first, second] = &self.halves;
        let fields = [
            u16::from(self.lsf.mode),
            u16::from(self.lsf.first),
            u16::from(self.lsf.second[0]),
            u16::from(self.lsf.second[1]),
            u16::from(first.lag),
            u16::from(self.parity),
            first.positions,
            u16::from(first.signs),
            u16::from(first.gains[0]),
            u16::from(first.gains[1]),
            u16::from(second.lag),
            second.positions,
            u16::from(second.signs),
            u16::from(second.gains[0]),
            u16::from(second.gains[1]),
        ];
        let bits = fields.iter().zip(Self::FIELDS).fold(0_u128, |all, (&field, bits)| all << bits | u128::from(field));
        let mut bytes = [0; FRAME_BYTES];
        bytes.copy_from_slice(&bits.to_be_bytes()[16 - FRAME_BYTES..]);
        bytes
    }
}

impl Silence {
    /// Reads a description of silence: of its 16 bits the last says nothing.
    pub const fn unpack(bytes: [u8; SILENCE_BYTES]) -> Self {
        let bits = u16::from_be_bytes(bytes);
        let second = (bits >> 6 & 0xF) as u8;
        let lsf = LsfCode { mode: (bits >> 15) as u8, first: (bits >> 10 & 0x1F) as u8, second: [second, second] };
        Self { lsf, gain: (bits >> 1 & 0x1F) as u8 }
    }
}

/// P0, which tells whether the six upper bits of the first lag arrived: with it, an odd number of them is set (§3.7.2).
pub const fn parity(lag: u8) -> u8 {
    1 ^ ((lag >> 2).count_ones() & 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_survives_being_packed() {
        let mut state = 729_u32;
        for _ in 0..2_000 {
            let bytes: [u8; FRAME_BYTES] = std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            });
            assert_eq!(Frame::unpack(&bytes).pack(), bytes);
        }
    }

    #[test]
    fn fields_lie_where_the_table_has_them() {
        let frame = Frame::unpack(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((frame.lsf.mode, frame.lsf.first, frame.halves[1].gains), (1, 0, [0, 1]));
        // The lag begins after 18 bits, its parity is the 27th.
        let frame = Frame::unpack(&[0, 0, 0x20, 0x20, 0, 0, 0, 0, 0, 0]);
        assert_eq!((frame.halves[0].lag, frame.parity), (0x80, 1));
        let silence = Silence::unpack([0b1000_0100, 0b0100_0010]);
        assert_eq!((silence.lsf, silence.gain), (LsfCode { mode: 1, first: 1, second: [1, 1] }, 1));
    }

    #[test]
    fn parity_tells_a_wrong_bit_in_the_upper_six() {
        assert_eq!((parity(0), parity(0b100), parity(0b11), parity(0b1100)), (1, 0, 1, 1));
        for lag in 0..=255_u8 {
            assert!((2..8).all(|bit| parity(lag) != parity(lag ^ (1 << bit))));
        }
    }
}
