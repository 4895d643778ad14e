//! A SIPp that answers calls, its scenario written step by step in the test that needs it.
//!
//! SIPp knows the headers of the last message only; here the INVITE's are kept, so that it can be answered after a
//! PRACK or a CANCEL came in between.

use std::fmt::Write;
use std::fs;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::sipp;

/// Longer than any scenario here takes, on a busy machine.
const LONG_ENOUGH: Duration = Duration::from_secs(60);
/// What SIPp sends media to and from.
const SDP: &str = "v=0\no=sipp 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio 6000 RTP/AVP 0\n";

/// What SIPp is to do, in order.
#[derive(Default)]
pub struct Scenario {
    steps: String,
    variables: Vec<String>,
}

impl Scenario {
    /// Begins with an INVITE, whose headers are kept.
    pub fn invited() -> Self {
        Self::default().invited_again(&[])
    }

    /// The same, and where it wants requests of ours is kept for [`Self::offers`].
    pub fn invited_from() -> Self {
        Self::default().invited_again(&[("Contact:", "sip:[^>;]*")])
    }

    /// A further INVITE, with these headers in it (regular expressions).
    pub fn invited_again(self, wanted: &[(&str, &str)]) -> Self {
        let mut all =
            vec![("Via:", ".*", "via"), ("From:", ".*", "from"), ("To:", ".*", "to"), ("CSeq:", ".*", "cseq")];
        all.push(("Contact:", "sip:[^>]*", "contact"));
        let names: Vec<String> = (0..wanted.len()).map(|n| format!("w{}_{n}", self.variables.len())).collect();
        all.extend(wanted.iter().zip(&names).map(|((header, regexp), name)| (*header, *regexp, name.as_str())));
        self.receives_with("INVITE", &all)
    }

    /// A request.
    pub fn receives(self, method: &str) -> Self {
        self.receives_with(method, &[])
    }

    /// A request with a header that fits a regular expression.
    pub fn receives_saying(self, method: &str, header: &str, regexp: &str) -> Self {
        let name = format!("s{}", self.variables.len());
        self.receives_with(method, &[(header, regexp, &name)])
    }

    /// A further INVITE whose first credentials SIPp reckons itself; the scenario fails where it is wrong.
    pub fn invited_by(self, username: &str, password: &str, wanted: &[(&str, &str)]) -> Self {
        let mut after = self.invited_again(wanted);
        let end = after.steps.rfind("  </action>").expect("the INVITE has actions");
        let verify = format!("    <verifyauth assign_to=\"ok\" username=\"{username}\" password=\"{password}\"/>\n");
        after.steps.insert_str(end, &verify);
        after.steps.push_str(
            "  <nop test=\"ok\" next=\"1\"/>\n  <nop><action><ereg regexp=\"^wrong password$\" search_in=\"hdr\" \
             header=\"CSeq:\" check_it=\"true\" assign_to=\"never\"/></action></nop>\n  <label id=\"1\"/>\n",
        );
        after.variables.extend(["ok".to_owned(), "never".to_owned()]);
        after
    }

    fn receives_with(mut self, method: &str, wanted: &[(&str, &str, &str)]) -> Self {
        let _ = writeln!(self.steps, "  <recv request=\"{method}\" crlf=\"true\"><action>");
        for (header, regexp, variable) in wanted {
            // SIPp takes `Proxy-Authorization` for `Authorization` too: no header means anywhere.
            let place = if header.is_empty() { "msg".to_owned() } else { format!("hdr\" header=\"{header}") };
            let _ = writeln!(
                self.steps,
                "    <ereg regexp=\"{regexp}\" search_in=\"{place}\" check_it=\"true\" assign_to=\"{variable}\"/>"
            );
            if !self.variables.iter().any(|known| known == variable) {
                self.variables.push((*variable).to_owned());
            }
        }
        self.steps.push_str("  </action></recv>\n");
        self
    }

    /// ACK, and then our BYE.
    pub fn talks_until_bye(self) -> Self {
        self.receives("ACK").receives("BYE").confirms()
    }

    /// CANCEL before any answer, and all that follows from it.
    pub fn cancelled(self) -> Self {
        self.receives("CANCEL").confirms().says("487 Request Terminated", "a", "").receives("ACK")
    }

    /// A 200 to the last request.
    pub fn confirms(self) -> Self {
        self.replies("200 OK", "")
    }

    /// A response to the last request, with these further lines.
    pub fn replies(self, status: &str, lines: &str) -> Self {
        let headers = "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n";
        self.sends(status, &format!("{headers}{lines}"), false)
    }

    /// A response to the last request as a telephone behind proxies gives it: all Vias, all routes, a tag of its own.
    pub fn answers_last(self, status: &str, sound: bool) -> Self {
        let headers = "[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:];tag=[pid]\n[last_Call-ID:]\n\
                       [last_CSeq:]\nContact: <sip:uas@[local_ip]:[local_port]>\n";
        self.sends(status, headers, sound)
    }

    /// A response to the INVITE by the telephone `tag`, with these further lines.
    pub fn says(self, status: &str, tag: &str, lines: &str) -> Self {
        let sound = lines.contains("SDP");
        let lines = lines.replace("SDP\n", "").replace("SDP", "");
        let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let headers = format!(
            "Via:[$via]\nFrom:[$from]\nTo:[$to]{tag}\nCSeq:[$cseq]\nCall-ID: [call_id]\n\
             Contact: <sip:uas@[local_ip]:[local_port]>\n{lines}"
        );
        self.sends(status, &headers, sound)
    }

