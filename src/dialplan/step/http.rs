//! `http`: ask another system, and keep what it says.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Done, Errand, Event, Next, Run, Visit, Word, Words};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::diagnostic::{Findings, Spanned, listed, nearest};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read::{self, Fields};
use crate::dialplan::template;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::lookup::mapping::{Mapping, Path, Sort, Wanted};
use crate::lookup::{Failure, LookupSettings, Method, Request, origin};
use crate::pii::Pii;
use crate::value::Value;

/// A caller hears silence for as long as this before the filler begins.
const FILLER_AFTER: Duration = Duration::from_millis(800);
/// Whoever asks for us gives up by itself in time; this long after that it is taken for lost.
const GRACE: Duration = Duration::from_secs(1);

const KEYS: &[Key] = &[
    key("url", Shape::Value, "Whom to ask: https, a host that the settings allow, values in the path and query only."),
    key("method", Shape::Word(&["GET", "POST", "PUT", "PATCH", "DELETE"]), "How; GET if left out."),
    key("headers", Shape::Named(&Shape::Value), "Header fields, such as `authorization: \"Bearer {{ env.TOKEN }}\"`."),
    key("body", Shape::Named(&Shape::Value), "What is sent along, as JSON."),
    key("timeout", Shape::Time, "All the time there is, repeats included."),
    key("retries", Shape::Count(0, Request::MOST_RETRIES as usize), "How often it is asked again when that may help."),
    key("key", Shape::Value, "What the other system may know a wish by that it has had already."),
    key(
        "save",
        Shape::Named(&Shape::Either(&[Shape::Line, Shape::Keys(SAVE_KEYS)])),
        "Names, and where their values stand in the answer.",
    ),
    key("filler", Shape::Text, "Said when it takes longer than a moment."),
    key("go", Shape::Target, "Where to next, when there is an answer."),
    key("failed", Shape::Target, "Where to when there is none."),
    key("on", Shape::Named(&Shape::Target), "Where to for one way of failing, such as `timeout` or `404`."),
];
const SAVE_KEYS: &[Key] = &[
    key("path", Shape::Line, "Where it stands: `order.items[0].title`, or a JSON Pointer."),
    key(
        "type",
        Shape::Line,
        "What it must be: text, digits, number, boolean, amount USD, date, time, moment, phone or any.",
    ),
    key("default", Shape::Value, "What it is when the answer has nothing there."),
];

/// The word.
pub const WORD: Word =
    Word { name: "http", about: "Ask another system, and keep what it says.", keys: &[KEYS], short: false, compile };

