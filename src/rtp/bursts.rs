//! Losses in bursts and losses alone (RFC 3611 §4.7.2): a burst begins and ends with a packet that was not played, and
//! nowhere within it do [`GMIN`] packets in a row arrive in time. All else is gap, with its few single losses.
//!
//! A packet may still come after a later one, so each is judged only when 64 others have passed it; a report judges
//! those that are left as they stand.

use super::sequence::Order;

/// Packets in a row that end a burst; the value that RFC 3611 recommends, at which a gap sounds undisturbed.
pub const GMIN: u64 = 16;
/// Packets that wait for their judgement.
const WINDOW: u32 = u64::BITS;

/// What was played of a stream, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bursts {
    /// Index of the newest packet.
    newest: u64,
    /// Bit n: the packet n before it has arrived in time.
    played: u64,
    /// How many of these bits are packets.
    waiting: u32,
    runs: Runs,
    stretch: Option<Stretch>,
}

/// Packets since a loss that may turn out to begin a burst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stretch {
    /// From that loss to the last one.
    packets: u64,
    lost: u64,
    /// In a row since then.
    played: u64,
}

/// Packets of a call, sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Bursts so far.
    pub bursts: u64,
    /// Packets that belong to them, and those of them that were not played.
    pub burst_packets: u64,
    /// See above.
    pub burst_lost: u64,
    /// All packets, and all that were not played.
    pub packets: u64,
    /// See above.
    pub lost: u64,
}

impl Runs {
    /// Share of packets not played within bursts, 0.0 to 1.0.
    pub fn burst_density(&self) -> f64 {
        share(self.burst_lost, self.burst_packets)
    }

    /// The same between them.
    pub fn gap_density(&self) -> f64 {
        share(self.lost - self.burst_lost, self.packets - self.burst_packets)
    }

    /// Mean length of a burst, in packets.
    pub fn burst_packets_each(&self) -> f64 {
        self.burst_packets as f64 / self.bursts.max(1) as f64
    }

