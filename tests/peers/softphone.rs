//! baresip as the far end: a whole softphone, told over its control port what its user does.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::timeout;
use trunkline::sip::{
    Algorithm, Credentials, IncomingLeg, LegCommand, LegEnd, LegEvent, Peer, PeerTable, Secret, SipConfig,
};

use super::dialog::House;
use super::transport::free_port;

/// What we say of our media; nobody listens there.
const OURS: &str =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 18004 RTP/AVP 0\r\n";
/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running baresip; it is killed when this goes.
pub struct Softphone {
    process: Child,
    control: SocketAddr,
    /// Where it is called.
    pub sip: SocketAddr,
    folder: tempfile::TempDir,
}

impl Softphone {
    /// Starts one with an account `ann` and no encryption but what that names; `None`, with a reason, where there is no baresip.
    pub fn start(account: &str) -> Option<Self> {
        Self::speaking(account, &[0; 30 * 8_000])
    }

    /// The same, of a user who says this, 8 kHz, from the moment a call stands.
    pub fn speaking(account: &str, says: &[i16]) -> Option<Self> {
        Self::sounding(account, Some(says))
    }

    /// The same, of a user who repeats whatever they hear.
    pub fn echoing(account: &str) -> Option<Self> {
        Self::sounding(account, None)
    }

