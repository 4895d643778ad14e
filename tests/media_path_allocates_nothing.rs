//! The promise of the per-packet and per-frame functions, kept: once a stream runs, receiving, concealing, decoding
//! and sending allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use trunkline::audio::{FRAME_8K, Level};
use trunkline::rtp::packet::Packet;
use trunkline::rtp::sender::MAX_PACKET_BYTES;
use trunkline::rtp::srtp::{Keys, MasterKey, Srtp, Suite};
use trunkline::rtp::stun;
use trunkline::rtp::{Codec, Digit, Ice, OpusParams, StreamParams};
use trunkline::rtp::{Receiver, ReceiverConfig, Sender};
use trunkline::time::{Clock, SystemClock};

/// Counts what each thread allocates: the test runner's own goes on beside the test.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "a global allocator cannot be written otherwise; this one only counts")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_minute_of_call_with_loss_keys_and_strangers_allocates_nothing() {
    let peer: SocketAddr = "192.0.2.7:4000".parse().expect("an address");
    let stranger: SocketAddr = "198.51.100.1:4000".parse().expect("an address");
    let params = StreamParams {
        remote: Some(peer),
        codec: Codec::Pcmu,
        payload_type: 0,
        telephone_event: Some(101),
        ptime_ms: 30,
        send: true,
        receive: true,
        ..StreamParams::default()
    };
    let zero = SystemClock.now().mono;
    let mut receiver = Receiver::new(&params, ReceiverConfig::default());
    let mut sender = Sender::new(&params, 42);
    let frame: [i16; FRAME_8K] = std::array::from_fn(|at| (at as i16 - 80) * 100);
    let mut heard = [0; FRAME_8K];
    let mut datagram = [0; MAX_PACKET_BYTES];
    let (mut keys, mut packets) = (0, 0u64);

    let before = ALLOCATIONS.with(Cell::get);
    for tick in 0..3_000u32 {
        let arrived = zero + Duration::from_millis(u64::from(tick) * 20);
        sender.push_frame(&frame);
        if tick % 500 == 499 {
            sender.skip(2);
        }
        while let Some(length) = sender.poll_packet(&mut datagram) {
            packets += 1;
            // Every 13th is lost, every 17th comes twice, a stranger sends a copy.
            if packets % 13 != 0 {
                receiver.accept(&datagram[..length], peer, arrived);
            }
            if packets % 17 == 0 {
                receiver.accept(&datagram[..length], peer, arrived);
            }
            receiver.accept(&datagram[..length], stranger, arrived);
        }
        if tick % 100 == 0 {
            let timestamp = tick * 160;
            let key =
                Packet { marker: true, payload_type: 101, sequence: 9, timestamp, ssrc: 7, payload: &[5, 10, 0, 160] };
            if let Some(length) = key.write(&mut datagram) {
                receiver.accept(&datagram[..length], peer, arrived);
            }
        }
        receiver.pull(arrived + Duration::from_millis(9), &mut heard);
        let _ = Level::of(&heard);
        while receiver.poll_digit().is_some() {
            keys += 1;
        }
    }
    let allocated = ALLOCATIONS.with(Cell::get) - before;

    let stats = receiver.stats();
    assert!(stats.concealed > 50 && stats.duplicates > 50 && stats.refused > 1_000, "{stats:?}");
    assert_eq!(keys, 30);
    assert_eq!(allocated, 0, "{allocated} allocations in a minute of call");
}

/// libopus is C and asks the system by itself, but only when a coder is made.
#[test]
fn a_minute_in_every_codec_sealed_in_every_suite_with_keys_pressed_allocates_nothing() {
    let peer: SocketAddr = "192.0.2.7:4000".parse().expect("an address");
    let zero = SystemClock.now().mono;
    for (codec, suite) in Codec::ALL.into_iter().zip(Suite::ALL.into_iter().cycle()) {
        let key = MasterKey::new(suite, &vec![7; suite.key_bytes()]).expect("the right length");
        let params = StreamParams {
            remote: Some(peer),
            codec,
            payload_type: 96,
            receive_types: vec![(96, codec)],
            telephone_event: Some(101),
            send_event: Some(101),
            opus: OpusParams { fec: true, ..OpusParams::default() },
            ..StreamParams::default()
        };
        let mut srtp = Srtp::new(&Keys { suite, ours: key, theirs: key });
        let mut receiver = Receiver::new(&params, ReceiverConfig::default());
        let mut sender = Sender::new(&params, 42);
        // A buzz of 200 Hz: something that a codec for voices takes for one.
        let frame: [i16; FRAME_8K] = std::array::from_fn(|at| (at as i16 % 40 - 20) * 400);
        let (mut heard, mut datagram) = ([0; FRAME_8K], [0; MAX_PACKET_BYTES]);
        let (mut keys, mut packets, mut sound) = (0, 0u64, 0);

        let before = ALLOCATIONS.with(Cell::get);
        for tick in 0..3_000u32 {
            let arrived = zero + Duration::from_millis(u64::from(tick) * 20);
            if tick % 300 == 150 {
                sender.press(Digit::from_event((tick / 300) as u8).expect("a key"), 100, 60);
            }
            sender.push_frame(&frame);
            while let Some(length) = sender.poll_packet(&mut datagram) {
                packets += 1;
                let sealed = srtp.sealer.rtp(&mut datagram, length).expect("there is room");
                let opened = srtp.opener.rtp(&mut datagram[..sealed]).expect("it is ours");
                if packets % 13 != 0 {
                    receiver.accept(&datagram[..opened], peer, arrived);
                }
            }
            receiver.pull(arrived + Duration::from_millis(9), &mut heard);
            sound += u32::from(Level::of(&heard).rms_dbov > -40.0);
            while receiver.poll_digit().is_some() {
                keys += 1;
            }
        }
        let allocated = ALLOCATIONS.with(Cell::get) - before;
        assert_eq!(keys, 10, "{codec}");
        assert!(sound > 2_500 && receiver.stats().concealed > 50, "{codec}: {sound}, {:?}", receiver.stats());
        assert_eq!(allocated, 0, "{codec}, {suite:?}: {allocated} allocations in a minute of call");
    }
}

#[test]
fn a_check_of_connectivity_is_answered_without_allocating() {
    let ice = Ice { ufrag: "evtj".into(), password: "VOkJxbRl1RmTxUk/WvJxBt".into(), their_ufrag: None };
    // RFC 5769 §2.1.
    let words: [u32; 27] = [
        0x0001_0058,
        0x2112_a442,
        0xb7e7_a701,
        0xbc34_d686,
        0xfa87_dfae,
        0x8022_0010,
        0x5354_554e,
        0x2074_6573,
        0x7420_636c,
        0x6965_6e74,
        0x0024_0004,
        0x6e00_01ff,
        0x8029_0008,
        0x932f_f9b1,
        0x5126_3b36,
        0x0006_0009,
        0x6576_746a,
        0x3a68_3676,
        0x5920_2020,
        0x0008_0014,
        0x9aea_a70c,
        0xbfd8_cb56,
        0x781e_f2b5,
        0xb2d3_f249,
        0xc1b5_71a2,
        0x8028_0004,
        0xe57a_3bcf,
    ];
    let request = words.map(u32::to_be_bytes);
    let mut out = [0; stun::MOST_ANSWER_BYTES];
    let before = ALLOCATIONS.with(Cell::get);
    let answer = stun::answer(request.as_flattened(), "192.0.2.1:9".parse().expect("an address"), &ice, &mut out);
    let allocated = ALLOCATIONS.with(Cell::get) - before;
    assert!(answer.is_some());
    assert_eq!(allocated, 0);
}
