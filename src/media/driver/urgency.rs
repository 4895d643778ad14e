//! Real-time scheduling for the media threads: 20 ms wait for nobody.
//!
//! As many ordinary threads as like may keep one of ours from its core for some milliseconds, each time; a real-time
//! one goes before them all. It takes a privilege (`CAP_SYS_NICE`, or `LimitRTPRIO=` in the unit of systemd). Without
//! it media is served all the same, less evenly on a machine that is busy. The kernel keeps five per cent of every
//! core from real-time threads, so that even an overloaded media thread starves nobody for good.

use std::thread;

use nix::sys::prctl;
use thread_priority::ThreadPriority;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

/// Of 1 to 99; enough to go before everything that is not real-time itself.
pub const PRIORITY: u8 = 20;

/// Would a media thread of this process be given real-time priority? Tried by a thread that ends at once.
pub fn realtime_is_allowed() -> bool {
    thread::spawn(claim).join().unwrap_or(false)
}

/// Makes the calling thread urgent; `false` where the system does not allow it.
pub(super) fn claim() -> bool {
    // Without real-time scheduling the kernel may let timers come 50 µs late to save wake-ups.
    let _ = prctl::set_timerslack(1);
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    let priority = PRIORITY.try_into().map(ThreadPriority::Crossplatform);
    priority.is_ok_and(|priority| set_thread_priority_and_policy(thread_native_id(), priority, policy).is_ok())
}
