//! What far ends, proxies and impatient calls do to a leg of ours, in every order.

mod early;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::pii::Pii;
use crate::sip::branch::ClientFailure;
use crate::sip::message::{CSeq, Raw, Via};
use crate::sip::session_timer::SessionPolicy;
use crate::sip::transaction::Timing;
use crate::time::{Clock, SystemClock};

const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const ANSWER: &str =
    "v=0\r\no=- 2 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

struct World {
    leg: OutLeg,
    now: Now,
    /// Everything the leg ever wanted, in words.
    wanted: Vec<String>,
    requests: Vec<(Tx, OutRequest)>,
    final_heard: bool,
}

impl World {
    fn new() -> Self {
        Self::dial(Some(OFFER))
    }

    fn dial(sdp: Option<&str>) -> Self {
        let now = SystemClock.now();
        let dial = Dial {
            to: Pii::new("sip:ann@192.0.2.1".to_owned()),
            trunk: None,
            caller: None,
            sdp: sdp.map(str::to_owned),
            ring_timeout: Duration::from_secs(30),
            headers: vec![("X-Campaign".to_owned(), "7".to_owned()), ("From".to_owned(), "<sip:evil@h>".to_owned())],
        };
        let context = Context {
            timing: Timing::default(),
            server: "Trunkline".into(),
            session: SessionPolicy::default(),
            seed: 7,
        };
        let leg = OutLeg::dial(LegId(1), dial, None, context, now).unwrap();
        let mut world = Self { leg, now, wanted: Vec::new(), requests: Vec::new(), final_heard: false };
        world.collect();
        world
    }

    /// What the leg wants now, in words.
    fn collect(&mut self) -> Vec<String> {
        let from = self.wanted.len();
        while let Some(act) = self.leg.poll_act() {
            let words = match &act {
                Act::Request { request, .. } => format!("{} {}", request.method, request.uri),
                Act::Cancel { .. } => "CANCEL".to_owned(),
                Act::Ack { request, .. } => format!("ACK {}", request.uri),
                Act::Respond { status, .. } => format!("respond {status}"),
                Act::Resend(..) => "resend".to_owned(),
                Act::Gone => "gone".to_owned(),
                Act::Event(LegEvent::Progress { status, sdp }) => match sdp {
                    Some(_) => format!("progress {status} with sound"),
                    None => format!("progress {status}"),
                },
                Act::Event(LegEvent::Established { .. }) => "established".to_owned(),
                Act::Event(LegEvent::Ended(end)) => format!("ended {end:?}"),
                Act::Event(event) => format!("{event:?}"),
            };
            if let Act::Request { tx, request } = act {
                self.requests.push((tx, request));
            }
            self.wanted.push(words);
        }
        self.wanted[from..].to_vec()
    }

    fn command(&mut self, command: LegCommand) -> Vec<String> {
        self.leg.handle_command(command, self.now);
        self.collect()
    }

    fn news(&mut self, news: ClientNews) -> Vec<String> {
        let path = Path::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.7:5060".parse().unwrap());
        self.leg.handle_news(self.leg.tx, news, Some(&path), self.now);
        self.collect()
    }

    /// A response to the INVITE, the way the transaction would tell of it.
    fn hear(&mut self, response: Response) -> Vec<String> {
        let news = match response.status {
            100..200 => ClientNews::Provisional(response),
            200..300 if self.final_heard => ClientNews::Again(response),
            _ => ClientNews::Final(response),
        };
        self.final_heard |= matches!(news, ClientNews::Final(_));
        self.news(news)
    }

    fn request(&mut self, method: &str, tag: &str, cseq: u32, sdp: Option<&str>) -> Vec<String> {
        let (request, origin) = request(method, self.leg.call_id(), tag, &self.leg.tag, cseq, sdp);
        self.leg.handle_request(&request, &origin, &"key".into(), self.now);
        self.collect()
    }

    fn wait(&mut self, seconds: u64) -> Vec<String> {
        self.now.mono += Duration::from_secs(seconds);
        self.leg.handle_timeout(self.now);
        self.collect()
    }

