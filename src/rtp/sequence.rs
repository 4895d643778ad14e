//! Sequence numbers of one RTP stream: order, duplicates, restarts, loss (RFC 3550 §A.1, §A.3).
//!
//! Sixteen bits wrap every 22 minutes of a call, so each packet gets an index that does not. A jump that no
//! network makes is believed when the next packet confirms it: the sender restarted.

/// Largest gap forward that counts as loss; beyond it the packet is suspect (one minute of 20 ms packets).
const MAX_DROPOUT: u16 = 3_000;
/// Largest step backward that counts as reordering.
const MAX_MISORDER: u16 = 100;
/// Packets back from the newest within which duplicates are recognised.
const WINDOW: u64 = 64;
/// Index of sequence number 0 in the first cycle: leaves room for what the first packet to arrive has overtaken.
const CYCLE: u64 = 1 << 16;

/// What a packet's sequence number says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest so far. `missing` packets between it and the newest before have not arrived (yet).
    Next {
        /// Grows by one per packet sent, never wraps.
        index: u64,
        /// 0 when nothing is missing.
        missing: u64,
    },
    /// Older than the newest, seen for the first time.
    Reordered {
        /// As above.
        index: u64,
    },
    /// Seen before, or too old to tell.
    Duplicate,
    /// A jump that no network makes. Not counted; if the next packet follows it, the sender restarted.
    Suspect,
    /// The jump is confirmed: a new numbering starts with this packet.
    Restarted {
        /// Index of the first packet under the new numbering.
        index: u64,
    },
}

impl Order {
    /// The packet's place in the order in which packets were sent; `None` for what is not counted.
    pub const fn index(self) -> Option<u64> {
        match self {
            Self::Next { index, .. } | Self::Reordered { index } | Self::Restarted { index } => Some(index),
            Self::Duplicate | Self::Suspect => None,
        }
    }

    /// Is it the newest packet so far?
    pub const fn is_newest(self) -> bool {
        matches!(self, Self::Next { .. } | Self::Restarted { .. })
    }
}

/// Follows the sequence numbers of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequence {
    newest: Option<Newest>,
    /// Sequence number that would confirm a jump (`bad_seq` of §A.1).
    confirms: Option<u16>,
    /// Different packets received.
    received: u64,
    /// Packets that were expected under numberings that have ended.
    expected_before: u64,
    /// What [`Self::forget`] has closed: expected and received.
    before: (u64, u64),
    /// The next packet ends a pause in which nothing was to be taken.
    paused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    sequence: u16,
    index: u64,
    /// Index this numbering began with.
    first: u64,
    /// Bit n: the packet n before the newest has arrived.
    seen: u64,
}

impl Sequence {
    /// Judges the next packet to arrive. Per packet: a few operations, no allocation.
    pub fn push(&mut self, sequence: u16) -> Order {
        let Some(newest) = &mut self.newest else {
            return self.restart(sequence, false);
        };
        let ahead = sequence.wrapping_sub(newest.sequence);
        let behind = newest.sequence.wrapping_sub(sequence);
        if ahead == 0 {
            return Order::Duplicate;
        }
        if self.paused && behind > MAX_MISORDER {
            let index = newest.index + u64::from(ahead);
            return self.begin(sequence, index);
        }
        if ahead < MAX_DROPOUT {
            *newest = Newest {
                sequence,
                index: newest.index + u64::from(ahead),
                seen: newest.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1,
                ..*newest
            };
            self.received += 1;
            self.confirms = None;
            return Order::Next { index: newest.index, missing: u64::from(ahead) - 1 };
        }
        if behind > MAX_MISORDER {
            if self.confirms == Some(sequence) {
                return self.restart(sequence, true);
            }
            self.confirms = Some(sequence.wrapping_add(1));
            return Order::Suspect;
        }
        let behind = u64::from(behind);
        if behind >= WINDOW || newest.seen >> behind & 1 == 1 {
            return Order::Duplicate;
        }
        let index = newest.index - behind;
        newest.seen |= 1 << behind;
        // The first packet to arrive may have overtaken the first one sent.
        newest.first = newest.first.min(index);
        self.received += 1;
        Order::Reordered { index }
    }

    /// A new numbering starts with the next packet, whatever its number: another SSRC.
    pub fn forget(&mut self) {
        self.expected_before = self.expected();
        self.before = (self.expected_before, self.received);
        self.newest = None;
        self.confirms = None;
        self.paused = false;
    }

    /// Packets were sent that nobody was to take (a hold): what lies between the newest one and the next is not lost.
    pub fn pause(&mut self) {
        self.paused = self.newest.is_some();
    }

    /// Different packets received.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Of these streams that are over: packets that should have arrived, and those that did.
    pub const fn before(&self) -> (u64, u64) {
        self.before
    }

    /// Packets that should have arrived: from the first to the newest.
    pub fn expected(&self) -> u64 {
        self.expected_before + self.newest.map_or(0, |newest| newest.index - newest.first + 1)
    }

    /// Packets that should have arrived and did not (§A.3, duplicates not counted as arrivals).
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Newest sequence number with its wraps counted above it, as RTCP reports it (§6.4.1).
    pub fn extended_highest(&self) -> u32 {
        self.newest.map_or(0, |newest| (newest.index - CYCLE) as u32)
    }