    /// 302 with this Contact.
    pub fn redirects(self, contact: &str) -> Self {
        let headers = "Via:[$via]\nFrom:[$from]\nTo:[$to];tag=m\nCSeq:[$cseq]\nCall-ID: [call_id]\n";
        self.sends("302 Moved Temporarily", &format!("{headers}{contact}"), false)
    }

    fn sends(mut self, status: &str, headers: &str, sound: bool) -> Self {
        let body = if sound {
            format!("Content-Type: application/sdp\nContent-Length: [len]\n\n{SDP}")
        } else {
            "Content-Length: 0\n\n".to_owned()
        };
        let headers = if headers.ends_with('\n') { headers.to_owned() } else { format!("{headers}\n") };
        let _ = writeln!(self.steps, "  <send><![CDATA[\nSIP/2.0 {status}\n{headers}{body}]]></send>");
        self
    }

    /// A request of its own inside the dialog of the telephone `tag`.
    pub fn asks(mut self, method: &str, tag: &str) -> Self {
        let _ = writeln!(
            self.steps,
            "  <send><![CDATA[\n{method} [$contact] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nFrom:[$to];tag={tag}\nTo:[$from]\n\
             Call-ID: [call_id]\nCSeq: 1 {method}\nMax-Forwards: 70\nContact: <sip:uas@[local_ip]:[local_port]>\n\
             Content-Length: 0\n\n]]></send>\n  <recv response=\"200\"/>"
        );
        self
    }

    /// After [`Self::invited_from`]: a new offer of its own inside the dialog of the telephone `a`, to be answered with that direction.
    pub fn offers(mut self, cseq: u32, direction: &str, answer: &str) -> Self {
        let head = |method: &str| {
            format!(
                "{method} [$w0_0] SIP/2.0\n\
                 Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nFrom:[$to];tag=a\nTo:[$from]\n\
                 Call-ID: [call_id]\nCSeq: {cseq} {method}\nMax-Forwards: 70\n\
                 Contact: <sip:uas@[local_ip]:[local_port]>\n"
            )
        };
        let sdp = SDP.replace("sipp 1 1 ", &format!("sipp 1 {} ", cseq + 1));
        let variable = format!("d{cseq}");
        let _ = writeln!(
            self.steps,
            "  <send retrans=\"500\"><![CDATA[\n{}Content-Type: application/sdp\nContent-Length: [len]\n\n\
             {sdp}a={direction}\n]]></send>\n  <recv response=\"100\" optional=\"true\"/>\n\
             <recv response=\"200\"><action><ereg regexp=\"a={answer}\" search_in=\"body\" check_it=\"true\" \
             assign_to=\"{variable}\"/></action></recv>\n  <send><![CDATA[\n{}Content-Length: 0\n\n]]></send>",
            head("INVITE"),
            head("ACK"),
        );
        self.variables.push(variable);
        self
    }

    /// Nothing for a while.
    pub fn waits(mut self, milliseconds: u64) -> Self {
        let _ = writeln!(self.steps, "  <pause milliseconds=\"{milliseconds}\"/>");
        self
    }

    fn text(&self) -> String {
        sipp::document(&self.steps, &self.variables)
    }
}

/// SIPp at work.
pub struct Uas {
    process: Child,
    folder: TempDir,
    /// Where it listens.
    pub port: u16,
}

impl Uas {
    /// Starts SIPp for one call. `None` (and a word on standard output) when it is not installed.
    pub fn start(scenario: &Scenario) -> Option<Self> {
        Self::start_at(scenario, free_port(), &[])
    }

    /// The same, on this port and with these further arguments.
    pub fn start_at(scenario: &Scenario, port: u16, further: &[&str]) -> Option<Self> {
        if !is_installed("sipp", "sip-tester") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder for sipp");
        let log = fs::File::create(folder.path().join("screen")).expect("its screen can be kept");
        let process = sipp::program(folder.path(), &scenario.text())
            .args(["-p", &port.to_string(), "-m", "1", "-timeout", "40"])
            .args(further)
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("sipp runs");
        Some(Self { process, folder, port })
    }

    /// Waits for its end; everything must have gone as the scenario says.
    pub fn finish(mut self) {
        let give_up = Instant::now() + LONG_ENOUGH;
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("sipp can be asked") {
                break status;
            }
            assert!(Instant::now() < give_up, "sipp does not end\n{}", self.story());
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "the scenario went wrong ({status})\n{}", self.story());
    }

    /// What it has seen and complained of.
    pub fn story(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let screen = read("screen");
        let end = screen.len().saturating_sub(3000);
        format!("{}\n{}\n{}", read("errors"), read("messages"), screen.get(end..).unwrap_or_default())
    }
}

impl Drop for Uas {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("what SIPp saw:\n{}", self.story());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A UDP port of loopback that is free now.
pub fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}

/// Is that program here? Says so when it is not, and fails where everything must be here.
pub fn is_installed(program: &str, package: &str) -> bool {
    let found =
        Command::new(program).arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is missing: apt-get install {package}");
    println!("skipped: {program} is missing (apt-get install {package})");
    false
}
