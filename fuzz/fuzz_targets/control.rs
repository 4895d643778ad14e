//! Lines on the control socket, and what they mean.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::app::control::Request;

fuzz_target!(|line: &[u8]| {
    let Ok(request) = serde_json::from_slice::<Request>(line) else { return };
    if let Request::Call(call) = &request {
        call.ring();
    }
    let text = serde_json::to_string(&request).expect("what was read can be written");
    let again: Request = serde_json::from_str(&text).expect("and read again");
    assert_eq!(format!("{request:?}"), format!("{again:?}"));
});
