//! SIPp as the far end: scenarios put together from a few words, run once, judged by SIPp itself.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::uas::is_installed;

/// What SIPp offers at first.
pub const SDP: &str = "v=0
o=sipp 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 17000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
";

/// A scenario in the making: what SIPp sends and what it wants to hear, in order.
#[derive(Debug, Default)]
pub struct Scenario {
    steps: String,
    variables: Vec<String>,
}

impl Scenario {
    /// Opens a call: INVITE with CSeq 1.
    pub fn invite(headers: &str, sdp: &str) -> Self {
        Self::default().send("INVITE", 1, "To: <sip:1000@[remote_ip]>", headers, sdp)
    }

    /// A request that opens nothing.
    pub fn asks(method: &str, headers: &str) -> Self {
        Self::default().send(method, 1, "To: <sip:1000@[remote_ip]>", headers, "")
    }

    /// The same as [`Self::invite`], by somebody who believes to be at `sent_by`.
    pub fn invite_via(sent_by: &str) -> Self {
        let via = format!("Via: SIP/2.0/[transport] {sent_by};rport;branch=[branch]");
        Self::default().send_via(&via, "INVITE", 1, "To: <sip:1000@[remote_ip]>", "", SDP)
    }

    /// INVITE, its answer, ACK: a call that stands.
    pub fn call() -> Self {
        Self::invite("", SDP).ringing().expect(200).ack(1, "")
    }

    /// Sends a request inside the dialog.
    pub fn request(self, method: &str, cseq: u32, headers: &str, sdp: &str) -> Self {
        self.send(method, cseq, "To: <sip:1000@[remote_ip]>[peer_tag_param]", headers, sdp)
    }

    /// An offer inside the dialog, with another `Contact` line than before.
    pub fn request_from(self, method: &str, cseq: u32, contact: &str) -> Self {
        let mut after = self.request(method, cseq, "", &SDP.replace("sipp 1 1", "sipp 1 2").replace("17000", "17002"));
        let usual = "Contact: <sip:sipp@[local_ip]:[local_port]>\n";
        let last = after.steps.rfind(usual).expect("every request has one");
        after.steps.replace_range(last..last + usual.len(), contact);
        after
    }

    /// The ACK of a 2xx.
    pub fn ack(self, cseq: u32, sdp: &str) -> Self {
        self.request("ACK", cseq, "", sdp)
    }

    /// The INVITE of the same call once more, with another CSeq.
    pub fn invite_again(self, cseq: u32, headers: &str) -> Self {
        self.send("INVITE", cseq, "To: <sip:1000@[remote_ip]>", headers, SDP)
    }

    /// PRACK for the provisional response whose RSeq was looked at last.
    pub fn prack(self, cseq: u32) -> Self {
        let rack = format!("RAck: [$v{}] 1 INVITE\n", self.variables.len());
        self.request("PRACK", cseq, &rack, "")
    }

    /// The same, with a session description.
    pub fn prack_with(self, cseq: u32, sdp: &str) -> Self {
        let rack = format!("RAck: [$v{}] 1 INVITE\n", self.variables.len());
        self.request("PRACK", cseq, &rack, sdp)
    }

    /// The ACK of a refusal: it belongs to the INVITE's transaction, three steps back, behind the 100.
    pub fn ack_refusal(self, cseq: u32) -> Self {
        self.ack_refusal_at(cseq, 3)
    }

    /// The same, `back` steps behind the INVITE.
    pub fn ack_refusal_at(self, cseq: u32, back: u32) -> Self {
        let via = format!("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-{back}]");
        self.send_via(&via, "ACK", cseq, "To: <sip:1000@[remote_ip]>[peer_tag_param]", "", "")
    }

    /// BYE and its answer.
    pub fn hang_up(self, cseq: u32) -> Self {
        self.request("BYE", cseq, "", "").expect(200)
    }

    /// 100 and 180, where they come.
    pub fn ringing(mut self) -> Self {
        self.steps.push_str("<recv response=\"100\" optional=\"true\"/>\n<recv response=\"180\" optional=\"true\"/>\n");
        self
    }

    /// 100, where it comes.
    pub fn trying(mut self) -> Self {
        self.steps.push_str("<recv response=\"100\" optional=\"true\"/>\n");
        self
    }

    /// A response.
    pub fn expect(mut self, status: u16) -> Self {
        let _ = writeln!(self.steps, "<recv response=\"{status}\" rrs=\"true\"/>");
        self
    }

    /// A response in whose header (or `body`) `pattern` must be found.
    pub fn expect_with(mut self, status: u16, header: &str, pattern: &str) -> Self {
        let action = self.find(header, pattern);
        let _ = writeln!(self.steps, "<recv response=\"{status}\" rrs=\"true\">{action}</recv>");
        self
    }

    /// A challenge, to be answered with the next `[authentication …]`.
    pub fn expect_challenge(mut self) -> Self {
        self.steps.push_str("<recv response=\"401\" auth=\"true\"/>\n");
        self
    }

    /// A request of ours.
    pub fn expect_request(mut self, method: &str) -> Self {
        let _ = writeln!(self.steps, "<recv request=\"{method}\"/>");
        self
    }

    /// A request of ours in whose header (or `body`) `pattern` must be found.
    pub fn expect_request_with(mut self, method: &str, header: &str, pattern: &str) -> Self {
        let action = self.find(header, pattern);
        let _ = writeln!(self.steps, "<recv request=\"{method}\">{action}</recv>");
        self
    }

