//! The line between caller and gateway: what a bad one does to a call, and what the far end reports of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use std::fs;
use std::process::{Command, Stdio};

use super::NUMBER;
use super::caller::Caller;
use super::house::{Gateway, Settings, data_from};
use super::sound::{SILENCE, words};

/// What happens to datagrams, each way, the same way each time.
#[derive(Clone, Copy)]
struct Network {
    /// Share that never arrives.
    loss: f64,
    /// Share that arrives twice.
    double: f64,
    /// Delay of each, evenly between nothing and this; so they overtake each other.
    jitter: Duration,
}

/// Sits between a caller and the gateway: each sees a port of ours where it expects the other.
struct Proxy {
    /// The caller sends here.
    front: SocketAddr,
    /// The gateway sends here.
    back: SocketAddr,
    lost: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A datagram on its way: when it is due, in which order it came, whether outwards, what is in it.
type Delayed = (Instant, u64, bool, Vec<u8>);

impl Proxy {
    /// Carries what `caller` and the gateway's port, as soon as it speaks or `gateway` names it, send each other.
    fn between(caller: SocketAddr, network: Network) -> (Self, std::sync::mpsc::Sender<SocketAddr>) {
        let [front, back] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a socket"));
        let address = |socket: &UdpSocket| socket.local_addr().expect("bound");
        let (named, gateway) = std::sync::mpsc::channel();
        let (lost, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut proxy =
            Self { front: address(&front), back: address(&back), lost: lost.clone(), over: over.clone(), thread: None };
        let thread = thread::spawn(move || {
            let (mut random, mut far, mut count) = (StdRng::seed_from_u64(5), None, 0_u64);
            let mut waiting: BinaryHeap<Reverse<Delayed>> = BinaryHeap::new();
            let mut buffer = [0; 2_048];
            for socket in [&front, &back] {
                socket.set_nonblocking(true).expect("a socket can be switched");
            }
            while !over.load(Ordering::Relaxed) {
                far = gateway.try_iter().last().or(far);
                for (socket, outwards) in [(&front, true), (&back, false)] {
                    while let Ok((size, _)) = socket.recv_from(&mut buffer) {
                        if random.random_bool(network.loss) {
                            lost.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        for _ in 0..1 + u32::from(random.random_bool(network.double)) {
                            let due = Instant::now() + network.jitter.mul_f64(random.random());
                            count += 1;
                            waiting.push(Reverse((due, count, outwards, buffer[..size].to_vec())));
                        }
                    }
                }
                while waiting.peek().is_some_and(|Reverse((due, ..))| *due <= Instant::now()) {
                    let Some(Reverse((_, _, outwards, bytes))) = waiting.pop() else { break };
                    match (outwards, far) {
                        (true, Some(far)) => _ = back.send_to(&bytes, far),
                        (true, None) => {}
                        (false, _) => _ = front.send_to(&bytes, caller),
                    }
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        proxy.thread = Some(thread);
        (proxy, named)
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The bad line: 5 % lost, up to 40 ms of jitter.
const BAD: Network = Network { loss: 0.05, double: 0.01, jitter: Duration::from_millis(40) };

/// A caller at the far end of a bad line, connected.
fn dial(gateway: &Gateway) -> (Caller, Proxy) {
    let mut caller = Caller::new(gateway, NUMBER);
    let rtp = caller.rtp.local_addr().expect("bound");
    let (proxy, named) = Proxy::between(rtp, BAD);
    let ports = |address: SocketAddr| format!("m=audio {} ", address.port());
    let body = caller.sdp().replace(&ports(rtp), &ports(proxy.back));
    assert_eq!(caller.invite_with("1000", &body).0, 200, "log:\n{}", gateway.log());
    named.send(caller.media.expect("the answer names a port")).expect("the proxy listens");
    caller.media = Some(proxy.front);
    caller.ack("1000", "");
    (caller, proxy)
}

#[test]
fn keys_reach_their_goal_over_a_bad_line_and_the_record_tells_how_bad_it_was() {
    let gateway = Gateway::start(Settings::default());
    let (mut caller, proxy) = dial(&gateway);
    caller.keep_silent(300);
    caller.press_all("2");
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!((&record["result"], &record["end"]["why"]), (&"served".into(), &"completed".into()), "{record:#}");
    let media = &record["media"];
    println!("measured: {} datagrams lost on the way; {media:#}", proxy.lost());
    assert!(media["lost"].as_u64() > Some(3), "{media:#}");
    assert!((5.0..40.0).contains(&media["jitter_ms"].as_f64().expect("a number")), "{media:#}");
}

#[test]
fn the_demos_wish_is_understood_over_a_bad_line() {
    if data_from("TRUNKLINE_MODELS", "moonshine-tiny-en/encoder_model.ort").is_none() {
        return;
    }
    let settings = Settings { hears: true, plan: "dialplans/bank-main.yaml".into(), ..Settings::default() };
    let gateway = Gateway::start(settings);
    let words = words("I lost my credit card");
    let (mut caller, proxy) = dial(&gateway);
    // Said into the menu, and again for as long as nothing has come of it; what comes after it is silence.
    caller.stay(|frame| words.get(frame.wrapping_sub(450) % 500).copied().unwrap_or(SILENCE));
    let record = gateway.record();
    let turns = record["turns"].as_array().expect("turns");
    assert!(turns.iter().any(|turn| turn["meaning"] == "lost"), "{record:#}");
    assert_eq!(record["end"]["why"], "completed", "{record:#}");
    println!("measured: understood over a line that lost {} datagrams", proxy.lost());
}

/// baresip counts what it sent and received, and prints it when a call is over.
#[test]
fn baresip_and_the_record_agree_on_the_line() {
    let modules = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
    let Some(modules) = modules.into_iter().find(|folder| fs::metadata(folder).is_ok()) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "baresip is missing: apt-get install baresip");
        println!("skipped: baresip is missing (apt-get install baresip)");
        return;
    };
    let gateway = Gateway::start(Settings { plan: "tests/gateway/patient.yaml".into(), ..Settings::default() });
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file is written");
    let (sip, rtp) = (gateway.spare, gateway.spare + 1);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut idle = hound::WavWriter::create(folder.path().join("idle.wav"), spec).expect("a file");
    (0..30 * 8_000).for_each(|n| idle.write_sample((n % 7) as i16).expect("a sample is written"));
    idle.finalize().expect("the file is whole");
    let sound = folder.path().join("idle.wav");
    write(
        "config",
        &format!(
            "sip_listen 127.0.0.1:{sip}\nmodule_path {modules}\nmodule g711.so\nmodule aufile.so\n\
             module_tmp account.so\nmodule_app menu.so\nstatmode_default off\n\
             audio_source aufile,{sound}\naudio_player aufile,{played}\naudio_alert aufile,/dev/null\n\
             ausrc_srate 8000\nauplay_srate 8000\nrtp_ports {rtp}-{last}\nrtp_stats yes\ncall_max_calls 1\n",
            sound = sound.display(),
            played = folder.path().join("played.wav").display(),
            last = rtp + 2,
        ),
    );
    write("accounts", "<sip:baresip@127.0.0.1>;regint=0;audio_codecs=PCMU/8000/1\n");
    write("contacts", "");
    let dial = format!("/dial sip:1000@{}", gateway.sip);
    // Long enough for a report of each, and then it hangs up.
    let output = Command::new("baresip")
        .args(["-f", folder.path().to_str().expect("a plain path"), "-e", &dial, "-t", "12"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("baresip runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let record = gateway.record();
    let media = &record["media"];
    println!("measured: {media:#}\n{said}");
    let counted = said.lines().find_map(|line| line.strip_prefix("packets:")).expect("baresip counts packets");
    let counted: Vec<f64> = counted.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    // Behind an address it does not name, its first packets prove that it is there, and a last one may be on its way.
    for (ours, theirs) in [("packets_in", counted[0]), ("packets_out", counted[1])] {
        let ours = media[ours].as_f64().expect("a number");
        assert!((ours - theirs).abs() <= 10.0, "{ours} here and {theirs} there");
    }
    let quality = &media["quality"];
    assert!(quality["rtcp_in"].as_u64() >= Some(1), "{media:#}");
    assert!(quality["round_trip_ms"].as_f64().is_some_and(|trip| trip < 1_000.0), "{media:#}");
    assert!(quality["mos"].as_f64() > Some(3.5) && quality["mos_there"].as_f64() > Some(3.5), "{media:#}");
}
