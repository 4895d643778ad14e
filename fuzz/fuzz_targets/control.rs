//! Lines on the control socket, and what they mean.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::app::control::Request;

fuzz_target!(|line: &[u8]| {
    let Ok(mut request) = serde_json::from_slice::<Request>(line) else { return };
    if let Request::Call(call) = &mut request {
        // The last digit of a number may be lost on the way, that of a sensible one not.
        call.ring_s = Some(call.ring().as_secs_f64());
    }
    let text = serde_json::to_string(&request).expect("what was read can be written");
    let again: Request = serde_json::from_str(&text).expect("and read again");
    assert_eq!(format!("{request:?}"), format!("{again:?}"));
});
