//! Streams and reports as software that is not ours sends and reads them: ffmpeg speaks with the SSRC that we have,
//! tshark reads what we report of a line that loses packets.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use super::NUMBER;
use super::caller::Caller;
use super::codecs::{sound, write_wav};
use super::house::{Gateway, Settings};
use super::linphone::patient;
use super::sound::{SILENCE, found, sides};
use super::transport::is_here;

/// Where the caller takes reports.
struct Reports(UdpSocket);

impl Reports {
    /// A caller that takes its reports here, connected.
    fn dial(gateway: &Gateway) -> (Caller, Self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_nonblocking(true).expect("a socket can be switched");
        let port = socket.local_addr().expect("bound").port();
        let mut caller = Caller::new(gateway, NUMBER);
        let offer = caller.sdp() + &format!("a=rtcp:{port}\r\n");
        let (status, answer) = caller.invite_with("1000", &offer);
        assert_eq!(status, 200, "{answer}");
        caller.ack("1000", "");
        (caller, Self(socket))
    }

    /// What tshark reads in all that came: of each datagram that `filter` lets through, the last value of each field.
    fn read(&self, filter: &str, fields: &[&'static str]) -> Vec<BTreeMap<&'static str, String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, mut buffer) = (folder.path().join("reports.pcap"), [0; 2_048]);
        // Packets of version 4 without a link beneath them (LINKTYPE_RAW).
        let mut capture: Vec<u8> =
            [0xA1B2_C3D4_u32, 0x0002_0004, 0, 0, 65_535, 101].into_iter().flat_map(u32::to_be_bytes).collect();
        while let Ok(length) = self.0.recv(&mut buffer) {
            let whole = 28 + length as u32;
            capture.extend([0, 0, whole, whole].into_iter().flat_map(u32::to_be_bytes));
            let head = [0x4500_0000 | whole, 0, 0x4011_0000, 0x7F00_0001, 0x7F00_0001, 0x138D_138D, (whole - 20) << 16];
            capture.extend(head.into_iter().flat_map(u32::to_be_bytes));
            capture.extend(&buffer[..length]);
        }
        fs::write(&file, capture).expect("a file");
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&file).args(["-d", "udp.port==5005,rtcp", "-Y", filter, "-T", "fields"]);
        tshark.args(["-E", "occurrence=l"]).args(fields.iter().flat_map(|field| ["-e", field]));
        let output = tshark.stdin(Stdio::null()).output().expect("tshark runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let values = |line: &str| fields.iter().copied().zip(line.split('\t').map(str::to_owned)).collect();
        lines.lines().map(values).collect()
    }
}

fn ssrc(packet: &[u8]) -> u32 {
    packet[8..12].iter().fold(0, |all, &byte| all << 8 | u32::from(byte))
}

/// Of four hundred packets these never come: bursts from 100 to 105 and from 300 to 310, and eleven alone.
const LOST: [usize; 18] = [20, 50, 80, 100, 101, 103, 105, 130, 160, 190, 220, 250, 280, 300, 302, 310, 340, 370];

#[test]
fn tshark_reads_in_our_reports_which_losses_came_in_bursts() {
    if !is_here("tshark", "tshark") {
        return;
    }
    // So deep that nothing comes too late however busy this machine is.
    let gateway = Gateway::start(patient(Settings { rtp: "jitter = \"300ms\"".to_owned(), ..Settings::default() }));
    let (mut caller, reports) = Reports::dial(&gateway);
    for n in 0..400 {
        if LOST.contains(&n) {
            caller.pace();
            (caller.sequence, caller.stamp) = (caller.sequence + 1, caller.stamp + 160);
        } else {
            caller.speak(&SILENCE);
        }
    }
    caller.press('2');
    caller.stay_silent();
    let record = gateway.record();
    let media = &record["media"];
    assert_eq!((&media["lost"], &media["late"]), (&18.into(), &0.into()), "{media:#}");
    let names = [
        "rtcp.ssrc.fraction",
        "rtcp.xr.voipmetrics.burstdensity",
        "rtcp.xr.voipmetrics.gapdensity",
        "rtcp.xr.voipmetrics.burstduration",
        "rtcp.xr.voipmetrics.gapduration",
        "rtcp.xr.voipmetrics.gmin",
        "rtcp.xr.voipmetrics.moscq",
        "rtcp.xr.voipmetrics.jbnominal",
    ];
    let read = reports.read("rtcp.xr.bt == 7", &names);
    let last = read.last().expect("the last word is a report");
    let number = |name: &str| last[name].parse::<f64>().unwrap_or_else(|_| panic!("{name}: {last:?}"));
    println!("tshark: {last:?}");
    // RFC 3611 §4.7.2: shares in 256ths, cut off; mean lengths of two bursts and of the three gaps around them.
    let packets = media["packets_in"].as_f64().expect("a number") + 18.0;
    assert_eq!(number(names[1]), (7.0 * 256.0 / 17.0_f64).floor(), "{last:?}");
    assert_eq!(number(names[2]), (11.0 * 256.0 / (packets - 17.0)).floor(), "{last:?}");
    assert_eq!(number(names[3]), 17.0 / 2.0 * 20.0, "{last:?}");
    assert_eq!(number(names[4]), ((packets - 17.0) / 3.0 * 20.0).floor(), "{last:?}");
    assert_eq!(number(names[5]), 16.0, "{last:?}");
    // And what the record says of it.
    let quality = |name: &str| media["quality"][name].as_f64().expect("a number");
    assert_eq!(number(names[0]), (quality("loss_percent") * 2.56).floor(), "{last:?}\n{media:#}");
    assert_eq!(number(names[6]), (quality("mos") * 10.0).round() / 10.0, "{last:?}\n{media:#}");
    assert_eq!(number(names[7]), quality("buffer_ms"), "{last:?}\n{media:#}");
}

