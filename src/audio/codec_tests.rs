//! Sound through every codec and back, losses, and payloads nobody should send.

use super::*;
use crate::audio::{FRAME_8K, level::rms_dbov, tone};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn coders(codec: Codec) -> (Encoder, Decoder) {
    (Encoder::new(codec, &WITH_FEC).unwrap(), Decoder::new(codec).unwrap())
}

const WITH_FEC: OpusParams = OpusParams { fec: true, dtx: false, cbr: false, max_bitrate: None };

/// Something with the melody of a voice: three partials that glide, in syllables.
fn voice(seconds: f64) -> Vec<i16> {
    let mut phase = 0.0f64;
    (0..(seconds * 8_000.0) as usize)
        .map(|n| {
            let at = n as f64 / 8_000.0;
            phase += (140.0 + 30.0 * (at * 3.0).sin()) / 8_000.0 * std::f64::consts::TAU;
            let loudness = (at * 4.0 * std::f64::consts::PI).sin().abs();
            let partials = phase.sin() + 0.6 * (3.0 * phase).sin() + 0.4 * (8.0 * phase).sin();
            (partials * loudness * 5_000.0) as i16
        })
        .collect()
}

/// Packets of `samples` each, encoded and decoded in order.
fn through(codec: Codec, sound: &[i16], samples: usize) -> Vec<i16> {
    let (mut encoder, mut decoder) = coders(codec);
    let (mut payload, mut out) = ([0; 1_500], [0; MOST_SAMPLES]);
    let mut heard = Vec::new();
    for pcm in sound.chunks_exact(samples) {
        let length = encoder.encode(pcm, &mut payload);
        assert!(length > 0 && length <= samples, "{codec}: {length} bytes for {samples} samples");
        assert_eq!(Decoder::samples_of(codec, &payload[..length]), samples, "{codec}");
        let decoded = decoder.decode(&payload[..length], &mut out).unwrap();
        assert_eq!(decoded, samples, "{codec}");
        heard.extend(&out[..decoded]);
    }
    heard
}

/// The best correlation within 20 ms of delay, 1 for the same sound.
fn likeness(a: &[i16], b: &[i16]) -> f64 {
    let correlation = |delay: usize| {
        let pairs = a.iter().zip(&b[delay..]).map(|(&a, &b)| (f64::from(a), f64::from(b)));
        let (ab, aa, bb) = pairs.fold((0.0, 0.0, 0.0), |(ab, aa, bb), (a, b)| (ab + a * b, aa + a * a, bb + b * b));
        ab / (aa * bb).sqrt().max(1.0)
    };
    (0..160).map(correlation).fold(0.0, f64::max)
}

#[test]
fn every_codec_gives_back_what_went_in_at_every_packet_length() {
    let sound = voice(2.0);
    for codec in Codec::ALL {
        for samples in [80, 160, 240, 320, 480] {
            if samples == 240 && codec == Codec::Opus {
                continue;
            }
            let heard = through(codec, &sound, samples);
            let likeness = likeness(&sound[..12_000], &heard);
            // Opus and G.729 keep what is heard, not the waveform.
            let least = match codec {
                Codec::Opus => 0.75,
                Codec::G729 => 0.6,
                _ => 0.98,
            };
            assert!(likeness > least, "{codec}, {samples} samples: {likeness:.4}");
            let (said, heard) = (rms_dbov(&sound), rms_dbov(&heard));
            assert!((said - heard).abs() < 1.0, "{codec}, {samples} samples: {said:.1} → {heard:.1} dBov");
        }
    }
}

#[test]
fn a_tone_comes_out_clean_of_g_722() {
    let sound = tone::sine(1_000.0, -15.0, 1_000, 8_000).samples;
    let heard = through(Codec::G722, &sound, 160);
    // After the predictor has found it: noise 30 dB below the tone, which G.711 has too.
    let (said, heard) = (&sound[800..7_200], &heard[800..7_200]);
    let noise: f64 = said.iter().zip(heard).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    let tone: f64 = said.iter().map(|&a| f64::from(a).powi(2)).sum();
    let snr = 10.0 * (tone / noise).log10();
    assert!(snr > 30.0, "{snr:.1} dB");
}

#[test]
fn a_packet_of_opus_that_was_lost_comes_back_with_the_next_one() {
    let sound = voice(4.0);
    let (mut encoder, mut decoder) = coders(Codec::Opus);
    encoder.loss_expected(20);
    let mut packets = Vec::new();
    for pcm in sound.chunks_exact(FRAME_8K) {
        let mut payload = [0; 400];
        let length = encoder.encode(pcm, &mut payload);
        packets.push(payload[..length].to_vec());
    }
    let (mut mute, mut repaired) = (Decoder::new(Codec::Opus).unwrap(), Vec::new());
    let (mut whole, mut guessed) = (Vec::new(), Vec::new());
    let mut undisturbed = Decoder::new(Codec::Opus).unwrap();
    for (n, packet) in packets.iter().enumerate() {
        let mut out = [0; MOST_SAMPLES];
        assert_eq!(undisturbed.decode(packet, &mut out), Ok(FRAME_8K));
        whole.extend(&out[..FRAME_8K]);
        // Every fifth is lost.
        if n % 5 == 4 {
            let next = packets.get(n + 1).map(Vec::as_slice);
            assert!(decoder.conceal(FRAME_8K, next, &mut out));
            repaired.extend(&out[..FRAME_8K]);
            assert!(mute.conceal(FRAME_8K, None, &mut out));
            guessed.extend(&out[..FRAME_8K]);
        } else {
            assert_eq!(decoder.decode(packet, &mut out), Ok(FRAME_8K));
            repaired.extend(&out[..FRAME_8K]);
            assert_eq!(mute.decode(packet, &mut out), Ok(FRAME_8K));
            guessed.extend(&out[..FRAME_8K]);
        }
    }
    let (repaired, guessed) = (likeness(&whole[..30_000], &repaired), likeness(&whole[..30_000], &guessed));
    assert!(repaired > 0.92 && repaired > guessed + 0.04, "repaired {repaired:.3}, guessed {guessed:.3}");
}