    /// Mean length of the gaps before, between and behind them.
    pub fn gap_packets_each(&self) -> f64 {
        (self.packets - self.burst_packets) as f64 / (self.bursts + 1) as f64
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl Bursts {
    /// A packet arrived, of which this is the order. Per packet: a few operations, no allocation.
    pub fn push(&mut self, order: Order) {
        match order {
            Order::Next { index, missing } if self.waiting > 0 => {
                (0..missing).for_each(|_| self.shift(false));
                self.shift(true);
                self.newest = index;
            }
            Order::Next { index, .. } | Order::Restarted { index } => {
                self.begin_anew();
                (self.newest, self.played, self.waiting) = (index, 1, 1);
            }
            Order::Reordered { index } => {
                if let Some(bit) = self.bit(index) {
                    // It may be the first one sent.
                    self.waiting = self.waiting.max(bit + 1);
                    self.played |= 1 << bit;
                }
            }
            Order::Duplicate | Order::Suspect => {}
        }
    }

    /// The packet of this order came too late to be played.
    pub fn discard(&mut self, order: Order) {
        if let Some(bit) = order.index().and_then(|index| self.bit(index)) {
            self.played &= !(1 << bit);
        }
    }

    /// Another numbering begins: all that waits is judged.
    pub fn begin_anew(&mut self) {
        for bit in (0..self.waiting).rev() {
            self.judge(self.played >> bit & 1 == 1);
        }
        self.waiting = 0;
    }

    /// How it stands now.
    pub fn so_far(mut self) -> Runs {
        self.begin_anew();
        self.close();
        self.runs
    }

    fn bit(&self, index: u64) -> Option<u32> {
        let behind = u32::try_from(self.newest.checked_sub(index)?).ok()?;
        (behind < WINDOW && self.waiting > 0).then_some(behind)
    }

    fn shift(&mut self, played: bool) {
        if self.waiting == WINDOW {
            self.judge(self.played >> (WINDOW - 1) == 1);
        } else {
            self.waiting += 1;
        }
        self.played = self.played << 1 | u64::from(played);
    }

    fn judge(&mut self, played: bool) {
        self.runs.packets += 1;
        match (&mut self.stretch, played) {
            (None, true) => {}
            (Some(stretch), true) => {
                stretch.played += 1;
                if stretch.played == GMIN {
                    self.close();
                }
            }
            (stretch, false) => {
                self.runs.lost += 1;
                let stretch = stretch.get_or_insert_default();
                stretch.packets += std::mem::take(&mut stretch.played) + 1;
                stretch.lost += 1;
            }
        }
    }

    /// The stretch is over. One loss alone belongs to the gap around it.
    fn close(&mut self) {
        if let Some(stretch) = self.stretch.take().filter(|stretch| stretch.lost > 1) {
            self.runs.bursts += 1;
            self.runs.burst_packets += stretch.packets;
            self.runs.burst_lost += stretch.lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::sequence::Sequence;

    /// `.` is played, `x` never came, `l` came too late; a number repeats the `.` before it.
    fn walk(line: &str) -> Runs {
        let (mut sequence, mut bursts) = (Sequence::default(), Bursts::default());
        let mut number = 65_500_u16;
        for word in line.split(' ') {
            let (kinds, count) = match word.parse() {
                Ok(count) => (".", count),
                Err(_) => (word, 1),
            };
            for kind in kinds.repeat(count).chars() {
                number = number.wrapping_add(1);
                if kind == 'x' {
                    continue;
                }
                let order = sequence.push(number);
                bursts.push(order);
                if kind == 'l' {
                    bursts.discard(order);
                }
            }
        }
        bursts.so_far()
    }

    fn runs(bursts: u64, burst_packets: u64, burst_lost: u64, packets: u64, lost: u64) -> Runs {
        Runs { bursts, burst_packets, burst_lost, packets, lost }
    }

    #[test]
    fn losses_that_lie_close_together_are_a_burst_and_others_are_not() {
        for (line, expected) in [
            ("100", runs(0, 0, 0, 100, 0)),
            ("20 x 20", runs(0, 0, 0, 41, 1)),
            // Fifteen played between two losses hold them together, sixteen do not.
            ("20 x 15 x 20", runs(1, 17, 2, 57, 2)),
            ("20 x 16 x 20", runs(0, 0, 0, 58, 2)),
            ("200 xxxx 200", runs(1, 4, 4, 404, 4)),
            ("20 xx.x 30 l.l.l 300 x 20", runs(2, 9, 6, 380, 7)),
            // The last words of a stream count as they stand.
            ("30 xx 1", runs(1, 2, 2, 33, 2)),
        ] {
            assert_eq!(walk(line), expected, "{line}");
        }
    }

    #[test]
    fn a_long_gap_in_the_numbers_is_one_burst() {
        let line = format!("100 {} 100", "x".repeat(500));
        assert_eq!(walk(&line), runs(1, 500, 500, 700, 500));
    }

    #[test]
    fn what_was_overtaken_is_no_loss() {
        let (mut sequence, mut bursts) = (Sequence::default(), Bursts::default());
        for number in [5, 4, 6, 9, 7, 8, 8, 10] {
            bursts.push(sequence.push(number));
        }
        assert_eq!(bursts.so_far(), runs(0, 0, 0, 7, 0));
    }

    #[test]
    fn another_numbering_is_no_loss_either() {
        let (mut sequence, mut bursts) = (Sequence::default(), Bursts::default());
        for number in [1, 2, 30_000, 30_001, 30_002, 30_004] {
            bursts.push(sequence.push(number));
        }
        sequence.forget();
        bursts.begin_anew();
        bursts.push(sequence.push(7));
        // The first of the jump was suspect, and is not counted.
        assert_eq!(bursts.so_far(), runs(0, 0, 0, 7, 1));
    }

    #[test]
    fn densities_and_lengths_are_those_of_the_definition() {
        // A burst of ten packets, five of them lost, between gaps of 95, one of which has a loss.
        let found = walk("95 x.x.x.xx..x 47 x 47");
        assert_eq!(found, runs(1, 11, 6, 201, 7));
        assert!((found.burst_density() - 6.0 / 11.0).abs() < 1e-9);
        assert!((found.gap_density() - 1.0 / 190.0).abs() < 1e-9);
        assert!((found.burst_packets_each() - 11.0).abs() < 1e-9 && (found.gap_packets_each() - 95.0).abs() < 1e-9);
        assert_eq!((Runs::default().burst_density(), Runs::default().gap_packets_each()), (0.0, 0.0));
    }

    #[test]
    fn losses_by_chance_come_to_the_density_they_have() {
        use rand::{Rng, SeedableRng, rngs::StdRng};
        let mut random = StdRng::seed_from_u64(11);
        let (mut sequence, mut bursts) = (Sequence::default(), Bursts::default());
        let (mut number, mut sent, mut lost) = (0_u16, 1_u64, 0_u64);
        bursts.push(sequence.push(0));
        // Gilbert: good periods without loss, bad ones with half of it.
        let mut bad = false;
        while sent < 50_000 {
            number = number.wrapping_add(1);
            sent += 1;
            bad = if bad { !random.random_bool(0.05) } else { random.random_bool(0.002) };
            if bad && random.random_bool(0.5) {
                lost += 1;
                continue;
            }
            bursts.push(sequence.push(number));
        }
        let found = bursts.so_far();
        assert!(found.lost <= lost && lost - found.lost < 10, "{found:?}, {lost} lost");
        assert!((0.4..0.65).contains(&found.burst_density()), "{found:?}");
        assert!(found.gap_density() < 0.001, "{found:?}");
    }
}