    /// Lets time pass until nothing is due any more; every request of ours but the INVITE is answered 200 at once.
    fn finish(&mut self) {
        for _ in 0..100 {
            let dialog: Vec<(Tx, OutRequest)> = self.requests.drain(..).filter(|(tx, _)| *tx != self.leg.tx).collect();
            for (tx, asked) in dialog {
                let ok = response(200, "z", "", None, asked.method.as_str());
                self.leg.handle_news(tx, ClientNews::Final(ok), None, self.now);
            }
            self.collect();
            match self.leg.deadline() {
                Some(at) => self.now.mono = self.now.mono.max(at),
                None => break,
            }
            self.leg.handle_timeout(self.now);
            self.collect();
        }
    }

    fn count(&self, start: &str) -> usize {
        self.wanted.iter().filter(|words| words.starts_with(start)).count()
    }
}

fn response(status: u16, tag: &str, headers: &str, sdp: Option<&str>, method: &str) -> Response {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let kind = sdp.map_or("", |_| "Content-Type: application/sdp\r\n");
    let text = format!("SIP/2.0 {status} X\r\nTo: <sip:ann@192.0.2.1>{tag}\r\n{headers}{kind}\r\n");
    Response {
        status,
        reason: String::new(),
        via: Via::parse("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx").unwrap(),
        cseq: CSeq::parse(&format!("1 {method}")).unwrap(),
        headers: Raw::read(text.as_bytes()).headers,
        body: sdp.unwrap_or_default().as_bytes().to_vec(),
    }
}

/// A response of the telephone `tag`, which is reached at `sip:TAG@192.0.2.1`.
fn said(status: u16, tag: &str, sdp: Option<&str>) -> Response {
    response(status, tag, &format!("Contact: <sip:{tag}@192.0.2.1>\r\n"), sdp, "INVITE")
}

fn reliable_183(tag: &str, rseq: u32) -> Response {
    let headers = format!("Contact: <sip:{tag}@192.0.2.1>\r\nRequire: 100rel\r\nRSeq: {rseq}\r\n");
    response(183, tag, &headers, Some(ANSWER), "INVITE")
}

fn moved(contacts: &str) -> Response {
    response(302, "m", &format!("Contact: {contacts}\r\n"), None, "INVITE")
}

fn request(method: &str, call: &str, from: &str, to: &str, cseq: u32, sdp: Option<&str>) -> (Request, Origin) {
    use crate::sip::uri::{NameAddr, Uri};
    let kind = sdp.map_or("", |_| "Content-Type: application/sdp\r\n");
    let text = format!(
        "{method} sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKr{cseq}\r\nFrom: <sip:ann@h>;tag={from}\r\n\
         To: <sip:us@h>;tag={to}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{from}@192.0.2.1>\r\n\
         {kind}\r\n"
    );
    let headers = Raw::read(text.as_bytes()).headers;
    let path = Path::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.7:5060".parse().unwrap());
    let origin = Origin::of(&headers, &path).unwrap();
    let name = |which: &str| NameAddr::parse(headers.first(which).unwrap()).unwrap();
    let request = Request {
        method: Method::parse(method).unwrap(),
        uri: Uri::parse("sip:x").unwrap(),
        via: Via::parse(headers.first("Via").unwrap()).unwrap(),
        from: name("From"),
        to: name("To"),
        call_id: call.to_owned(),
        cseq: CSeq::parse(headers.first("CSeq").unwrap()).unwrap(),
        contact: Some(name("Contact")),
        headers: headers.clone(),
        body: sdp.unwrap_or_default().as_bytes().to_vec(),
    };
    (request, origin)
}

