//! A stream of SIP gives the same messages however it is cut into segments. (A ping that comes in two halves is two pongs:
//! harmless either way.)

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::sip::framer::{Frame, Framer};

fuzz_target!(|data: &[u8]| {
    let Some((&step, stream)) = data.split_first() else { return };
    let step = usize::from(step).max(1);
    assert_eq!(framed(stream.chunks(step)), framed(std::iter::once(stream)), "in pieces of {step}");
});

/// What comes out, and whether the stream ended broken.
fn framed<'a>(segments: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, bool) {
    let (mut framer, mut frames) = (Framer::default(), Vec::new());
    for segment in segments {
        framer.push(segment);
        loop {
            match framer.pop() {
                Ok(Some(frame @ Frame::Message(_))) => frames.push(frame),
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}
