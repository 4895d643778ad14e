//! RTP and RTCP as pure state: sequence numbers, jitter, telephone events, receivers and senders (RFC 3550, RFC 4733).

pub mod packet;
pub mod sequence;
