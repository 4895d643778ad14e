//! Reading datagrams with the moment the kernel received them.
//!
//! What waits at a socket is read with one system call per tick, if it is not much. The kernel's receive time (`SO_TIMESTAMPNS`)
//! keeps our own 20 ms beat out of the jitter we measure.

use std::io::IoSliceMut;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg};
use nix::sys::time::TimeSpec;

use crate::rtp::packet::MAX_DATAGRAM_BYTES;
use crate::time::Now;

/// Most datagrams read with one system call: a caller has sent one, sometimes two.
const BATCH: usize = 4;
/// Most batches read from one socket in one tick. A flood beyond 1,600 datagrams a second is left to the kernel to drop,
/// so that it costs one leg its sound and the others nothing.
const BATCHES: usize = 8;
/// Longest datagram taken whole: as long as a receiver takes them. What is longer is refused, not cut.
const LONGEST: usize = MAX_DATAGRAM_BYTES;
/// A receive time further back than this is a clock that was set, not a packet that waited.
const OLDEST: Duration = Duration::from_secs(2);

/// A datagram as it was received.
pub(super) struct Datagram<'a> {
    /// May be decrypted where it lies.
    pub(super) bytes: &'a mut [u8],
    pub(super) from: SocketAddr,
    /// When the kernel had it.
    pub(super) at: Instant,
    /// Longer than [`LONGEST`].
    pub(super) truncated: bool,
}

/// Buffers for one batch, shared by all sockets of a thread (all of one address family).
pub(super) struct Reader {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Box<[[u8; LONGEST]]>,
    /// The one being taken: what was read is shown to us for reading only.
    one: Box<[u8; LONGEST]>,
}

impl Reader {
    pub(super) fn new() -> Self {
        let headers = MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec)));
        Self { headers, buffers: vec![[0; LONGEST]; BATCH].into_boxed_slice(), one: Box::new([0; LONGEST]) }
    }

    /// Hands everything that waits at `socket` to `take`; returns how many there were. Errors (an ICMP refusal by the
    /// peer) are no business of ours: the RTP timeout notices a peer that is gone. Per tick: no allocation.
    pub(super) fn drain(&mut self, socket: &UdpSocket, now: Now, mut take: impl FnMut(Datagram<'_>)) -> usize {
        let mut count = 0;
        for _ in 0..BATCHES {
            let read = self.batch(socket, now, &mut take);
            count += read;
            if read < BATCH {
                break;
            }
        }
        count
    }

    fn batch(&mut self, socket: &UdpSocket, now: Now, mut take: impl FnMut(Datagram<'_>)) -> usize {
        let mut slices = self.buffers.each_slice();
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(received) = recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) else {
            return 0;
        };
        let mut count = 0;
        for message in received {
            count += 1;
            let Some(from) = message.address.as_ref().and_then(address) else { continue };
            let at = received_at(&message, now);
            let truncated = message.flags.contains(MsgFlags::MSG_TRUNC);
            let read = message.iovs().next().unwrap_or_default();
            let bytes = &mut self.one[..read.len()];
            bytes.copy_from_slice(read);
            take(Datagram { bytes, from, at, truncated });
        }
        count
    }
}

trait EachSlice {
    fn each_slice(&mut self) -> [[IoSliceMut<'_>; 1]; BATCH];
}

impl EachSlice for Box<[[u8; LONGEST]]> {
    fn each_slice(&mut self) -> [[IoSliceMut<'_>; 1]; BATCH] {
        let mut buffers = self.iter_mut();
        std::array::from_fn(|_| [IoSliceMut::new(buffers.next().expect("one buffer for each of a batch"))])
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}

/// The kernel's wall clock reading, moved to our monotonic clock by the difference between both now.
fn received_at<S>(message: &RecvMsg<'_, '_, S>, now: Now) -> Instant {
    let stamp = message.cmsgs().ok().and_then(|mut all| {
        all.find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        })
    });
    let waited = stamp.and_then(|stamp| {
        let ago = now.wall.as_nanosecond() - i128::try_from(stamp.as_nanos()).ok()?;
        Some(Duration::from_nanos(u64::try_from(ago).ok()?)).filter(|ago| *ago <= OLDEST)
    });
    waited.and_then(|waited| now.mono.checked_sub(waited)).unwrap_or(now.mono)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};
    use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};

    fn pair() -> (UdpSocket, UdpSocket) {
        let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
        setsockopt(&ours, ReceiveTimestampns, &true).unwrap();
        let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
        theirs.connect(ours.local_addr().unwrap()).unwrap();
        (ours, theirs)
    }

    #[test]
    fn datagrams_come_in_order_with_their_source_and_a_time_between_sending_and_reading() {
        let (ours, theirs) = pair();
        let mut reader = Reader::new();
        // Three rounds over one set of headers: nothing of a round may leak into the next.
        for round in 0..3_u8 {
            let before = SystemClock.now();
            for place in 0..5_u8 {
                theirs.send(&[round, place]).unwrap();
            }
            let now = SystemClock.now();
            let mut seen = Vec::new();
            let count = reader.drain(&ours, now, |datagram| {
                assert_eq!(datagram.from, theirs.local_addr().unwrap());
                assert!(!datagram.truncated);
                assert!(datagram.at <= now.mono && datagram.at + Duration::from_millis(1) >= before.mono);
                seen.push(datagram.bytes.to_vec());
            });
            assert_eq!(count, 5);
            assert_eq!(seen, (0..5).map(|place| vec![round, place]).collect::<Vec<_>>());
            assert_eq!(reader.drain(&ours, now, |_| unreachable!("nothing waits")), 0);
        }
    }

    #[test]
    fn empty_and_oversized_datagrams_are_told_apart_from_whole_ones() {
        let (ours, theirs) = pair();
        theirs.send(&[]).unwrap();
        theirs.send(&[1; LONGEST]).unwrap();
        theirs.send(&[2; LONGEST + 1]).unwrap();
        let mut seen = Vec::new();
        Reader::new().drain(&ours, SystemClock.now(), |datagram| {
            seen.push((datagram.bytes.len(), datagram.truncated));
        });
        assert_eq!(seen, [(0, false), (LONGEST, false), (LONGEST, true)]);
    }

    #[test]
    fn the_longest_packet_a_receiver_takes_is_read_whole() {
        let (ours, theirs) = pair();
        // A header and 200 ms of sound.
        theirs.send(&[0x80; 12 + 1_600]).unwrap();
        let mut seen = Vec::new();
        Reader::new().drain(&ours, SystemClock.now(), |datagram| {
            seen.push((datagram.bytes.len(), datagram.truncated));
        });
        assert_eq!(seen, [(1_612, false)]);
    }

    #[test]
    fn a_flood_is_read_in_batches() {
        let (ours, theirs) = pair();
        for _ in 0..BATCHES * BATCH + 3 {
            theirs.send(b"flood").unwrap();
        }
        let mut reader = Reader::new();
        assert_eq!(reader.drain(&ours, SystemClock.now(), |_| ()), BATCHES * BATCH);
        assert_eq!(reader.drain(&ours, SystemClock.now(), |_| ()), 3);
    }
}
