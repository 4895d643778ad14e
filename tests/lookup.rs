//! Look-ups against an HTTP server that is not ours (`lookup/far_end.py`, Python's own), in good and in bad temper.

#![allow(clippy::disallowed_methods, reason = "a far end of somebody else's lives in real time")]

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use trunkline::agents::driver::Hooks;
use trunkline::agents::handoff::Handoff;
use trunkline::agents::untold::Untolds;
use trunkline::agents::webhook::{About, Happening, Webhook};
use trunkline::id::CallId;
use trunkline::language::Language;
use trunkline::lookup::driver::{Lookups, Names};
use trunkline::lookup::mapping::{Path as JsonPath, Sort, Wanted};
use trunkline::lookup::{
    AllowList, Answer, Failure, HostPattern, LookupSettings, Mapping, Method, Refusal, Request, Secrets, Trouble,
};
use trunkline::pii::Pii;
use trunkline::time::SystemClock;
use trunkline::value::{Amount, Currency, Value};

/// A server of Python's, gone with the test.
struct FarEnd {
    child: Child,
    port: u16,
}

impl FarEnd {
    /// `None` where there is no Python; where `CI=true`, there must be.
    fn start(certificate: Option<(&Path, &Path)>) -> Option<Self> {
        let mut python = Command::new("python3");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lookup/far_end.py"));
        if let Some((certificate, key)) = certificate {
            python.arg(certificate).arg(key);
        }
        let child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 must be here in CI: {error}");
                println!("skipped: no python3");
                return None;
            }
        };
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says its port");
        let port = line.trim().parse().expect("a port");
        Some(Self { child, port })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What was asked for under `path`: method, path, idempotency key.
    async fn seen(&self, path: &str) -> Vec<(String, String, Option<String>)> {
        let answer = self.lookups(|_| {}).ask(&Request::get(self.url(&format!("/seen?path={path}")))).await;
        serde_json::from_value(answer.expect("it always tells").json).expect("rows of three")
    }

    /// Everything the default allows, at this server.
    fn lookups(&self, change: impl FnOnce(&mut LookupSettings)) -> Lookups {
        let mut settings =
            LookupSettings { allow: allow(&[&format!("127.0.0.1:{}", self.port)]), ..LookupSettings::default() };
        change(&mut settings);
        Lookups::new(settings, Arc::new(SystemClock)).expect("a client")
    }

    async fn ask(&self, path: &str) -> Result<Answer, Failure> {
        self.lookups(|_| {}).ask(&Request::get(self.url(path))).await
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn allow(hosts: &[&str]) -> AllowList {
    AllowList::new(hosts.iter().map(|host| HostPattern::parse(host).expect("a host")))
}

macro_rules! far_end {
    () => {
        match FarEnd::start(None) {
            Some(far_end) => far_end,
            None => return,
        }
    };
}

/// Names that lead where the test says.
struct Table(BTreeMap<&'static str, Vec<IpAddr>>);

#[async_trait::async_trait]
impl Names for Table {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.get(host).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[tokio::test]
async fn an_order_is_found_and_its_values_have_their_types() {
    let far_end = far_end!();
    let answer = far_end.ask("/order").await.expect("an order");
    let wanted = |name: &str, path: &str, sort: &str| Wanted {
        name: name.to_owned(),
        path: JsonPath::parse(path).expect("a path"),
        sort: Sort::parse(sort).expect("a type"),
        missing: None,
    };
    let mapping = Mapping::new([
        wanted("title", "order.items[0].title", "text"),
        wanted("price", "/order/items/0/price", "amount USD"),
        wanted("placed", "order.placed", "date"),
        wanted("account", "account", "digits"),
        wanted("open", "open", "boolean"),
    ]);
    let values = mapping.read(&answer.json, &TimeZone::get("Asia/Shanghai").expect("a zone")).expect("all of them");
    assert_eq!(values["title"], Value::text("Blue lamp"));
    assert_eq!(values["price"], Value::Amount(Amount { minor: 1_250, currency: Currency::USD }));
    assert_eq!(values["placed"], Value::Date("2026-03-03".parse().expect("a date")));
    assert_eq!(values["account"], Value::Digits("00421234".into()));
    assert_eq!(values["open"], Value::Boolean(true));
    assert_eq!((answer.status, answer.attempts), (200, 1));
}

#[tokio::test]
async fn what_is_told_arrives_with_its_secret_and_its_key() {
    let far_end = far_end!();
    let secrets = Secrets::new([("CRM_TOKEN".to_owned(), Pii::new("s3/cret".to_owned()))].into(), 99);
    let marker = secrets.marker("CRM_TOKEN");
    let lookups = far_end.lookups(|settings| settings.secrets = secrets);
    let mut request = Request::post(far_end.url(&format!("/echo?key={marker}")), json!({ "amount": "12.50" }));
    request.method = Method::Put;
    request.headers.insert("Authorization".into(), Pii::new(format!("Bearer {marker}")));
    request.idempotency_key = Some("call-7-pay".into());
    let told = lookups.ask(&request).await.expect("an echo").json;
    assert_eq!(told["method"], "PUT");
    assert_eq!(told["path"], "/echo?key=s3%2Fcret");
    assert_eq!(told["body"], json!({ "amount": "12.50" }));
    let fields = &told["headers"];
    assert_eq!(fields["authorization"], "Bearer s3/cret");
    assert_eq!(fields["idempotency-key"], "call-7-pay");
    assert_eq!(fields["content-type"], "application/json");
    assert_eq!(fields["accept-encoding"], "identity");
    let nothing = lookups.ask(&Request { method: Method::Delete, ..Request::get(far_end.url("/empty")) }).await;
    assert_eq!(nothing.map(|answer| (answer.status, answer.json)), Ok((204, Json::Null)));
}

#[tokio::test]
async fn a_repeat_carries_the_same_key_and_without_one_nothing_is_told_twice() {
    let far_end = far_end!();
    let lookups = far_end.lookups(|_| {});
    let mut request = Request::post(far_end.url("/flaky?times=2"), json!({}));
    request.idempotency_key = Some("call-7-pay".into());
    let answer = lookups.ask(&request).await.expect("the third time");
    assert_eq!((answer.attempts, &answer.json["asked"]), (3, &json!(3)));
    let seen = far_end.seen("/flaky").await;
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|(method, _, key)| method == "POST" && key.as_deref() == Some("call-7-pay")), "{seen:?}");

    let bare = Request { idempotency_key: None, ..Request::post(far_end.url("/flaky?times=1&x=1"), json!({})) };
    assert_eq!(lookups.ask(&bare).await, Err(Failure::Status(503)));
    assert_eq!(far_end.seen("/flaky?times=1").await.len(), 1);
    let broken = Request::post(far_end.url("/broken"), json!({}));
    assert_eq!(lookups.ask(&broken).await.map_err(|failure| failure.name()), Err("unreachable"));
    assert_eq!(far_end.seen("/broken").await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let far_end = far_end!();
    let answer = far_end.ask("/broken?times=1").await.expect("the second time is whole");
    assert_eq!((answer.attempts, &answer.json["asked"]), (2, &json!(2)));
}

#[tokio::test]
async fn a_wait_that_the_far_end_asks_for_is_kept_and_one_too_long_is_the_end() {
    let far_end = far_end!();
    let began = Instant::now();
    far_end.ask("/flaky?times=1&after=1").await.expect("after a second");
    assert!(began.elapsed() >= Duration::from_millis(1_000));
    let began = Instant::now();
    assert_eq!(far_end.ask("/flaky?times=1&after=60").await, Err(Failure::Status(503)));
    assert!(began.elapsed() < Duration::from_secs(3), "nobody waits for what comes too late");
}

#[tokio::test]
async fn a_far_end_that_hangs_or_drips_costs_the_caller_its_timeout_and_no_more() {
    let far_end = far_end!();
    let lookups = far_end.lookups(|_| {});
    for path in ["/hang", "/drip"] {
        let after = Duration::from_millis(400);
        let request = Request { timeout: Some(after), ..Request::get(far_end.url(path)) };
        let began = Instant::now();
        assert_eq!(lookups.ask(&request).await, Err(Failure::Timeout { after }), "{path}");
        assert!(began.elapsed() < Duration::from_secs(3), "{path}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let far_end = far_end!();
    for path in ["/flood", "/promise"] {
        assert_eq!(far_end.ask(path).await, Err(Failure::TooLarge { limit: 256 * 1024 }), "{path}");
    }
    let small = far_end.lookups(|settings| settings.max_bytes = 20);
    assert_eq!(small.ask(&Request::get(far_end.url("/order"))).await, Err(Failure::TooLarge { limit: 20 }));
}

#[tokio::test]
async fn garbage_is_told_from_an_answer_and_a_no_from_a_yes() {
    let far_end = far_end!();
    for path in ["/garbage", "/page"] {
        assert_eq!(far_end.ask(path).await, Err(Failure::NotJson), "{path}");
    }
    for code in [400, 401, 404, 500] {
        assert_eq!(far_end.ask(&format!("/status?code={code}")).await, Err(Failure::Status(code)));
    }
    let nonsense = far_end.ask("/nonsense").await.expect_err("that is not HTTP");
    assert_eq!(nonsense.name(), "unreachable", "{nonsense}");
    for failure in [far_end.ask("/status?code=500&name=ann").await, far_end.ask("/garbage?name=ann").await] {
        let failure = failure.expect_err("as above");
        let said = format!("{failure} {failure:?}");
        assert!(!said.contains("ann") && !said.contains("secret"), "{said}");
    }
}

#[tokio::test]
async fn a_redirect_leads_nowhere_but_to_the_same_host_and_only_where_allowed() {
    let far_end = far_end!();
    let other = far_end!();
    let ask = |redirects: u32, to: String| {
        let request = Request::get(far_end.url(&format!("/redirect?to={}", trunkline::lookup::component(&to))));
        let both = allow(&[&format!("127.0.0.1:{}", far_end.port), &format!("127.0.0.1:{}", other.port)]);
        let lookups = far_end.lookups(|settings| (settings.redirects, settings.allow) = (redirects, both));
        async move { lookups.ask(&request).await.map(|answer| answer.status) }
    };
    assert_eq!(ask(0, "/order".into()).await, Err(Failure::Redirected(302)));
    assert_eq!(ask(1, "/order".into()).await, Ok(200));
    assert_eq!(ask(3, other.url("/order")).await, Err(Failure::Redirected(302)));
    assert_eq!(ask(3, "http://169.254.169.254/latest/meta-data/".into()).await, Err(Failure::Redirected(302)));
    assert_eq!(other.seen("/order").await.len(), 0, "the secrets of a request are for one host");
    let again = format!("/redirect?to={}", trunkline::lookup::component("/redirect?to=/order"));
    assert_eq!(ask(1, again.clone()).await, Err(Failure::Redirected(302)));
    assert_eq!(ask(3, again).await, Ok(200));
}

#[tokio::test]
async fn a_host_that_nobody_named_is_never_even_connected_to() {
    let far_end = far_end!();
    let lookups = far_end.lookups(|settings| settings.allow = allow(&["crm.example"]));
    let host = format!("127.0.0.1:{}", far_end.port);
    let refused = lookups.ask(&Request::get(far_end.url("/order"))).await;
    assert_eq!(refused, Err(Failure::Refused { host, why: Refusal::NotListed }));
    assert_eq!(far_end.seen("/order").await.len(), 0);
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_or_its_cloud_is_refused() {
    let far_end = far_end!();
    let names = || {
        let rows = [
            ("home.example", vec![address("127.0.0.1")]),
            ("cloud.example", vec![address("169.254.169.254"), address("::ffff:169.254.169.254")]),
            ("both.example", vec![address("169.254.169.254"), address("127.0.0.1")]),
        ];
        Arc::new(Table(rows.into()))
    };
    let port = far_end.port;
    let ask = |hosts: Vec<String>, host: &str| {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let settings = LookupSettings { allow: allow(&hosts), ..LookupSettings::default() };
        let lookups = Lookups::with_names(settings, Arc::new(SystemClock), names()).expect("a client");
        let request = Request { retries: 0, ..Request::get(format!("http://{host}:{port}/order")) };
        async move { lookups.ask(&request).await.map(|answer| answer.status) }
    };
    let named = |host: &str| format!("http://{host}:{port}");
    let refused = |host: &str, why| Err(Failure::Refused { host: format!("{host}:{port}"), why });
    assert_eq!(ask(vec![named("home.example")], "home.example").await, refused("home.example", Refusal::Loopback));
    assert_eq!(ask(vec![named("cloud.example")], "cloud.example").await, refused("cloud.example", Refusal::Link));
    let with_home = |host: &str| vec![named(host), "127.0.0.1".to_owned()];
    assert_eq!(ask(with_home("home.example"), "home.example").await, Ok(200));
    assert_eq!(ask(with_home("both.example"), "both.example").await, Ok(200), "what may be asked of them is");
    let on = |door: u16| vec![named("home.example"), format!("127.0.0.1:{door}")];
    assert_eq!(ask(on(port), "home.example").await, Ok(200));
    assert_eq!(ask(on(port ^ 1), "home.example").await, refused("home.example", Refusal::Loopback), "another door");
    let unknown = Failure::Unreachable { host: format!("nobody.example:{port}"), why: Trouble::Name };
    assert_eq!(ask(vec![named("nobody.example")], "nobody.example").await, Err(unknown));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_tried_again_and_then_given_up() {
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let settings = LookupSettings { allow: allow(&[&format!("127.0.0.1:{free}")]), ..LookupSettings::default() };
    let lookups = Lookups::new(settings, Arc::new(SystemClock)).expect("a client");
    let began = Instant::now();
    let failure = lookups.ask(&Request::get(format!("http://127.0.0.1:{free}/"))).await;
    let host = format!("127.0.0.1:{free}");
    assert_eq!(failure, Err(Failure::Unreachable { host, why: Trouble::Connect }));
    assert!(began.elapsed() >= Duration::from_millis(300), "two repeats, at least 100 and 200 ms apart");
}

#[tokio::test]
async fn more_look_ups_than_may_run_at_once_wait_their_turn() {
    let far_end = far_end!();
    let lookups = far_end.lookups(|settings| settings.at_once = 1);
    let hang = Request { timeout: Some(Duration::from_millis(800)), ..Request::get(far_end.url("/hang")) };
    let hanging = tokio::spawn({
        let lookups = lookups.clone();
        async move { lookups.ask(&hang).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let hurried = Request { timeout: Some(Duration::from_millis(200)), ..Request::get(far_end.url("/order")) };
    assert_eq!(lookups.ask(&hurried).await, Err(Failure::Busy));
    assert!(lookups.ask(&Request::get(far_end.url("/order"))).await.is_ok(), "a patient one gets its turn");
    assert_eq!(hanging.await.expect("no panic").map_err(|failure| failure.name()), Err("timeout"));
}

#[tokio::test]
async fn who_waits_to_ask_again_keeps_nobody_else_waiting() {
    let far_end = far_end!();
    let lookups = far_end.lookups(|settings| settings.at_once = 1);
    let later = Request::get(far_end.url("/flaky?times=1&after=2&who=later"));
    let later = tokio::spawn({
        let lookups = lookups.clone();
        async move { lookups.ask(&later).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let hurried = Request { timeout: Some(Duration::from_millis(700)), ..Request::get(far_end.url("/order")) };
    assert!(lookups.ask(&hurried).await.is_ok(), "the far end of the other one is busy, not we");
    assert_eq!(later.await.expect("no panic").map(|answer| answer.attempts), Ok(2));
}

/// A certificate authority, and a server with a certificate of its own for `crm.example`.
fn authority(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca_params = CertificateParams::new(Vec::new()).expect("parameters");
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = ca_params.self_signed(&ca_key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["crm.example".to_owned()]).expect("parameters");
    let signed = params.signed_by(&key, &Issuer::new(ca_params, ca_key)).expect("a certificate");
    let [ca_file, certificate_file, key_file] = ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name));
    std::fs::write(&ca_file, ca.pem()).expect("written");
    std::fs::write(&certificate_file, signed.pem()).expect("written");
    std::fs::write(&key_file, key.serialize_pem()).expect("written");
    (ca_file, certificate_file, key_file)
}

#[tokio::test]
async fn a_certificate_must_be_vouched_for_and_be_for_the_host_that_was_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ca, certificate, key) = authority(folder.path());
    let Some(far_end) = FarEnd::start(Some((&certificate, &key))) else { return };
    let port = far_end.port;
    let ask = |host: &'static str, ca: Option<PathBuf>| {
        let hosts = [format!("{host}:{port}"), "127.0.0.1".to_owned()];
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let settings = LookupSettings { allow: allow(&hosts), ca, ..LookupSettings::default() };
        let names = Arc::new(Table([(host, vec![address("127.0.0.1")])].into()));
        let lookups = Lookups::with_names(settings, Arc::new(SystemClock), names).expect("a client");
        async move { lookups.ask(&Request::get(format!("https://{host}:{port}/order"))).await.map(|answer| answer.status) }
    };
    let untrusted = |host: &str| Err(Failure::Unreachable { host: format!("{host}:{port}"), why: Trouble::Tls });
    assert_eq!(ask("crm.example", Some(ca.clone())).await, Ok(200));
    assert_eq!(ask("crm.example", None).await, untrusted("crm.example"));
    assert_eq!(ask("shop.example", Some(ca)).await, untrusted("shop.example"));
}

#[test]
fn authorities_that_cannot_be_read_are_a_sentence_before_any_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").expect("written");
    for (ca, why) in
        [(empty, "there is no certificate in it"), (folder.path().join("none.pem"), "none.pem` of [lookups]")]
    {
        let settings = LookupSettings { ca: Some(ca), ..LookupSettings::default() };
        let fault = Lookups::new(settings, Arc::new(SystemClock)).err().expect("it cannot be used").to_string();
        assert!(fault.contains(why), "{fault}");
    }
}

impl FarEnd {
    /// What its webhook heard: idempotency key, authorization, event.
    async fn told(&self) -> Vec<(String, Option<String>, Json)> {
        serde_json::from_value(self.ask("/told").await.expect("it always tells").json).expect("rows of three")
    }

    fn hooks(&self, path: &str, timeout: Duration, data: &Path) -> Hooks {
        let headers = [("authorization".to_owned(), Pii::new("Bearer s3cret".to_owned()))].into();
        let webhook = Webhook { url: Pii::new(self.url(path)), headers, timeout };
        Hooks::new(webhook, self.lookups(|_| {}), Untolds::of(data), Arc::new(SystemClock))
    }
}

fn about(call: u128) -> About {
    let call = CallId::new(jiff::Timestamp::UNIX_EPOCH, call);
    let handoff = Handoff { intent: Some("refund".to_owned()), ..Handoff::of(call, Language::english()) };
    About { handoff, caller: Pii::new("+12025550123".to_owned()), agent: Some(Pii::new("alice".to_owned())) }
}

#[tokio::test]
async fn a_webhook_hears_the_events_of_a_call_in_order_whatever_it_answers_at_first() {
    let far_end = far_end!();
    let data = tempfile::tempdir().expect("a folder");
    let hooks = far_end.hooks("/hook?flaky=2", Duration::from_secs(10), data.path());
    let line = hooks.line(about(7));
    line.tell(Happening::Ringing);
    line.tell(Happening::Joined);
    line.tell(Happening::over(Some(200), Some(Duration::from_secs(3))));
    // What was said before is still told.
    drop(line);
    let give_up = Instant::now() + Duration::from_secs(10);
    let told = loop {
        let told = far_end.told().await;
        if told.len() == 3 {
            break told;
        }
        assert!(Instant::now() < give_up, "{told:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let names: Vec<&str> = told.iter().filter_map(|(_, _, event)| event["event"].as_str()).collect();
    assert_eq!(names, ["agent.ringing", "agent.joined", "agent.over"]);
    assert!(told.iter().all(|(_, proof, _)| proof.as_deref() == Some("Bearer s3cret")), "{told:?}");
    assert_eq!((&told[0].2["caller"], &told[0].2["intent"]), (&"+12025550123".into(), &"refund".into()));
    let keys: Vec<_> = far_end.seen("/hook").await.into_iter().filter_map(|(_, _, key)| key).collect();
    assert_eq!(keys.len(), 5, "two were repeated: {keys:?}");
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "under the same key: {keys:?}");
    assert!(keys[2] != keys[3] && keys[3] != keys[4], "and every event has its own: {keys:?}");
    hooks.close(Duration::from_secs(10)).await;
    assert_eq!(kept(data.path()), Vec::<String>::new(), "what was told is not kept");
}

/// Keys of the events that wait on disk, in order.
fn kept(data: &Path) -> Vec<String> {
    let names = std::fs::read_dir(data.join("untold")).into_iter().flatten().flatten();
    let names = names.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn what_a_stop_keeps_from_being_told_is_told_after_the_next_start_under_the_same_key() {
    let far_end = far_end!();
    let data = tempfile::tempdir().expect("a folder");
    let stopped = far_end.hooks("/hang", Duration::from_secs(30), data.path());
    let line = stopped.line(about(7));
    line.tell(Happening::Ringing);
    line.tell(Happening::over(Some(486), None));
    let give_up = Instant::now() + Duration::from_secs(10);
    while kept(data.path()).len() < 2 {
        assert!(Instant::now() < give_up, "both are kept as soon as they happen: {:?}", kept(data.path()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let keys = kept(data.path());
    stopped.close(Duration::ZERO).await;
    let started = far_end.hooks("/hook", Duration::from_secs(10), data.path());
    started.catch_up();
    while !kept(data.path()).is_empty() {
        assert!(Instant::now() < give_up, "still untold: {:?}", kept(data.path()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = far_end.told().await;
    let names: Vec<_> = told.iter().map(|(key, _, event)| (key.as_str(), event["event"].as_str())).collect();
    assert_eq!(names, [(keys[0].as_str(), Some("agent.ringing")), (keys[1].as_str(), Some("agent.over"))]);
}

#[tokio::test]
async fn what_is_told_to_nobody_is_kept_and_told_when_somebody_is_there() {
    let far_end = far_end!();
    let data = tempfile::tempdir().expect("a folder");
    let away = far_end.hooks("/hang", Duration::from_millis(200), data.path());
    let line = away.line(about(7));
    line.tell(Happening::Ringing);
    drop(line);
    // Everything was tried, with its repeats, and it is there still.
    away.close(Duration::from_secs(30)).await;
    assert_eq!(kept(data.path()).len(), 1);
    far_end.hooks("/hook", Duration::from_secs(10), data.path()).catch_up();
    let give_up = Instant::now() + Duration::from_secs(10);
    while !kept(data.path()).is_empty() {
        assert!(Instant::now() < give_up, "still untold: {:?}", kept(data.path()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(far_end.told().await.len(), 1);
}

#[tokio::test]
async fn a_webhook_that_hangs_or_is_refused_keeps_nobody_waiting() {
    let far_end = far_end!();
    let data = tempfile::tempdir().expect("a folder");
    let hooks = far_end.hooks("/hang", Duration::from_secs(30), data.path());
    let began = Instant::now();
    let lines: Vec<_> = (0..200).map(|call| hooks.line(about(call))).collect();
    for line in &lines {
        // More than can ever happen to a call: what does not fit is lost, and nobody waits.
        (0..20).for_each(|_| line.tell(Happening::Ringing));
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let elsewhere = Webhook {
        url: Pii::new("http://127.0.0.1:9/elsewhere".to_owned()),
        headers: BTreeMap::new(),
        timeout: Duration::from_secs(1),
    };
    let elsewhere = Hooks::new(elsewhere, far_end.lookups(|_| {}), Untolds::of(data.path()), Arc::new(SystemClock));
    elsewhere.line(about(7)).tell(Happening::Joined);
    assert!(far_end.told().await.is_empty());
}