    /// A request of ours that has `pattern` anywhere.
    pub fn expect_start(mut self, method: &str, pattern: &str) -> Self {
        let action = self.find("", pattern);
        let _ = writeln!(self.steps, "<recv request=\"{method}\">{action}</recv>");
        self
    }

    /// Answers the request that came last.
    pub fn answer(mut self, status: &str, headers: &str, sdp: &str) -> Self {
        let text = format!(
            "SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\
             Contact: <sip:sipp@[local_ip]:[local_port]>\n{headers}"
        );
        self.write(&text, sdp);
        self
    }

    /// Plays the packets of a capture, and goes on meanwhile.
    pub fn plays(mut self, capture: &Path) -> Self {
        let play = format!("<nop><action><exec play_pcap_audio=\"{}\"/></action></nop>", capture.display());
        let _ = writeln!(self.steps, "{play}");
        self
    }

    /// Waits.
    pub fn pause_ms(mut self, ms: u32) -> Self {
        let _ = writeln!(self.steps, "<pause milliseconds=\"{ms}\"/>");
        self
    }

    fn send(self, method: &str, cseq: u32, to: &str, headers: &str, sdp: &str) -> Self {
        let via = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]";
        self.send_via(via, method, cseq, to, headers, sdp)
    }

    fn send_via(mut self, via: &str, method: &str, cseq: u32, to: &str, headers: &str, sdp: &str) -> Self {
        let text = format!(
            "{method} sip:1000@[remote_ip]:[remote_port] SIP/2.0\n{via}\n\
             From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]\n{to}\nCall-ID: [call_id]\n\
             CSeq: {cseq} {method}\nContact: <sip:sipp@[local_ip]:[local_port]>\nMax-Forwards: 70\n{headers}"
        );
        self.write(&text, sdp);
        self
    }

    fn write(&mut self, head: &str, body: &str) {
        let kind = if body.starts_with("v=") { "Content-Type: application/sdp\n" } else { "" };
        let _ = writeln!(
            self.steps,
            "<send retrans=\"500\"><![CDATA[\n{head}{kind}Content-Length: [len]\n\n{body}]]></send>"
        );
    }

    fn find(&mut self, header: &str, pattern: &str) -> String {
        let name = format!("v{}", self.variables.len() + 1);
        let place = match header {
            "" => "search_in=\"msg\"".to_owned(),
            "body" => "search_in=\"body\"".to_owned(),
            header => format!("search_in=\"hdr\" header=\"{header}:\""),
        };
        let pattern = pattern.replace('<', "&lt;");
        self.variables.push(name.clone());
        format!("<action><ereg regexp=\"{pattern}\" {place} check_it=\"true\" assign_to=\"{name}\"/></action>")
    }

    /// The whole file. Retransmission is for what is answered: an ACK or a response of SIPp's is sent once.
    fn xml(&self) -> String {
        let mut steps = String::new();
        for step in self.steps.split_inclusive("</send>\n") {
            let once = step.contains("CDATA[\nACK ") || step.contains("CDATA[\nSIP/2.0 ");
            steps.push_str(&if once { step.replace(" retrans=\"500\"", "") } else { step.to_owned() });
        }
        document(&steps, &self.variables)
    }

    /// Runs it once against `us`.
    pub fn run(&self, us: SocketAddr) -> Outcome {
        self.run_with(us, &["-m", "1"])
    }

    /// Runs it with further words for SIPp.
    pub fn run_with(&self, us: SocketAddr, words: &[&str]) -> Outcome {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = program(folder.path(), &self.xml())
            .args(["-timeout", "120s"])
            .args(words)
            .arg(us.to_string())
            .output()
            .expect("sipp runs");
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let errors = read("errors");
        Outcome { success: output.status.success(), errors, messages: read("messages") }
    }
}

/// How a scenario went.
#[derive(Debug)]
pub struct Outcome {
    /// Every step, in every call.
    pub success: bool,
    errors: String,
    /// Everything that was said.
    pub messages: String,
}

impl Outcome {
    /// Fails the test unless all went as written.
    #[track_caller]
    pub fn check(self) {
        assert!(self.success, "SIPp is not content: {}\n{}", self.errors, self.messages);
    }
}

/// The whole of a scenario file. SIPp complains of a variable that nobody reads, and of naming none.
pub fn document(steps: &str, variables: &[String]) -> String {
    let read = match variables {
        [] => String::new(),
        all => format!("<Reference variables=\"{}\"/>\n", all.join(",")),
    };
    format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"ours\">\n{steps}{read}</scenario>\n")
}

/// SIPp at work in `folder` on a scenario; what it complains of goes into `errors`, all that is said into `messages`.
pub fn program(folder: &Path, scenario: &str) -> Command {
    fs::write(folder.join("scenario.xml"), scenario).expect("the scenario can be written");
    let mut sipp = Command::new("sipp");
    sipp.current_dir(folder)
        .args(["-sf", "scenario.xml", "-i", "127.0.0.1", "-nostdin", "-timeout_error"])
        .args(["-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages"])
        .stdin(Stdio::null());
    sipp
}

/// Is SIPp here? Prints why not; where nothing may be missing, fails.
pub fn is_here() -> bool {
    is_installed("sipp", "sip-tester")
}