#[test]
fn ffmpeg_that_has_our_ssrc_is_made_way_for_once_and_is_heard() {
    if !is_here("ffmpeg", "ffmpeg") || !is_here("tshark", "tshark") {
        return;
    }
    let gateway = Gateway::start(patient(Settings::default()));
    let (mut caller, reports) = Reports::dial(&gateway);
    caller.keep_silent(25);
    let ours = ssrc(caller.packets().first().expect("we speak at once"));
    // Its packets leave by the caller's socket; what we send comes back there.
    let folder = tempfile::tempdir().expect("a folder");
    let said = sound(8_000)[..5 * 8_000].to_vec();
    write_wav(&folder.path().join("said.wav"), 8_000, &said);
    let relay = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    relay.set_nonblocking(true).expect("a socket can be switched");
    let to = format!("rtp://{}?pkt_size=172", relay.local_addr().expect("bound"));
    let mut ffmpeg = Command::new("ffmpeg");
    // Paced frame by frame; it would pace a file by the blocks it reads.
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "amovie=said.wav,asetnsamples=160"]);
    ffmpeg.args(["-c:a", "pcm_mulaw", "-f", "rtp", "-ssrc"]).current_dir(folder.path());
    // It takes the number as one with a sign.
    ffmpeg.arg(ours.cast_signed().to_string()).arg(to).stdin(Stdio::null()).stdout(Stdio::null());
    let mut ffmpeg = ffmpeg.spawn().expect("ffmpeg runs");
    let (mut buffer, mut last) = ([0; 2_048], Vec::new());
    while ffmpeg.try_wait().expect("it can be asked").is_none() {
        caller.pace();
        while let Ok(length) = relay.recv(&mut buffer) {
            last = buffer[..length].to_vec();
            let _ = caller.rtp.send_to(&last, caller.media.expect("a call"));
        }
        caller.listen();
    }
    assert_eq!(ssrc(&last), ours, "ffmpeg speaks with our SSRC");
    // The key belongs to its stream.
    let word = |at: usize| last[at..at + 2].iter().fold(0_u32, |all, &byte| all << 8 | u32::from(byte));
    (caller.ssrc, caller.sequence) = (ours, word(2) as u16 + 1);
    caller.stamp = (word(4) << 16 | word(6)).wrapping_add(160);
    caller.keep_silent(10);
    caller.press('2');
    caller.stay_silent();
    let mut streams = BTreeMap::<u32, usize>::new();
    caller.packets().iter().for_each(|packet| *streams.entry(ssrc(packet)).or_default() += 1);
    let record = gateway.record();
    assert_eq!(record["result"], "enough", "{record:#}");
    assert!(streams.len() == 2 && streams.contains_key(&ours), "ours changes once: {streams:x?}");
    assert!(streams.iter().all(|(&name, &count)| name == ours || count > 200), "and goes on: {streams:x?}");
    let left = reports.read("rtcp.pt == 203", &["rtcp.senderssrc"]);
    assert_eq!(left.first().map(|bye| bye["rtcp.senderssrc"].clone()), Some(format!("0x{ours:08x}")), "{left:?}");
    let (heard, _) = sides(record["media"]["recording"]["path"].as_str().expect("a recording"));
    // Wherever it begins: how long a program takes to start is not our affair.
    let likeness = (0..5).map(|second| found(&said[second * 8_000..][..2_400], &heard)).fold(0.0, f64::max);
    assert!(likeness > 0.95, "{likeness}: {record:#}");
}
