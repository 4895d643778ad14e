//! RTP and RTCP as pure state: sequence numbers, jitter, telephone events, receivers and senders (RFC 3550, RFC 4733),
//! and their encryption (RFC 3711).

mod accepted;
pub mod bursts;
pub mod comfort_noise;
mod decoders;
pub mod event_sender;
pub mod frames;
pub mod jitter;
pub mod lateness;
pub mod packet;
pub mod quality;
pub mod receiver;
pub mod reporter;
pub mod rtcp;
pub mod sender;
pub mod sequence;
mod source;
pub mod srtp;
mod steering;
pub mod stream;
pub mod stun;
pub mod telephone_event;

pub use quality::Quality;
pub use receiver::{Accepted, Pulled, Receiver, ReceiverConfig, ReceiverStats, Refusal};
pub use sender::Sender;
pub use stream::{Codec, Digit, Ice, OpusParams, Rtcp, StreamParams};