#[test]
fn an_invite_says_who_where_and_what_we_can() {
    let world = World::new();
    let (_, invite) = &world.requests[0];
    assert_eq!((invite.uri.as_str(), invite.contact.as_deref()), ("sip:ann@192.0.2.1", Some("trunkline")));
    let header = |name| invite.header(name).unwrap_or_default();
    assert_eq!(header("From"), format!("<sip:trunkline@192.0.2.7>;tag={}", world.leg.tag));
    assert_eq!(header("To"), "<sip:ann@192.0.2.1>");
    assert!(header("Supported").contains("100rel") && header("Supported").contains("timer"));
    assert_eq!((header("Session-Expires"), header("Min-SE")), ("1800", "90"));
    assert_eq!(header("X-Campaign"), "7");
    assert_eq!(invite.headers.iter().filter(|(name, _)| name == "From").count(), 1, "nobody else writes From");
    assert_eq!(invite.body.as_ref().unwrap().1, OFFER);
}

#[test]
fn a_call_that_is_answered_and_hung_up() {
    let mut world = World::new();
    assert_eq!(world.hear(said(180, "a", None)), ["progress 180"]);
    assert_eq!(world.hear(said(180, "a", None)), [""; 0], "the minute's copy is no news");
    assert_eq!(world.hear(said(183, "a", Some(ANSWER))), ["progress 183 with sound"]);
    assert_eq!(world.hear(said(200, "a", Some(ANSWER))), ["established", "ACK sip:a@192.0.2.1"]);
    assert!(world.leg.owns(world.leg.call_id(), "a") && !world.leg.owns(world.leg.call_id(), "b"));
    assert_eq!(world.command(LegCommand::Hangup), ["BYE sip:a@192.0.2.1", "ended LocalHangup"]);
    world.finish();
    assert_eq!(world.wanted.last().unwrap(), "gone");
}

#[test]
fn they_hang_up() {
    let mut world = World::new();
    world.hear(said(200, "a", Some(ANSWER)));
    assert_eq!(world.request("BYE", "a", 1, None), ["respond 200", "ended RemoteHangup"]);
    world.finish();
    assert_eq!((world.count("ended"), world.wanted.last().unwrap().as_str()), (1, "gone"));
}

