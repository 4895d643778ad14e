//! How good a line sounds, as one number: the E-model of ITU-T G.107 with the impairments of G.113 Appendix I.
//!
//! ```text
//!   R = 93.2 − Id − Ie,eff      Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl / BurstR + Bpl)
//! ```
//!
//! `Ie` is what the codec itself costs, `Bpl` how well it bears loss; `Id` is what delay costs a conversation. MOS
//! follows from R by Annex B. 4.4 is a perfect telephone call, 3.6 annoys many, below 3.1 nearly everybody.

use serde::{Deserialize, Serialize};

use crate::rtp::Codec;

/// R of a narrowband call on which nothing is wrong (G.107 §7.7 with all default values).
const BEST: f64 = 93.2;
/// One-way delay that a conversation begins to feel (Cole and Rosenbluth, 2001, a fit of G.107 §7.4).
const FELT_FROM_MS: f64 = 177.3;

/// How good one call's line was, both ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quality {
    /// Mean opinion score of what we heard, delay included (MOS-CQ), 1.0 to 4.5. `None` where nothing came.
    pub mos: Option<f64>,
    /// The same of what they heard, from their RTCP reports.
    pub mos_there: Option<f64>,
    /// Round trip by RTCP, the last one measured, milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Packets that never came, in percent of those expected.
    pub loss_percent: f64,
    /// Packets that came too late to be played, in percent of those expected.
    pub late_percent: f64,
    /// How much longer losses last than independent ones would: 1.0 is no burst at all (G.107 §7.5, `BurstR`).
    pub burst_ratio: f64,
    /// Delay of the jitter buffer at the end, milliseconds.
    pub buffer_ms: u64,
    /// Frames of 20 ms made up, at least in part.
    pub concealed: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after one sent later.
    pub reordered: u64,
    /// Times the sequence numbers or the timestamps were set anew within one stream.
    pub jumps: u64,
    /// Times another stream took over.
    pub ssrc_changes: u64,
    /// How much faster their clock runs than ours, parts per million; `None` for calls under 30 s.
    pub drift_ppm: Option<f64>,
    /// What they say they lost of us, in percent of what they expected.
    pub loss_there_percent: Option<f64>,
    /// The jitter they say they see, milliseconds.
    pub jitter_there_ms: Option<f64>,
    /// RTCP datagrams taken.
    pub rtcp_in: u64,
    /// RTCP datagrams sent.
    pub rtcp_out: u64,
}

/// What a codec costs by itself, and how well it bears loss (`Ie`, `Bpl` of G.113 Appendix I).
const fn impairment(codec: Codec) -> (f64, f64) {
    match codec {
        // With the concealment of G.711 Appendix I, which ours follows.
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        // We hear and say its lower band only, which costs like G.711, and conceal the same way.
        Codec::G722 => (0.0, 25.1),
        // Not in G.113 for the narrow band: with its own concealment and FEC, taken for no worse than G.711.
        Codec::Opus => (0.0, 25.1),
        // With Annex A, and its own concealment.
        Codec::G729 => (11.0, 19.0),
    }
}

/// The rating `R`, 0 to 93.2. `loss` is the share of packets not played, lost or late, 0.0 to 1.0; `burst_ratio` is
/// `BurstR`; `delay_ms` is mouth to ear.
pub fn r_factor(codec: Codec, loss: f64, burst_ratio: f64, delay_ms: f64) -> f64 {
    let (ie, bpl) = impairment(codec);
    let ppl = loss.clamp(0.0, 1.0) * 100.0;
    let effective = ie + (95.0 - ie) * ppl / (ppl / burst_ratio.max(1.0) + bpl);
    let delay = 0.024 * delay_ms + 0.11 * (delay_ms - FELT_FROM_MS).max(0.0);
    (BEST - delay - effective).clamp(0.0, BEST)
}

/// Mean opinion score of a rating (G.107 Annex B), 1.0 to 4.5.
pub fn mos(r: f64) -> f64 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

/// `BurstR` of a line on which a share of `loss` was lost in runs of `mean_run` packets.
pub fn burst_ratio(loss: f64, mean_run: f64) -> f64 {
    // Independent losses come in runs of 1 / (1 − Ppl).
    (mean_run * (1.0 - loss)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_line_is_rated_like_g_107_says() {
        let r = r_factor(Codec::Pcmu, 0.0, 1.0, 0.0);
        assert!((r - 93.2).abs() < 1e-9);
        // G.107 Table B.1: R = 93.2 is MOS 4.41.
        assert!((mos(r) - 4.41).abs() < 0.005, "{}", mos(r));
    }

    #[test]
    fn ratings_become_opinions_as_annex_b_says() {
        // G.109 Table 1 with Annex B: R and the MOS at the limits of its five classes.
        for (r, expected) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((mos(r) - expected).abs() < 0.01, "R {r}: {}", mos(r));
        }
        assert_eq!((mos(-3.0), mos(0.0), mos(101.0)), (1.0, 1.0, 4.5));
    }

    #[test]
    fn what_gets_worse_never_sounds_better() {
        for percent in 1..40 {
            let at = |percent: u32| r_factor(Codec::Pcmu, f64::from(percent) / 100.0, 1.0, 50.0);
            assert!(at(percent) < at(percent - 1), "{percent} % of loss");
        }
        for delay in (20..700).step_by(20).map(f64::from) {
            assert!(r_factor(Codec::Pcmu, 0.01, 1.0, delay) < r_factor(Codec::Pcmu, 0.01, 1.0, delay - 20.0));
        }
        assert!(r_factor(Codec::Pcmu, 0.05, 3.0, 0.0) < r_factor(Codec::Pcmu, 0.05, 1.0, 0.0));
        // A lossy line in numbers worked out by hand: 95 · 5 / (5 + 25.1) = 15.78.
        assert!((r_factor(Codec::Pcmu, 0.05, 1.0, 0.0) - (93.2 - 15.78)).abs() < 0.01);
    }

    #[test]
    fn runs_no_longer_than_chance_makes_them_are_no_bursts() {
        assert!((burst_ratio(0.1, 1.0 / 0.9) - 1.0).abs() < 1e-9);
        assert!((burst_ratio(0.0, 0.0) - 1.0).abs() < 1e-9);
        assert!((burst_ratio(0.05, 4.0) - 3.8).abs() < 1e-9);
    }
}