/// Ask another system.
#[derive(Debug)]
pub struct Http {
    /// A template; its host is the plan's own word.
    pub url: String,
    /// How.
    pub method: Method,
    /// Templates, by field name.
    pub headers: BTreeMap<String, String>,
    /// What is sent along.
    pub body: Vec<(String, Calculation)>,
    /// All the time there is; `None`: as the settings say.
    pub timeout: Option<Duration>,
    /// Repeats.
    pub retries: u32,
    /// A template: what tells one wish from another, however often the plan comes by.
    pub key: Option<String>,
    /// What is kept.
    pub save: Mapping,
    /// The names under which it is kept.
    pub names: Vec<String>,
    /// Said while waiting.
    pub filler: Option<Prompt>,
    /// Where to next.
    pub go: Target,
    /// Where to when there is no answer.
    pub failed: Target,
    /// Where to for one way of failing: a name of [`Failure`], or a status.
    pub on: Vec<(String, Target)>,
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let at = fields.start();
    cx.for_system(true);
    let url = match fields.take("url") {
        Some(node) => cx.template(&node),
        None => {
            let message = format!("{} does not say whom to ask", cx.owner());
            cx.findings.error(at, message).help("add `url: https://…`");
            None
        }
    };
    if let Some(url) = &url
        && let Err(why) = origin(&url.value)
    {
        cx.findings.error(url.at, why.to_owned()).help("write it like `https://crm.example/callers/{{ call.caller }}`");
    }
    let method = fields.read("method", cx.findings, method);
    let headers = entries(&mut fields, "headers", cx);
    let headers: Vec<_> =
        headers.into_iter().filter_map(|(name, node)| Some((name.value, cx.template(&node)?.value))).collect();
    let body = entries(&mut fields, "body", cx);
    let body: Vec<_> = body.into_iter().filter_map(|(name, node)| Some((name.value, cx.calculation(&node)?))).collect();
    let key = fields.take("key").and_then(|node| cx.template(&node));
    cx.for_system(false);
    let range = Duration::from_millis(100)..=LookupSettings::LONGEST;
    let timeout = fields.read("timeout", cx.findings, |node, findings| read::time(node, range, findings));
    let most = Request::MOST_RETRIES as usize;
    let retries =
        fields.read("retries", cx.findings, |node, findings| read::count(node, "`retries`", 0..=most, findings));
    let mut names = Vec::new();
    let mut wanted = Vec::new();
    for (name, node) in entries(&mut fields, "save", cx) {
        let named = cx.value_name(&name);
        if let Some(one) = self::wanted(&name.value, node, cx).filter(|_| named) {
            names.push(name.value);
            wanted.push(one);
        }
    }
    let filler = cx.prompt_of(&mut fields, "filler");
    let go = cx.go(&mut fields);
    let failed = cx.target_of(&mut fields, "failed").unwrap_or_else(|| {
        let message = format!("{} has no way on when there is no answer", cx.owner());
        cx.findings.error(at, message).help("add `failed:` and the name of a step");
        Target::End
    });
    let mut on = Vec::new();
    for (name, node) in entries(&mut fields, "on", cx) {
        let status = name.value.len() == 3 && name.value.bytes().all(|digit| digit.is_ascii_digit());
        if !status && !Failure::NAMES.contains(&name.value.as_str()) {
            let help = match nearest(&name.value, Failure::NAMES) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("it is a status such as `\"404\"`, or one of {}", listed(Failure::NAMES)),
            };
            cx.findings.error(name.at, format!("nothing fails as `{}`", name.value)).help(help);
        }
        on.extend(cx.target(&node).map(|target| (name.value, target)));
    }
    let method = method.unwrap_or(Method::Get);
    if method == Method::Get && !body.is_empty() {
        let message = format!("{} sends something along with GET", cx.owner());
        cx.findings.error(at, message).help("add `method: POST`, or put it into the URL");
    }
    Some(Box::new(Http {
        url: url.map(|url| url.value)?,
        method,
        headers: headers.into_iter().collect(),
        body,
        timeout: timeout.map(|timeout| timeout.value),
        retries: retries.map_or(Request::RETRIES, |retries| u32::try_from(retries.value).unwrap_or_default()),
        key: key.map(|key| key.value),
        save: Mapping::new(wanted),
        names,
        filler,
        go,
        failed,
        on,
    }))
}

/// The entries of a map under `key`; none when it is not there.
fn entries(fields: &mut Fields, key: &str, cx: &mut Compiler<'_>) -> Vec<(Spanned<String>, Node)> {
    match fields.take(key) {
        None => Vec::new(),
        Some(Node { value: Yaml::Map(entries), .. }) => entries,
        Some(other) => {
            let message = format!("`{key}` must be a map of names, not {}", other.sort());
            cx.findings.error(other.at, message).help(format!("write `{key}: {{ name: … }}`"));
            Vec::new()
        }
    }
}

fn method(node: &Node, findings: &mut Findings) -> Option<Method> {
    let written = read::line(node, findings)?;
    let method = Method::parse(&written.value);
    if method.is_none() {
        let names = listed(Method::ALL.map(Method::as_str));
        findings.error(written.at, format!("`{}` is no method", written.value)).help(format!("write one of {names}"));
    }
    method
}

/// `name: path`, or `name: { path: …, type: …, default: … }`.
fn wanted(name: &str, node: Node, cx: &mut Compiler<'_>) -> Option<Wanted> {
    let (path, sort, missing) = match &node.value {
        Yaml::Scalar { .. } => (read::line(&node, cx.findings), None, None),
        _ => {
            let owner = format!("`{name}`");
            let mut fields = Fields::open(node, &owner, &[SAVE_KEYS], cx.findings)?;
            let at = fields.start();
            let path = fields.read("path", cx.findings, read::line);
            if path.is_none() {
                cx.findings.error(at, format!("{owner} does not say where it stands")).help("add `path: …`");
            }
            let sort = fields.read("type", cx.findings, read::line);
            let missing = fields.take("default").and_then(|node| cx.calculation(&node));
            (path, sort, missing)
        }
    };
    let path = path?;
    let parsed = Path::parse(&path.value).map_err(|why| {
        cx.findings.error(path.at, why);
    });
    let sort = match sort {
        None => Sort::default(),
        Some(sort) => Sort::parse(&sort.value)
            .map_err(|why| {
                cx.findings.error(sort.at, why);
            })
            .ok()?,
    };
    let missing = missing.and_then(|missing| match missing {
        Calculation::Given(value) => Some(value),
        Calculation::Template(_) | Calculation::Expression(_) => {
            cx.findings.error(path.at, "a `default` cannot be calculated").help("write the value itself");
            None
        }
    });
    Some(Wanted { name: name.to_owned(), path: parsed.ok()?, sort, missing })
}

