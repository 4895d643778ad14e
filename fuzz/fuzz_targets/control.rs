//! Lines on the control socket, and what they mean.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::app::control::Request;

fuzz_target!(|line: &[u8]| {
    let Ok(mut request) = serde_json::from_slice::<Request>(line) else { return };
    if let Request::Call(call) = &mut request {
        // The last of many digits may be lost on the way (serde_json reads them quickly, not exactly); of as few as anybody
        // writes none is.
        call.ring_s = Some(call.ring().as_millis() as f64 / 1_000.0);
    }
    let text = serde_json::to_string(&request).expect("what was read can be written");
    let again: Request = serde_json::from_str(&text).expect("and read again");
    assert_eq!(format!("{request:?}"), format!("{again:?}"));
});
