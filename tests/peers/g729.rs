//! G.729 against that of others: libbcg729 codes and decodes what we do, and linphone calls and speaks it.

use std::f64::consts::TAU;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use trunkline::audio::g729::{FRAME, FRAME_BYTES, G729Decoder, G729Encoder};
use trunkline::audio::{Pcm, resample};

use super::codecs::{SECONDS, likeness, read_wav, sound, write_wav};
use super::house::{Gateway, Settings};

/// What we look ahead, and so what is heard is late by: 5 ms.
const LATE: usize = 40;
/// Samples of a stretch that is compared, 20 ms for loudness and 32 ms for spectra.
const STRETCH: usize = 160;
/// See above.
const SPECTRUM: usize = 256;
/// Root mean square of a stretch that is more than background.
const AUDIBLE: f64 = 200.0;

/// Asks the other library; `None`, with a reason, where it is missing.
fn others(what: &str, given: &[u8]) -> Option<Vec<u8>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/bcg729.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(what).stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = command.spawn().and_then(|mut peer| {
        let mut input = peer.stdin.take().expect("it was asked for");
        let given = given.to_vec();
        // On a thread of its own, so that neither waits for the other.
        let writing = std::thread::spawn(move || input.write_all(&given));
        let output = peer.wait_with_output();
        let _ = writing.join();
        output
    });
    match output {
        Ok(output) if output.status.success() => Some(output.stdout),
        missing => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have libbcg729 and Python: {missing:?}");
            println!("skipped: no libbcg729, or no Python to load it with (apt install libbcg729-0 python3)");
            None
        }
    }
}

fn bytes_of(sound: &[i16]) -> Vec<u8> {
    sound.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn sound_of(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
}

/// Frames as the script writes them, taken apart.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (frame, rest) = rest.split_at(usize::from(length));
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// Our frames, as the script reads them.
fn encoded(sound: &[i16]) -> Vec<u8> {
    let (mut encoder, mut frame) = (G729Encoder::default(), [0; FRAME_BYTES]);
    let mut all = Vec::new();
    for pcm in sound.chunks_exact(FRAME) {
        assert_eq!(encoder.encode(pcm, &mut frame), FRAME_BYTES);
        all.push(FRAME_BYTES as u8);
        all.extend(frame);
    }
    all
}

fn decoded(bytes: &[u8]) -> Vec<i16> {
    let mut decoder = G729Decoder::default();
    let mut all = Vec::new();
    for frame in frames(bytes) {
        let mut sound = [0; FRAME];
        let taken = decoder.decode(frame, &mut sound) == Some(FRAME) || decoder.conceal(&mut sound);
        assert!(taken, "a frame of {} bytes", frame.len());
        all.extend(sound);
    }
    all
}

/// Half a minute of speech: people, where their recordings are at hand, or else a machine. `None` where there is neither.
fn speech() -> Option<Vec<i16>> {
    let mut all = Vec::new();
    if let Some(folder) = std::env::var_os("TRUNKLINE_SPEECH") {
        let folder = Path::new(&folder).join("en/8k");
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder).expect("recordings").flatten().map(|at| at.path()).collect();
        files.sort();
        let every = files.len() / 20;
        files.iter().step_by(every.max(1)).for_each(|file| all.extend(wav(file)));
        all.truncate(30 * 8_000);
    } else {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = "The quick brown fox jumps over the lazy dog. Please say your account number, or press one. \
                    Six spoons of fresh snow peas, five thick slabs of blue cheese. We were away a year ago.";
        for voice in ["en-us", "en-us+f3", "en-gb"] {
            let file = folder.path().join("said.wav");
            let said = Command::new("espeak-ng").args(["-v", voice, "-w"]).arg(&file).arg(text).status();
            if !said.is_ok_and(|status| status.success()) {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have espeak-ng");
                println!("skipped: no TRUNKLINE_SPEECH and no espeak-ng");
                return None;
            }
            all.extend(wav(&file));
        }
    }
    all.truncate(all.len() / FRAME * FRAME);
    Some(all)
}

/// A recording as a telephone hears it.
fn wav(file: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let rate_hz = reader.spec().sample_rate;
    let samples = reader.samples::<i16>().map(|sample| sample.expect("whole samples")).collect();
    resample(&Pcm { rate_hz, samples }, 8_000).expect("speech can be resampled").samples
}

/// Stretches of both, those of `said` that are more than background; what is heard is `late`.
fn pairs<'a>(said: &'a [i16], heard: &'a [i16], late: usize, length: usize) -> Vec<(&'a [i16], &'a [i16])> {
    let pairs = said.chunks_exact(length).zip(heard[late..].chunks_exact(length));
    pairs.filter(|(said, _)| power(said) > AUDIBLE * AUDIBLE).collect()
}

fn power(sound: &[i16]) -> f64 {
    sound.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / sound.len() as f64
}