#[test]
fn opus_and_g_729_make_up_their_own_losses_each_in_its_steps() {
    let mut out = [7; MOST_SAMPLES];
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        assert!(!Decoder::new(codec).unwrap().conceal(160, None, &mut out));
    }
    let mut opus = Decoder::new(Codec::Opus).unwrap();
    for (samples, expected) in [(0, false), (20, true), (150, false), (160, true), (960, true), (961, false)] {
        assert_eq!(opus.conceal(samples, None, &mut out), expected, "{samples}");
    }
    assert!(!opus.conceal(160, None, &mut [0; 100]));
    let mut g729 = Decoder::new(Codec::G729).unwrap();
    for (samples, expected) in
        [(0, false), (20, false), (80, true), (150, false), (160, true), (960, true), (961, false)]
    {
        assert_eq!(g729.conceal(samples, None, &mut out), expected, "{samples}");
    }
    assert!(!g729.conceal(160, None, &mut [0; 100]));
    // A next packet that is none, and one without any copy of what was lost.
    assert!(opus.conceal(160, Some(&[0xFF; 9]), &mut out) && opus.conceal(160, Some(&[]), &mut out));
}

#[test]
fn silence_needs_no_packets_when_the_far_end_says_so() {
    let mut encoder = Encoder::new(Codec::Opus, &OpusParams { dtx: true, ..OpusParams::default() }).unwrap();
    let mut payload = [0; 400];
    let sent = (0..100).filter(|_| encoder.encode(&[0; 160], &mut payload) > 0).count();
    assert!((1..40).contains(&sent), "{sent} of 100 packets");
    let (mut always, _) = coders(Codec::Opus);
    assert!((0..100).all(|_| always.encode(&[0; 160], &mut payload) > 0));
}

#[test]
fn opus_keeps_to_the_bit_rate_they_ask_for() {
    let sound = voice(3.0);
    let bytes = |params: OpusParams| {
        let mut encoder = Encoder::new(Codec::Opus, &params).unwrap();
        let mut payload = [0; 400];
        sound.chunks_exact(160).map(|pcm| encoder.encode(pcm, &mut payload)).sum::<usize>()
    };
    let (usual, least) =
        (bytes(OpusParams::default()), bytes(OpusParams { max_bitrate: Some(6_000), ..OpusParams::default() }));
    // 24 and 6 kbit/s for three seconds.
    assert!(usual < 10_500 && usual > 4_000 && least < 3_500, "{usual} and {least} bytes");
    let constant = OpusParams { cbr: true, ..OpusParams::default() };
    let mut encoder = Encoder::new(Codec::Opus, &constant).unwrap();
    let mut payload = [0; 400];
    let lengths: std::collections::BTreeSet<_> =
        sound.chunks_exact(160).map(|pcm| encoder.encode(pcm, &mut payload)).collect();
    assert_eq!(lengths.len(), 1);
}

#[test]
fn a_length_that_cannot_be_sent_is_not_sent() {
    for codec in Codec::ALL {
        let (mut encoder, _) = coders(codec);
        assert_eq!(encoder.encode(&[0; 160], &mut []), 0, "{codec}");
    }
    let (mut g729, _) = coders(Codec::G729);
    for samples in [0, 1, 79, 81, 481] {
        assert_eq!(g729.encode(&vec![0; samples], &mut [0; 1_500]), 0);
    }
    let (mut opus, _) = coders(Codec::Opus);
    for samples in [0, 1, 79, 240, 481] {
        assert_eq!(opus.encode(&vec![0; samples], &mut [0; 1_500]), 0);
    }
}

#[test]
fn payloads_nobody_should_send_are_errors_and_never_panics() {
    let mut random = StdRng::seed_from_u64(6716);
    let mut out = [0; MOST_SAMPLES];
    for codec in Codec::ALL {
        let mut decoder = Decoder::new(codec).unwrap();
        assert_eq!(decoder.decode(&[], &mut out), Err(BadPayload::Empty));
        assert_eq!(Decoder::samples_of(codec, &[]), 0);
        if codec.is_bytewise() {
            assert_eq!(decoder.decode(&[0; 961], &mut out), Err(BadPayload::TooLong));
        }
        for _ in 0..20_000 {
            let payload: Vec<u8> = (0..random.random_range(1..300)).map(|_| random.random()).collect();
            let stated = Decoder::samples_of(codec, &payload);
            match decoder.decode(&payload, &mut out) {
                Ok(samples) => assert!(samples <= MOST_SAMPLES && samples == stated, "{codec}: {samples}, {stated}"),
                Err(error) => assert!(matches!(error, BadPayload::Broken | BadPayload::TooLong)),
            }
        }
    }
}