#[test]
fn an_answer_without_a_description_takes_the_early_one_or_none() {
    let mut world = World::new();
    world.hear(said(183, "a", Some(ANSWER)));
    world.leg.handle_news(
        world.leg.tx,
        ClientNews::Final(said(200, "a", None)),
        Some(&Path::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.7:5060".parse().unwrap())),
        world.now,
    );
    let first = world.leg.poll_act();
    assert_eq!(first, Some(Act::Event(LegEvent::Established { sdp: Some(ANSWER.to_owned()) })));

    let mut world = World::new();
    assert_eq!(world.hear(said(200, "a", None)), ["ACK sip:a@192.0.2.1", "BYE sip:a@192.0.2.1", "ended Failed"]);
    world.finish();
    assert_eq!(world.wanted.last().unwrap(), "gone");
}

#[test]
fn reliable_responses_are_confirmed_in_order_and_per_telephone() {
    let mut world = World::new();
    assert_eq!(world.hear(reliable_183("a", 10)), ["PRACK sip:a@192.0.2.1", "progress 183 with sound"]);
    assert_eq!(world.requests.last().unwrap().1.header("RAck"), Some("10 1 INVITE"));
    assert_eq!(world.hear(reliable_183("a", 10)), [""; 0], "a copy");
    assert_eq!(world.hear(reliable_183("a", 12)), [""; 0], "a gap");
    assert_eq!(world.hear(reliable_183("b", 1)), ["PRACK sip:b@192.0.2.1"], "another telephone counts for itself");
    assert_eq!(world.hear(reliable_183("a", 11)), ["PRACK sip:a@192.0.2.1"]);
    assert_eq!(world.requests.last().unwrap().1.header("RAck"), Some("11 1 INVITE"));
    let not_required = said(183, "c", None);
    assert_eq!(world.hear(not_required), ["progress 183"], "only what requires it is confirmed");
}

#[test]
fn refusals_end_the_call_with_status_and_cause() {
    for (status, headers, end) in [
        (486, "", "ended Refused { status: 486, cause: None }"),
        (480, "Reason: Q.850;cause=19;text=\"no, answer\"\r\n", "ended Refused { status: 480, cause: Some(19) }"),
        (503, "Reason: SIP;cause=200, q.850 ; cause = 34\r\n", "ended Refused { status: 503, cause: Some(34) }"),
        (404, "Reason: Q.850;cause=999\r\nReason: Q.850\r\n", "ended Refused { status: 404, cause: None }"),
        (603, "", "ended Refused { status: 603, cause: None }"),
        (401, "", "ended Refused { status: 401, cause: None }"),
    ] {
        let mut world = World::new();
        world.hear(said(180, "a", None));
        let heard = world.hear(response(status, "a", headers, None, "INVITE"));
        assert_eq!(heard[heard.len() - 2..], [end, "gone"]);
        // Why they say so is told before, where they say why.
        let told = heard.iter().filter(|words| words.starts_with("Reason(")).count();
        assert_eq!(told, usize::from(end.contains("Some")), "{heard:?}");
    }
    for (failure, why) in [
        (ClientFailure::Timeout, "nothing came back from udp:192.0.2.1:5060"),
        (ClientFailure::Unreachable, "udp:192.0.2.1:5060 cannot be reached: nothing can be sent there"),
        (
            ClientFailure::NoAddress("the name nobody.invalid is not found".into()),
            "the name nobody.invalid is not found",
        ),
    ] {
        let heard = World::new().news(ClientNews::Failed(failure));
        assert_eq!(heard, [&format!("Unreached({why:?})"), "ended Unreachable", "gone"]);
    }
}

#[test]
fn a_redirected_call_tries_the_best_then_the_next() {
    let mut world = World::new();
    assert_eq!(
        world.hear(moved("<sip:b@192.0.2.2>;q=0.5, <sip:c@192.0.2.3;transport=tcp>")),
        ["INVITE sip:c@192.0.2.3;transport=tcp"]
    );
    assert_eq!(world.requests.last().unwrap().1.towards.to_string(), "sip:192.0.2.3;transport=tcp");
    world.final_heard = false;
    assert_eq!(world.hear(said(404, "x", None)), ["INVITE sip:b@192.0.2.2"]);
    let calls: Vec<_> = world.requests.iter().map(|(_, invite)| invite.header("Call-ID").unwrap()).collect();
    assert!(calls.windows(2).all(|pair| pair[0] == pair[1]), "one call, whoever takes it");
    world.final_heard = false;
    assert_eq!(world.hear(said(486, "y", None)), ["ended Refused { status: 486, cause: None }", "gone"]);
}

#[test]
fn a_redirection_in_circles_and_to_nowhere_ends() {
    let mut world = World::new();
    for step in 0..2 {
        let heard = world.hear(moved(&format!("<sip:x{step}@192.0.2.2>, <sip:ann@192.0.2.1>")));
        assert_eq!(heard, [format!("INVITE sip:x{step}@192.0.2.2")]);
    }
    let end = "ended Refused { status: 302, cause: None }";
    assert_eq!(world.hear(moved("<sip:again@192.0.2.2>")), [end, "gone"]);
    assert_eq!(World::new().hear(moved("<tel:+15550100>")), [end, "gone"]);
    let mut world = World::new();
    world.hear(moved("<sip:b@192.0.2.2>, <sip:c@192.0.2.3>"));
    assert_eq!(world.hear(said(603, "x", None))[1], "gone", "who speaks for everywhere is believed");
}

#[test]
fn a_longer_session_interval_is_agreed_to_once() {
    let mut world = World::new();
    let small = || response(422, "a", "Min-SE: 3600\r\n", None, "INVITE");
    assert_eq!(world.hear(small()), ["INVITE sip:ann@192.0.2.1"]);
    let again = &world.requests.last().unwrap().1;
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), (Some("3600"), Some("3600")));
    assert_eq!(world.hear(small()), ["ended Refused { status: 422, cause: None }", "gone"]);
}