/// Mean over stretches of how far the difference lies below the sound, in dB.
fn segmental_snr(said: &[i16], heard: &[i16], late: usize) -> f64 {
    let ratio = |(said, heard): &(&[i16], &[i16])| {
        let noise: f64 = said.iter().zip(*heard).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        (10.0 * (power(said) * said.len() as f64 / noise.max(1.0)).log10()).clamp(-10.0, 35.0)
    };
    let pairs = pairs(said, heard, late, STRETCH);
    pairs.iter().map(ratio).sum::<f64>() / pairs.len() as f64
}

/// Mean over stretches of how far spectra are apart between 200 Hz and 3.4 kHz, in dB.
fn spectral_distance(said: &[i16], heard: &[i16]) -> f64 {
    let waves: Vec<(f64, f64)> = (0..SPECTRUM).map(|n| (n as f64 / SPECTRUM as f64 * TAU).sin_cos()).collect();
    let loudness = |sound: &[i16], bin: usize| {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, &sample) in sound.iter().enumerate() {
            let (sine, cosine) = waves[n * bin % SPECTRUM];
            let window = 0.5 - 0.5 * waves[n].1;
            real += f64::from(sample) * window * cosine;
            imaginary += f64::from(sample) * window * sine;
        }
        10.0 * (real * real + imaginary * imaginary + 1e3).log10()
    };
    let pairs = pairs(said, heard, LATE, SPECTRUM);
    let distance = |(said, heard): &(&[i16], &[i16])| {
        let squares = (6..110).map(|bin| (loudness(said, bin) - loudness(heard, bin)).powi(2));
        (squares.sum::<f64>() / 104.0).sqrt()
    };
    pairs.iter().map(distance).sum::<f64>() / pairs.len() as f64
}

#[test]
fn each_decodes_what_the_other_codes_as_well_as_its_own() {
    let Some(sound) = speech() else { return };
    let Some(theirs) = others("encode", &bytes_of(&sound)) else { return };
    let ours = encoded(&sound);
    let by_them = |bytes: &[u8]| sound_of(&others("decode", bytes).expect("it was there a moment ago"));
    let [ours_ours, ours_theirs] = [decoded(&ours), by_them(&ours)];
    let [theirs_ours, theirs_theirs] = [decoded(&theirs), by_them(&theirs)];
    let rows = [("ours", "ours", &ours_ours), ("ours", "theirs", &ours_theirs), ("theirs", "ours", &theirs_ours)];
    let judge = |heard: &[i16]| (segmental_snr(&sound, heard, LATE), spectral_distance(&sound, heard));
    let (snr, distance) = judge(&theirs_theirs);
    println!("measured: coded by theirs, decoded by theirs: {snr:.2} dB, spectra {distance:.2} dB apart");
    for (coder, decoder, heard) in rows {
        let found = judge(heard);
        println!(
            "measured: coded by {coder}, decoded by {decoder}: {:.2} dB, spectra {:.2} dB apart",
            found.0, found.1
        );
        assert!(found.0 > snr - 0.3 && found.1 < distance + 0.2, "{coder} to {decoder}: {found:?}");
    }
    // The same frames are the same sound, nearly to the last bit: every index is read alike.
    for (coder, one, other) in [("ours", &ours_ours, &ours_theirs), ("theirs", &theirs_ours, &theirs_theirs)] {
        let same = segmental_snr(other, one, 0);
        println!("measured: frames of {coder} through both decoders: {same:.1} dB");
        assert!(same > 28.0, "{coder}: {same:.1} dB");
    }
}

#[test]
fn silence_that_they_only_describe_is_as_loud_as_it_was() {
    let Some(mut sound) = speech() else { return };
    // Faint noise between sentences, which they describe.
    let mut state = 7_u32;
    for sample in &mut sound {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = sample.saturating_add((state >> 16) as i16 / 512);
    }
    let pause = sound.len();
    sound.extend((0..4 * 8_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 512
    }));
    let Some(theirs) = others("encode-silence", &bytes_of(&sound)) else { return };
    let kinds = frames(&theirs).iter().map(|frame| frame.len()).collect::<Vec<_>>();
    let (described, nothing) = (kinds.iter().filter(|&&n| n == 2).count(), kinds.iter().filter(|&&n| n == 0).count());
    assert!(described > 3 && nothing > 100, "they described {described} silences and left out {nothing} frames");
    let here = decoded(&theirs);
    let there = sound_of(&others("decode", &theirs).expect("it was there a moment ago"));
    // The second half of the pause at the end. Their own decoder makes less of it than there was.
    let from = pause + 2 * 8_000;
    let level = |heard: &[i16]| 10.0 * power(&heard[from..]).log10();
    let [said, here, there] = [level(&sound), level(&here), level(&there)];
    println!("measured: silence of {said:.1} dB, described by them: we make {here:.1} dB of it, they {there:.1} dB");
    assert!((said - here).abs() < 3.0, "silence of {said:.1} dB comes out with {here:.1} dB");
}