impl Run for Http {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        match event {
            Event::Done(done) => match done.as_ref() {
                Done::Lookup(Ok(answer)) => match self.save.read(&answer.json, visit.zone) {
                    Ok(values) => {
                        values.into_iter().for_each(|(name, value)| visit.keep(&name, value, false));
                        visit.came_to(OutcomeKind::Errand { name: "http".into(), end: "ok".into() });
                        Next::Go(self.go)
                    }
                    Err(failure) => self.failed(&failure, visit),
                },
                Done::Lookup(Err(failure)) => self.failed(failure, visit),
                Done::Nothing | Done::Message(_) => {
                    let after = self.timeout.unwrap_or(LookupSettings::LONGEST);
                    self.failed(&Failure::Timeout { after }, visit)
                }
            },
            _ => match self.request(visit) {
                Ok(request) => Next::Errand {
                    // What the settings allow where the step does not say is theirs to know; no request lasts longer.
                    patience: request.timeout.unwrap_or(LookupSettings::LONGEST) + GRACE,
                    errand: Errand::Lookup(Box::new(request)),
                    filler: self.filler.iter().map(Words::Prompt).collect(),
                    after: FILLER_AFTER,
                },
                Err(why) => {
                    visit.faults.push(format!("the request could not be made: {why}"));
                    self.failed(&Failure::Invalid("a text in it could not be filled in"), visit)
                }
            },
        }
    }

    fn prompts(&self) -> Vec<&Prompt> {
        self.filler.iter().collect()
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let on = self.on.iter().map(|(name, target)| (name.clone(), *target));
        [("go".to_owned(), self.go), ("failed".to_owned(), self.failed)].into_iter().chain(on).collect()
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        self.names.iter().map(|name| (name.as_str(), false)).collect()
    }
}

impl Http {
    fn request(&self, visit: &mut Visit<'_>) -> Result<Request, String> {
        // Without a key of the plan's own, every visit is another wish: only the repeats of one request are the same.
        let place = visit.outcomes.len();
        let call = visit.scope.fact("id").map(Value::plain).unwrap_or_default();
        let view = visit.view();
        let mut headers = BTreeMap::new();
        for (name, text) in &self.headers {
            headers.insert(name.clone(), Pii::new(template::fill_request(text, view)?));
        }
        let mut body = serde_json::Map::new();
        for (name, calculation) in &self.body {
            body.insert(name.clone(), calculation.value_for_system(view)?.to_json());
        }
        let key = match &self.key {
            Some(text) => Some(template::fill_request(text, view)?),
            None => (!self.method.is_idempotent()).then(|| format!("{call}-{}-{place}", visit.step)),
        };
        Ok(Request {
            method: self.method,
            url: Pii::new(template::fill_url(&self.url, view)?),
            headers,
            body: (!self.body.is_empty()).then(|| Pii::new(serde_json::Value::Object(body))),
            timeout: self.timeout,
            retries: self.retries,
            idempotency_key: key,
        })
    }