    fn restart(&mut self, sequence: u16, confirmed: bool) -> Order {
        let index = match self.newest {
            // A cycle above everything before, so that indices never go back.
            Some(newest) => (newest.index | (CYCLE - 1)) + 1 + u64::from(sequence),
            None => CYCLE + u64::from(sequence),
        };
        // The packet that raised suspicion was not counted; the confirming one opens the numbering.
        let next = self.begin(sequence, index);
        if confirmed { Order::Restarted { index } } else { next }
    }

    /// What came before this packet is counted, and nothing between the two is missing.
    fn begin(&mut self, sequence: u16, index: u64) -> Order {
        self.expected_before = self.expected();
        self.newest = Some(Newest { sequence, index, first: index, seen: 1 });
        (self.confirms, self.paused) = (None, false);
        self.received += 1;
        Order::Next { index, missing: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Order::{Duplicate, Next, Reordered, Restarted, Suspect};

    fn next(index: u64) -> Order {
        Next { index, missing: 0 }
    }

    /// Rows of (sequence, expect).
    fn walk(rows: &[(u16, Order)]) -> Sequence {
        let mut sequence = Sequence::default();
        for (step, &(number, expected)) in rows.iter().enumerate() {
            let judged = match sequence.push(number) {
                Next { index, missing } => Next { index: index.wrapping_sub(CYCLE), missing },
                Reordered { index } => Reordered { index: index.wrapping_sub(CYCLE) },
                Restarted { index } => Restarted { index: index - CYCLE },
                judged => judged,
            };
            assert_eq!(judged, expected, "packet {step}, sequence number {number}");
        }
        sequence
    }

    #[test]
    fn numbers_go_on_across_the_wrap() {
        let sequence = walk(&[(65_534, next(65_534)), (65_535, next(65_535)), (0, next(65_536)), (1, next(65_537))]);
        assert_eq!((sequence.received(), sequence.lost(), sequence.extended_highest()), (4, 0, 65_537));
    }

    #[test]
    fn loss_reordering_and_duplicates_are_told_apart() {
        let sequence = walk(&[
            (10, next(10)),
            (13, Next { index: 13, missing: 2 }),
            (12, Reordered { index: 12 }),
            (12, Duplicate),
            (13, Duplicate),
            (10, Duplicate),
            (14, next(14)),
        ]);
        assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (4, 5, 1));
    }

    #[test]
    fn the_first_packet_sent_may_arrive_second() {
        let sequence =
            walk(&[(0, next(0)), (65_535, Reordered { index: u64::MAX }), (65_535, Duplicate), (1, next(1))]);
        assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (3, 3, 0));
    }

    #[test]
    fn reordering_works_across_the_wrap() {
        walk(&[(65_535, next(65_535)), (1, Next { index: 65_537, missing: 1 }), (0, Reordered { index: 65_536 })]);
    }

    #[test]
    fn a_packet_older_than_the_window_counts_as_seen() {
        walk(&[
            (100, next(100)),
            (200, Next { index: 200, missing: 99 }),
            (137, Reordered { index: 137 }),
            (136, Duplicate),
        ]);
    }

    #[test]
    fn one_wild_packet_changes_nothing() {
        let sequence = walk(&[(10, next(10)), (30_000, Suspect), (11, next(11)), (30_001, Suspect), (12, next(12))]);
        assert_eq!((sequence.received(), sequence.lost()), (3, 0));
    }

    #[test]
    fn two_in_a_row_are_a_restart_and_the_jump_is_not_loss() {
        let sequence = walk(&[
            (10, next(10)),
            (30_000, Suspect),
            (30_001, Restarted { index: 95_537 }),
            (30_002, next(95_538)),
            (5, Suspect),
            (6, Restarted { index: 131_078 }),
        ]);
        assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (4, 4, 0));
    }

    #[test]
    fn what_was_sent_in_a_pause_is_not_lost_and_the_wraps_are_counted_on() {
        for pause in [1_000, 2_999, 20_000, 60_000_u16] {
            let mut sequence = walk(&[(65_000, next(65_000)), (65_002, Next { index: 65_002, missing: 1 })]);
            sequence.pause();
            // A straggler from before it.
            assert_eq!(sequence.push(65_001), Reordered { index: CYCLE + 65_001 });
            let index = CYCLE + 65_002 + u64::from(pause);
            assert_eq!(sequence.push(65_002_u16.wrapping_add(pause)), next(index));
            assert_eq!(sequence.push(65_004_u16.wrapping_add(pause)), Next { index: index + 2, missing: 1 });
            assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (5, 6, 1), "{pause}");
            assert_eq!(sequence.extended_highest(), 65_004 + u32::from(pause));
        }
    }

    #[test]
    fn another_stream_starts_afresh() {
        let mut sequence = walk(&[(10, next(10)), (12, Next { index: 12, missing: 1 })]);
        sequence.forget();
        assert_eq!(sequence.push(9), next(CYCLE + 9));
        assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (3, 4, 1));
        assert_eq!(sequence.before(), (3, 2));
    }
}
