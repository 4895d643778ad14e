//! Rows of event packets and the presses they make.

use super::*;
use crate::time::{Clock, SystemClock};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// One packet: ms of arrival, event, timestamp, marker, end, duration.
type Row = (u64, u8, u32, bool, bool, u16);

fn presses_of(rows: &[Row]) -> Vec<(char, u64)> {
    let zero = SystemClock.now().mono;
    let mut events = TelephoneEvents::default();
    let press = |&(ms, code, timestamp, marker, end, duration): &Row| {
        let [high, low] = duration.to_be_bytes();
        let payload = [code, u8::from(end) << 7 | 10, high, low];
        let packet = Packet { marker, payload_type: 101, sequence: 0, timestamp, ssrc: 1, payload: &payload };
        events.push(&packet, zero + Duration::from_millis(ms)).unwrap()
    };
    let reported = rows.iter().filter_map(press);
    reported.map(|press| (press.digit.face(), (press.at - zero).as_millis() as u64)).collect()
}

/// A press of 100 ms as RFC 4733 sends it: start, updates, the end three times.
fn press_of(code: u8, ms: u64, timestamp: u32) -> Vec<Row> {
    let updates = (0..5).map(|n| (ms + 20 * n, code, timestamp, n == 0, false, 160 * (n as u16 + 1)));
    let ends = (0..3).map(|n| (ms + 100 + 20 * n, code, timestamp, false, true, 800));
    updates.chain(ends).collect()
}

#[test]
fn a_digit_sent_eight_times_is_heard_once() {
    assert_eq!(presses_of(&press_of(5, 40, 1_000)), [('5', 40)]);
}

#[test]
fn every_key_has_its_face() {
    let rows: Vec<Row> =
        (0..16).flat_map(|code| press_of(code, u64::from(code) * 300, u32::from(code) * 2_400)).collect();
    let faces: String = presses_of(&rows).iter().map(|(face, _)| face).collect();
    assert_eq!(faces, "0123456789*#ABCD");
}

#[test]
fn whichever_packets_are_lost_a_press_is_heard_once() {
    let whole = press_of(9, 0, 500);
    for kept in 1u32..1 << whole.len() {
        let rows: Vec<Row> =
            whole.iter().enumerate().filter(|(place, _)| kept >> place & 1 == 1).map(|(_, &row)| row).collect();
        assert_eq!(presses_of(&rows), [('9', rows[0].0)], "packets {kept:08b}");
    }
}

#[test]
fn the_same_key_twice_quickly_is_heard_twice() {
    // 40 ms between the presses; the first loses its ends, the second its start.
    let rows: Vec<Row> = [press_of(1, 0, 0), press_of(1, 140, 1_120)].concat();
    assert_eq!(presses_of(&rows), [('1', 0), ('1', 140)]);
    let without_ends: Vec<Row> = rows.iter().copied().filter(|row| row.2 != 0 || !row.4).collect();
    assert_eq!(presses_of(&without_ends), [('1', 0), ('1', 140)]);
    let without_start: Vec<Row> = rows.iter().copied().filter(|row| !(row.2 == 1_120 && row.3)).collect();
    assert_eq!(presses_of(&without_start), [('1', 0), ('1', 160)]);
}

#[test]
fn stragglers_of_an_earlier_press_are_not_another() {
    let mut rows = [press_of(1, 0, 0), press_of(2, 200, 1_600)].concat();
    rows.insert(10, (230, 1, 0, false, true, 800));
    assert_eq!(presses_of(&rows), [('1', 0), ('2', 200)]);
}

#[test]
fn a_key_held_longer_than_a_segment_is_one_press() {
    let rows = [
        (0, 3, 0, true, false, 160),
        (8_191, 3, 0, false, false, 65_535),
        (8_211, 3, 65_535, false, false, 160),
        (8_231, 3, 65_535, false, true, 320),
    ];
    assert_eq!(presses_of(&rows), [('3', 0)]);
}

#[test]
fn a_key_held_longer_than_a_segment_is_one_press_whichever_updates_are_lost_and_wherever_the_next_begins() {
    for begins in [65_535, 65_440] {
        for last_heard in [64_640, 65_280, 65_440] {
            let rows = [
                (0, 3, 0, true, false, 160),
                (u64::from(last_heard) / 8, 3, 0, false, false, last_heard),
                (8_211, 3, begins, false, false, 160),
                (8_231, 3, begins, false, true, 320),
            ];
            assert_eq!(presses_of(&rows), [('3', 0)], "heard until {last_heard}, goes on at {begins}");
        }
    }
    // A press that is over is not gone on with, nor is one by what begins before its end.
    let again = |ended, timestamp| {
        [(0, 3, 0, true, false, 160), (8_180, 3, 0, false, ended, 65_440), (8_211, 3, timestamp, false, false, 160)]
    };
    assert_eq!(presses_of(&again(true, 65_440)), [('3', 0), ('3', 8_211)]);
    assert_eq!(presses_of(&again(false, 65_536)), [('3', 0), ('3', 8_211)]);
}

#[test]
fn a_sender_that_moves_the_timestamp_within_a_press_is_understood() {
    let moving = |ms: u64| {
        let updates =
            (0..5u64).map(move |n| (ms + 20 * n, 7, (ms * 8 + 160 * n) as u32, n == 0, false, 160 * (n as u16 + 1)));
        updates.chain((0..3).map(move |n| (ms + 100 + 20 * n, 7, (ms * 8 + 800 + 160 * n) as u32, false, true, 800)))
    };
    let rows: Vec<Row> = moving(0).chain(moving(400)).collect();
    assert_eq!(presses_of(&rows), [('7', 0), ('7', 400)]);
}

#[test]
fn a_press_after_a_lost_end_is_another_one() {
    let rows = [(0, 4, 0, true, false, 160), (20, 4, 0, false, false, 320), (500, 4, 4_000, false, false, 480)];
    assert_eq!(presses_of(&rows), [('4', 0), ('4', 500)]);
}

#[test]
fn what_is_no_key_is_passed_over_and_what_is_no_event_refused() {
    // Flash is event 16.
    assert_eq!(presses_of(&press_of(16, 0, 0)), []);
    let zero = SystemClock.now().mono;
    for length in 0..REPORT_BYTES {
        let payload = [1; REPORT_BYTES];
        let packet =
            Packet { marker: true, payload_type: 101, sequence: 0, timestamp: 0, ssrc: 1, payload: &payload[..length] };
        assert_eq!(TelephoneEvents::default().push(&packet, zero), Err(ShortEvent));
    }
}

#[test]
fn random_presses_under_random_loss_and_reordering_are_each_heard_once() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut rows = Vec::new();
        let mut typed = String::new();
        let mut ms = 0;
        for _ in 0..20 {
            let code = random.random_range(0..16);
            typed.push(Digit::from_event(code).unwrap().face());
            // Three of the eight packets at most are lost, each is up to 15 ms late.
            let mut packets = press_of(code, ms, ms as u32 * 8);
            for _ in 0..3 {
                if random.random() {
                    packets.remove(random.random_range(0..packets.len()));
                }
            }
            packets.iter_mut().for_each(|row| row.0 += random.random_range(0..15));
            rows.extend(packets);
            ms += random.random_range(180..400);
        }
        rows.sort_by_key(|row| row.0);
        let heard: String = presses_of(&rows).iter().map(|(face, _)| face).collect();
        assert_eq!(heard, typed, "seed {seed}");
    }
}
