//! The promise of the per-packet and per-frame functions, kept: once a stream runs, receiving, concealing, decoding
//! and sending allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use trunkline::audio::{FRAME_8K, Level};
use trunkline::rtp::packet::Packet;
use trunkline::rtp::sender::MAX_PACKET_BYTES;
use trunkline::rtp::{Codec, StreamParams};
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