/// linphone, which has no other codec switched on, calls a gateway and says and hears something; what it told, or `None`,
/// with a reason, where there is no linphone.
fn linphone(gateway: &Gateway, folder: &Path) -> Option<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let settings = format!(
        "[sip]\nsip_port={}\nuse_ipv6=0\nipv6_migration_done=1\ndefault_proxy=-1\n[rtp]\naudio_rtp_port={}\n\
         [sound]\nechocancellation=0\n[video]\nenabled=0\ncapture=0\ndisplay=0\n\
         [audio_codec_0]\nmime=G729\nrate=8000\nchannels=1\nenabled=1\n\
         [audio_codec_1]\nmime=PCMU\nrate=8000\nchannels=1\nenabled=0\n\
         [audio_codec_2]\nmime=PCMA\nrate=8000\nchannels=1\nenabled=0\n",
        gateway.spare,
        gateway.spare + 2,
    );
    fs::write(at("linphonerc"), settings).expect("its settings can be written");
    fs::create_dir_all(folder.join(".local/share/linphone")).expect("a folder for what it keeps");
    let mut command = Command::new("linphonec");
    command.args(["-c", &at("linphonerc")]).env("HOME", folder).stdin(Stdio::piped());
    let log = fs::File::create(at("told")).expect("a file for what it tells");
    let spawned = command.stderr(log.try_clone().expect("a second handle")).stdout(log).spawn();
    let Ok(mut phone) = spawned else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have linphone");
        println!("skipped: linphone is not installed (apt install linphone-cli)");
        return None;
    };
    let mut keyboard = phone.stdin.take().expect("it was asked for");
    let (said, heard, callee) = (at("said.wav"), at("heard.wav"), gateway.sip);
    let typed = [
        (format!("soundcard use files\nplay {said}\nrecord {heard}\n"), 1),
        (format!("call sip:1000@{callee}\n"), u64::from(SECONDS)),
        ("terminate\n".to_owned(), 1),
        ("quit\n".to_owned(), 0),
    ];
    for (line, seconds) in typed {
        // It may have left already, and is waited for below.
        let _ = keyboard.write_all(line.as_bytes());
        std::thread::sleep(Duration::from_secs(seconds));
    }
    drop(keyboard);
    phone.wait().expect("it leaves when told to");
    Some(fs::read_to_string(at("told")).unwrap_or_default())
}

/// How alike two sounds rise and fall, 1 for the same, whichever began earlier: the prompt is speech, of which the codec
/// keeps what is heard and a busy jitter buffer not even the pace.
fn rise_and_fall(said: &[i16], heard: &[i16]) -> f64 {
    let loudness = |sound: &[i16]| -> Vec<f64> {
        sound.chunks_exact(STRETCH).map(|part| 10.0 * (power(part) + 100.0).log10()).collect()
    };
    let (said, heard) = (loudness(said), loudness(heard));
    let correlation = |late: usize| {
        let pairs: Vec<(f64, f64)> = said.iter().copied().zip(heard.iter().copied().skip(late)).collect();
        let count = pairs.len() as f64;
        let (mean_a, mean_b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0 / count, b + pair.1 / count));
        let sums = pairs
            .iter()
            .map(|(a, b)| (a - mean_a, b - mean_b))
            .fold((0.0, 0.0, 0.0), |(ab, aa, bb), (a, b)| (ab + a * b, aa + a * a, bb + b * b));
        sums.0 / (sums.1 * sums.2).sqrt().max(1e-9)
    };
    (0..50).map(correlation).fold(0.0, f64::max)
}

#[test]
fn linphone_and_we_hear_each_other() {
    let rtp = "codecs = [\"pcmu\", \"g729\"]".to_owned();
    let gateway = Gateway::start(Settings { rtp, ..Settings::default() });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let said = sound(8_000);
    write_wav(&at("said.wav"), 8_000, &said);
    let Some(told) = linphone(&gateway, folder.path()) else { return };
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(record["media"]["codec"], "g729", "{record:#}\n{told}");
    let ours = PathBuf::from(record["media"]["recording"]["path"].as_str().expect("it was recorded"));
    let here = likeness(&(said, read_wav(&ours, 0)));
    // It leaves without completing the header of its file.
    let heard = fs::read(at("heard.wav")).expect("it wrote down what it heard");
    let there = rise_and_fall(&read_wav(&ours, 1), sound_of(heard.get(44..).unwrap_or_default()).as_slice());
    println!("measured: linphone in G.729: heard here {here:.3}, heard there {there:.3}");
    assert!(here > 0.9 && there > 0.8, "heard here {here:.3}, heard there {there:.3}\n{told}");
}