    fn failed(&self, failure: &Failure, visit: &mut Visit<'_>) -> Next<'_> {
        visit.came_to(OutcomeKind::Errand { name: "http".into(), end: failure.name().to_owned() });
        // What the plan or the settings must mend; that a number is not known there, or nobody answers, is what ways out
        // are for.
        if failure.is_fault() {
            visit.faults.push(format!("the look-up failed: {failure}"));
        }
        let status = failure.status().map(|status| status.to_string());
        let way = |wanted: &str| self.on.iter().find(|(name, _)| name == wanted).map(|(_, target)| *target);
        let way = status.as_deref().and_then(way).or_else(|| way(failure.name()));
        Next::Go(way.unwrap_or(self.failed))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::civil::{date, time};
    use jiff::tz::TimeZone;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::dialplan::interpreter::{Act, Interpreter};
    use crate::dialplan::load::load_str;
    use crate::dialplan::scope::{Scope, Variables};
    use crate::language::Language;
    use crate::lookup::Answer;

    struct Talk {
        interpreter: Interpreter,
        act: Act,
    }

    impl Talk {
        /// A plan that asks, with `more` of the step's keys, and asks again where it fails with 503.
        fn about(more: &str) -> Self {
            let text = format!(
                "dialplan: 1\nzone: America/New_York\nstart: ask\nsteps:\n  ask: {{ http: {{ url: \"https://crm.example/a\", \
                 {more} go: found, failed: lost, on: {{ \"503\": again }} }} }}\n  \
                 again: {{ tag: {{ tags: {{ tried: \"yes\" }}, go: ask }} }}\n  \
                 found: {{ hangup: {{ result: found }} }}\n  lost: {{ hangup: {{ result: lost }} }}\n"
            );
            let plan = load_str("ask.yaml", &text).unwrap_or_else(|found| panic!("{found}")).plan;
            let facts = [("id".to_owned(), Pii::new(Value::text("01CALL")))].into();
            let mut interpreter = Interpreter::new(plan, &Language::english(), TimeZone::UTC)
                .knowing(Scope::of(facts), &Variables::new());
            let act = interpreter.start(Timestamp::UNIX_EPOCH);
            Self { interpreter, act }
        }

        fn done(&mut self, done: Done) {
            self.act = self.interpreter.next(&Event::Done(Box::new(done)), Timestamp::UNIX_EPOCH);
        }

        fn fails(&mut self, failure: Failure) -> Vec<String> {
            self.done(Done::Lookup(Err(failure)));
            self.interpreter.take_faults()
        }

        fn answers(&mut self, json: Json) {
            self.done(Done::Lookup(Ok(Answer { status: 200, json, attempts: 1 })));
        }

        fn request(&self) -> (&Request, Duration) {
            match &self.act {
                Act::Errand { errand: Errand::Lookup(request), patience, .. } => (request, *patience),
                other => panic!("nobody is asked: {other:?}"),
            }
        }
    }

    #[test]
    fn a_moment_is_told_by_the_clock_of_the_plan() {
        let mut talk = Talk::about(
            "save: { placed: { path: at, type: moment }, day: { path: at, type: date }, hour: { path: at, type: time } },",
        );
        talk.answers(json!({ "at": "2026-03-03T02:30:00Z" }));
        let value = |name: &str| talk.interpreter.scope().value(name).cloned();
        assert_eq!(value("placed"), Some(Value::Moment(date(2026, 3, 2).at(21, 30, 0, 0))));
        assert_eq!(value("day"), Some(Value::Date(date(2026, 3, 2))), "it is still Monday in New York");
        assert_eq!(value("hour"), Some(Value::Time(time(21, 30, 0, 0))));
    }

    #[test]
    fn whoever_asks_has_all_the_time_that_settings_may_give_and_silence_is_a_timeout() {
        assert_eq!(Talk::about("").request().1, LookupSettings::LONGEST + GRACE);
        let mut hurried = Talk::about("timeout: 3s,");
        assert_eq!(hurried.request().1, Duration::from_secs(3) + GRACE);
        hurried.done(Done::Nothing);
        let ends: Vec<_> = hurried.interpreter.outcomes().iter().map(|outcome| outcome.kind.clone()).collect();
        assert_eq!(ends, [OutcomeKind::Errand { name: "http".into(), end: "timeout".into() }]);
    }

    #[test]
    fn only_what_somebody_must_mend_is_a_fault_of_the_plan() {
        let handled = [
            Failure::Status(404),
            Failure::Timeout { after: Duration::from_secs(5) },
            Failure::Busy,
            Failure::NotJson,
            Failure::TooLarge { limit: 9 },
        ];
        for failure in handled {
            assert_eq!(Talk::about("").fails(failure.clone()), Vec::<String>::new(), "{failure}");
        }
        let secret = Talk::about("").fails(Failure::NoSecret("TOKEN".into()));
        assert!(secret.len() == 1 && secret[0].contains("`TOKEN` is not known"), "{secret:?}");
        let mut lacking = Talk::about("save: { name: person.name },");
        lacking.answers(json!({}));
        assert_eq!(lacking.interpreter.take_faults(), ["the look-up failed: the answer has nothing at `person.name`"]);
    }

    #[test]
    fn a_plan_that_asks_again_can_say_that_it_is_the_same_wish() {
        let keys = |more: &str| {
            let mut talk = Talk::about(more);
            let first = talk.request().0.idempotency_key.clone();
            talk.fails(Failure::Status(503));
            (first, talk.request().0.idempotency_key.clone())
        };
        let (first, again) = keys("method: POST, key: \"{{ call.id }}-pay\",");
        assert_eq!((first.as_deref(), again.as_deref()), (Some("01CALL-pay"), Some("01CALL-pay")));
        let (first, again) = keys("method: POST,");
        assert!(first.is_some() && again.is_some() && first != again, "{first:?} {again:?}");
        assert_eq!(keys(""), (None, None), "a question may be asked twice");
    }
}