#[test]
fn a_telephone_that_rings_too_long_is_given_up() {
    let mut world = World::new();
    world.hear(said(180, "a", None));
    assert_eq!(world.wait(29), [""; 0]);
    assert_eq!(world.wait(1), ["CANCEL", "ended NoAnswer"]);
    assert_eq!(world.hear(said(487, "a", None)), ["gone"]);
    let mut silent = World::new();
    let why = "Unreached(\"nothing rang in the time it was given\")";
    assert_eq!(silent.wait(30), [why, "CANCEL", "ended Unreachable"], "nobody rang, so there was nobody");
    assert_eq!(silent.news(ClientNews::Failed(ClientFailure::Timeout)), ["gone"]);
}

/// Something that happens, and what it is called.
type Deed = (&'static str, fn(&mut World));

/// Every state in which a call may give up × everything that may cross it on the way.
#[test]
fn a_cancelled_call_ends_once_and_whoever_answers_is_hung_up_on() {
    let states: [Deed; 5] = [
        ("nothing heard", |_| {}),
        ("ringing", |world| drop(world.hear(said(180, "a", None)))),
        ("reliable early media", |world| drop(world.hear(reliable_183("a", 1)))),
        ("redirected", |world| drop(world.hear(moved("<sip:b@192.0.2.2>, <sip:c@192.0.2.3>")))),
        ("two ringing", |world| {
            world.hear(said(180, "a", None));
            world.hear(said(183, "b", Some(ANSWER)));
        }),
    ];
    let messages: [Deed; 9] = [
        ("nothing", |_| {}),
        ("180", |world| drop(world.hear(said(180, "a", None)))),
        ("reliable 183", |world| drop(world.hear(reliable_183("a", 2)))),
        ("200", |world| drop(world.hear(said(200, "a", Some(ANSWER))))),
        ("200 of two", |world| {
            world.hear(said(200, "a", Some(ANSWER)));
            world.hear(said(200, "b", Some(ANSWER)));
        }),
        ("487", |world| drop(world.hear(said(487, "a", None)))),
        ("302", |world| drop(world.hear(moved("<sip:d@192.0.2.4>")))),
        ("timeout", |world| drop(world.news(ClientNews::Failed(ClientFailure::Timeout)))),
        ("hang up again", |world| drop(world.command(LegCommand::Hangup))),
    ];
    for (state, prepare) in states {
        for (message, cross) in messages {
            let mut world = World::new();
            prepare(&mut world);
            world.final_heard = false;
            let before = world.count("INVITE");
            assert_eq!(world.command(LegCommand::Hangup), ["CANCEL", "ended LocalHangup"], "{state}");
            cross(&mut world);
            world.finish();
            let what = format!("{state}, then {message}: {:?}", world.wanted);
            let answers = match message {
                "200" => 1,
                "200 of two" => 2,
                _ => 0,
            };
            assert_eq!((world.count("ACK"), world.count("BYE")), (answers, answers), "{what}");
            assert_eq!((world.count("ended"), world.count("gone"), world.count("established")), (1, 1, 0), "{what}");
            assert_eq!(world.count("INVITE"), before, "nobody new is called: {what}");
            assert_eq!(world.wanted.last().unwrap(), "gone", "{what}");
        }
    }
}

/// All orders in which three telephones may ring and answer.
#[test]
fn the_first_answer_wins_in_every_order() {
    let steps: [fn() -> Response; 5] = [
        || said(180, "a", None),
        || reliable_183("b", 1),
        || said(200, "a", Some(ANSWER)),
        || said(200, "b", Some(ANSWER)),
        || said(200, "c", Some(ANSWER)),
    ];
    for order in permutations(5) {
        let mut world = World::new();
        let mut winner = String::new();
        for step in &order {
            let response = steps[*step]();
            let (status, tag) = (response.status, response.to_tag().unwrap());
            let wanted = world.hear(response);
            match (status, winner.is_empty()) {
                (200, true) => {
                    assert_eq!(wanted, ["established".to_owned(), format!("ACK sip:{tag}@192.0.2.1")], "{order:?}");
                    winner = tag;
                }
                (200, false) => {
                    let declined = ["ACK", "BYE"].map(|method| format!("{method} sip:{tag}@192.0.2.1"));
                    assert_eq!(wanted, declined, "{order:?}");
                    let bye = &world.requests.last().unwrap().1;
                    assert_eq!(bye.header("Reason"), Some(reason::ELSEWHERE));
                }
                (_, true) => assert!(wanted.iter().any(|words| words.starts_with("progress")), "{order:?}"),
                (_, false) => assert_eq!(wanted, [""; 0], "nobody rings behind the answer: {order:?}"),
            }
        }
        world.command(LegCommand::Hangup);
        world.finish();
        assert_eq!((world.count("established"), world.count("ended"), world.count("BYE")), (1, 1, 3), "{order:?}");
        assert_eq!(world.wanted.last().unwrap(), "gone");
    }
}

#[test]
fn a_latecomer_is_hung_up_on_after_our_call_is_over() {
    let mut world = World::new();
    world.hear(said(200, "a", Some(ANSWER)));
    world.command(LegCommand::Hangup);
    let (bye, _) = world.requests.last().unwrap().clone();
    world.leg.handle_news(bye, ClientNews::Final(response(200, "a", "", None, "BYE")), None, world.now);
    assert_eq!(world.collect(), [""; 0], "it stays for those who may still answer");
    assert_eq!(world.wait(20), [""; 0]);
    assert_eq!(world.hear(said(200, "b", Some(ANSWER))), ["ACK sip:b@192.0.2.1", "BYE sip:b@192.0.2.1"]);
    assert_eq!(world.request("BYE", "a", 2, None), ["respond 481"]);
    assert_eq!(world.wait(12), ["gone"]);
}

#[test]
fn whatever_happens_the_call_ends_exactly_once() {
    for seed in 0..2_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::dial(rng.random_bool(0.8).then_some(OFFER));
        for _ in 0..rng.random_range(1..14) {
            let tag = ["a", "b", "c"][rng.random_range(0..3)];
            let sdp = rng.random_bool(0.7).then_some(ANSWER);
            match rng.random_range(0..14) {
                0 => drop(world.hear(said(180, tag, sdp))),
                1 => drop(world.hear(reliable_183(tag, rng.random_range(1..4)))),
                2 | 3 => drop(world.hear(said(200, tag, sdp))),
                4 => drop(world.hear(said(rng.random_range(400..700), tag, None))),
                5 => drop(world.hear(moved("<sip:b@192.0.2.2>;q=0.1, <sip:c@192.0.2.3>"))),
                6 => drop(world.news(ClientNews::Failed(ClientFailure::Timeout))),
                7 => drop(world.command(LegCommand::Hangup)),
                8 => drop(world.command(LegCommand::AnswerOffer { sdp: OFFER.to_owned() })),
                9 => drop(world.command(LegCommand::Offer { sdp: OFFER.to_owned() })),
                10 => drop(world.request("BYE", tag, rng.random_range(1..9), None)),
                11 => drop(world.request("UPDATE", tag, rng.random_range(1..9), sdp)),
                12 => drop(world.hear(response(200, "", "", sdp, "INVITE"))),
                _ => drop(world.wait(rng.random_range(1..40))),
            }
            if world.count("gone") > 0 {
                break;
            }
        }
        world.command(LegCommand::Hangup);
        world.finish();
        let what = format!("seed {seed}: {:?}", world.wanted);
        assert_eq!((world.count("ended"), world.count("gone")), (1, 1), "{what}");
        assert!(world.count("established") <= 1, "{what}");
        assert_eq!(world.wanted.last().unwrap(), "gone", "{what}");
    }
}

/// Every order of `0..n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    match n {
        0 => vec![Vec::new()],
        _ => permutations(n - 1)
            .into_iter()
            .flat_map(|rest| {
                (0..n).map(move |at| {
                    let mut order = rest.clone();
                    order.insert(at, n - 1);
                    order
                })
            })
            .collect(),
    }
}