    fn sounding(account: &str, says: Option<&[i16]>) -> Option<Self> {
        if Command::new("baresip").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have its peers: baresip is not installed");
            println!("skipped: baresip is not installed (apt install baresip)");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (control, sip) = two_ports();
        let sound = folder.path().join("says.wav");
        fs::write(&sound, wav(says.unwrap_or_default())).expect("a sound file");
        // A player that is loaded and not the one named spoils the call; none at all does not.
        let (module, source, player) = match says {
            Some(_) => ("aufile", format!("aufile,{}", sound.display()), "aufile,nowhere"),
            None => ("aubridge", "aubridge,mirror".to_owned(), "aubridge,mirror"),
        };
        let config = format!(
            "module_path {}\nmodule srtp.so\nmodule g711.so\nmodule {module}.so\nmodule_tmp account.so\nmodule_app menu.so\n\
             module_app ctrl_tcp.so\nctrl_tcp_listen {control}\naudio_source {source}\n\
             audio_player {player}\nsip_listen {sip}\n",
            modules(),
        );
        for (name, text) in [("config", config.as_str()), ("accounts", account), ("contacts", "")] {
            fs::write(folder.path().join(name), text).expect("its settings can be written");
        }
        let log = fs::File::create(folder.path().join("log")).expect("a log file");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path()).args(["-t", "60"]).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let process = command.spawn().expect("baresip starts");
        Some(Self { process, control, sip, folder })
    }

    /// What its user does: `dial`, `hold`, `resume`, `hangup`.
    pub fn order(&self, command: &str, words: &str) {
        let mut control = self.user();
        order(&mut control, command, words);
        control.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        // It hangs up on whoever does not wait for the answer.
        let _ = control.read(&mut [0; 1024]);
    }

    /// The only one who gives it orders and is told what happens.
    pub fn user(&self) -> TcpStream {
        for _ in 0..100 {
            match TcpStream::connect(self.control) {
                Ok(control) => return control,
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        panic!("baresip takes no orders:\n{}", self.log());
    }

    /// Waits until it tells its user something with these words in it.
    pub fn tells(&self, user: &mut TcpStream, words: &str) -> String {
        user.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let (mut told, give_up) = (String::new(), Instant::now() + PATIENCE);
        let mut buffer = [0; 4096];
        while Instant::now() < give_up {
            if let Ok(count) = user.read(&mut buffer) {
                told += &String::from_utf8_lossy(&buffer[..count]);
            }
            if told.contains(words) {
                return told;
            }
        }
        panic!("baresip never tells of {words}: {told}\n{}", self.log());
    }

    pub fn log(&self) -> String {
        fs::read(self.folder.path().join("log"))
            .map_or_else(|_| "(no log)".to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Softphone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes an order to whoever [`Softphone::user`] gave.
pub fn order(user: &mut TcpStream, command: &str, words: &str) {
    let order = format!("{{\"command\":\"{command}\",\"params\":\"{words}\"}}");
    user.write_all(format!("{}:{order},", order.len()).as_bytes()).expect("it takes orders");
}

/// 8 kHz, 16 bits.
fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut wav = b"RIFF".to_vec();
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

fn modules() -> String {
    let places = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    places.into_iter().find(|place| Path::new(place).exists()).unwrap_or(places[0]).to_owned()
}

/// Where it takes orders, and where it is called: by UDP and TCP, so the first must be held while the second is found.
fn two_ports() -> (SocketAddr, SocketAddr) {
    let orders = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    let sip = SocketAddr::from(([127, 0, 0, 1], free_port()));
    (orders.local_addr().expect("bound"), sip)
}

async fn next(house: &mut House) -> IncomingLeg {
    timeout(PATIENCE, house.calls.recv()).await.expect("in time").expect("the server lives")
}

async fn event(call: &mut IncomingLeg, phone: &Softphone) -> LegEvent {
    loop {
        match timeout(PATIENCE, call.events.recv()).await {
            Ok(Some(LegEvent::Ladder(_))) => {}
            Ok(Some(event)) => return event,
            silence => panic!("nothing comes ({silence:?}); baresip:\n{}", phone.log()),
        }
    }
}

async fn say(call: &IncomingLeg, command: LegCommand) {
    call.commands.send(command).await.expect("the leg lives");
}

async fn answered(house: &mut House, phone: &Softphone) -> IncomingLeg {
    phone.order("dial", &format!("sip:1000@{}", house.address()));
    let mut call = next(house).await;
    say(&call, LegCommand::Ring).await;
    say(&call, LegCommand::Answer { sdp: OURS.to_owned() }).await;
    let established = event(&mut call, phone).await;
    assert!(matches!(established, LegEvent::Established { .. }), "{established:?}");
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_proves_its_password_holds_resumes_and_hangs_up() {
    let account = "<sip:ann@127.0.0.1>;auth_user=ann;auth_pass=stapler;regint=0\n";
    let Some(phone) = Softphone::start(account) else { return };
    let guarded = |config: &mut SipConfig| {
        let credentials = Credentials { username: "ann".to_owned(), password: Secret::new("stapler") };
        config.peers = PeerTable::new(vec![Peer { credentials: Some(credentials), ..Peer::loopback() }]);
        // Like SIPp, it gives up on a hash it does not know.
        config.digest = vec![Algorithm::Md5];
    };
    let mut house = House::open(guarded).await;
    let mut call = answered(&mut house, &phone).await;
    for (order, theirs, ours) in [("hold", "a=sendonly", "a=recvonly"), ("resume", "a=sendrecv", "a=sendrecv")] {
        phone.order(order, "");
        match event(&mut call, &phone).await {
            LegEvent::Offered { sdp: Some(sdp) } => assert!(sdp.contains(theirs), "{sdp}"),
            other => panic!("{order}: {other:?}"),
        }
        say(&call, LegCommand::AnswerOffer { sdp: format!("{OURS}{ours}\r\n") }).await;
    }
    phone.order("hangup", "");
    assert_eq!(event(&mut call, &phone).await, LegEvent::Ended(LegEnd::RemoteHangup));
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_goes_where_it_is_sent_and_says_so() {
    let Some(phone) = Softphone::start("<sip:ann@127.0.0.1>;regint=0\n") else { return };
    let (mut house, mut elsewhere) = (House::open(|_| {}).await, House::open(|_| {}).await);
    let mut call = answered(&mut house, &phone).await;
    let to = format!("sip:2000@{}", elsewhere.address());
    say(&call, LegCommand::Refer { to, replaces: None }).await;
    let new = next(&mut elsewhere).await;
    assert_eq!(new.called.reveal(), "2000");
    say(&new, LegCommand::Answer { sdp: OURS.to_owned() }).await;
    let mut reports = Vec::new();
    loop {
        match event(&mut call, &phone).await {
            LegEvent::Referred { status, last } => {
                reports.push(status);
                if last {
                    break;
                }
            }
            // It may leave as soon as its new partner answers.
            LegEvent::Ended(end) => {
                assert_eq!(end, LegEnd::RemoteHangup);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((reports.first(), reports.last()), (Some(&202), Some(&200)), "baresip:\n{}", phone.log());
}
