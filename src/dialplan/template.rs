//! Prompt texts with values in them: `You owe {{ due | amount }}, since {{ since | date }}.`
//!
//! The language is Jinja's, by the `minijinja` crate, without includes, macros or files. Filters speak a value as a
//! person would: `amount date time digits number ordinal phone spell near`. A value without a filter is spoken as what it
//! is. What is not known is spoken as nothing, because a caller must never hear the braces; a text that fails while it
//! is filled in is spoken without its braces, and the failure is told.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Environment, State, UndefinedBehavior};

use crate::dialplan::scope::{CALENDARS, View};
use crate::language::Language;
use crate::lookup::component;
use crate::spoken::{SayAs, markup, say};
use crate::value::Value;

/// Instructions of one text; a text that wants more goes round in circles.
const FUEL: u64 = 20_000;
/// Longest text after it was filled in, in bytes: some ten minutes of speech.
const LONGEST: usize = 16 * 1024;
/// The same for data, and for other systems.
const LONGEST_DATA: usize = 64 * 1024;
/// Items of a list that are said, and lists in lists.
const MOST_SAID: usize = 100;
const DEEPEST: usize = 8;
/// Names under which a text knows how it is spoken; no plan can use them, names of values hold no `$`.
const LANGUAGE: &str = "$language";
const TODAY: &str = "$today";

/// For whom a text is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// A caller: values in words.
    Ears,
    /// A record: values as they are written.
    Data,
    /// Another system: the same, and secrets too.
    System,
}

static JINJA: LazyLock<Environment<'static>> = LazyLock::new(jinja);
/// Fills in URLs: whatever stands in braces becomes one component of it.
static URLS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut jinja = jinja();
    jinja.set_formatter(|out, _, value| out.write_str(&component(&written(value))).map_err(minijinja::Error::from));
    jinja
});

/// Fills in texts for callers: numbers, yes and no, and lists in words too.
static EARS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut jinja = jinja();
    jinja.set_formatter(|out, state, value| out.write_str(&heard(state, value)).map_err(minijinja::Error::from));
    jinja
});
/// The same for texts with markup: no value can be any.
static MARKED: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut jinja = jinja();
    jinja.set_formatter(|out, state, value| {
        out.write_str(&markup::escape(&heard(state, value))).map_err(minijinja::Error::from)
    });
    jinja
});

fn jinja() -> Environment<'static> {
    let mut jinja = Environment::new();
    jinja.set_undefined_behavior(UndefinedBehavior::Chainable);
    jinja.set_fuel(Some(FUEL));
    jinja.set_recursion_limit(32);
    jinja.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    jinja.set_formatter(|out, _, value| out.write_str(&written(value)).map_err(minijinja::Error::from));
    for (name, how) in [
        ("amount", SayAs::Amount),
        ("date", SayAs::Date),
        ("time", SayAs::Time),
        ("number", SayAs::Number),
        ("digits", SayAs::Digits),
        ("ordinal", SayAs::Ordinal),
        ("phone", SayAs::Phone),
        ("spell", SayAs::Spell),
        ("near", SayAs::Near),
    ] {
        jinja.add_filter(name, move |state: &State<'_, '_>, value: minijinja::Value| spoken(state, &value, how));
    }
    jinja
}

/// Does the text hold anything to be filled in?
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// Can the text be filled in at all? The error is a sentence for its author.
pub fn check(text: &str) -> Result<(), String> {
    if !is_template(text) {
        return Ok(());
    }
    JINJA.template_from_str(text).map_err(|error| sentence(&error))?;
    match filters(text).into_iter().find(|name| !is_filter(name)) {
        Some(name) => Err(format!("there is no filter `{name}`")),
        None => Ok(()),
    }
}

/// The words behind a `|` within braces: what a filter may be called.
fn filters(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    // What stands before the first braces is no part of them.
    let openings = text.split("{{").skip(1).chain(text.split("{%").skip(1));
    let inside = openings.map(|rest| rest.split(['}', '%']).next().unwrap_or(""));
    for block in inside {
        // Every second part stands in quotes.
        for part in block.split(['\'', '"']).step_by(2) {
            for behind in part.split('|').skip(1) {
                let behind = behind.trim_start();
                let end =
                    behind.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(behind.len());
                found.extend((end > 0).then_some(&behind[..end]));
            }
        }
    }
    found
}

fn is_filter(name: &str) -> bool {
    let tried = JINJA.compile_expression(&format!("1|{name}")).and_then(|expression| expression.eval(()).map(drop));
    !matches!(tried, Err(error) if error.kind() == minijinja::ErrorKind::UnknownFilter)
}

/// The names a text reads from outside, in order.
pub fn names(text: &str) -> BTreeSet<String> {
    if !is_template(text) {
        return BTreeSet::new();
    }
    let names = JINJA.template_from_str(text).map(|template| template.undeclared_variables(false));
    names.into_iter().flatten().filter(|name| !JINJA.globals().any(|(global, _)| global == name)).collect()
}

/// `text` with its values. A failure comes back with what can be said all the same.
pub fn fill<'text>(text: &'text str, view: View<'_>) -> Result<Cow<'text, str>, (String, String)> {
    if !is_template(text) {
        return Ok(Cow::Borrowed(text));
    }
    let jinja = if markup::is_marked(text) { &MARKED } else { &EARS };
    match render(jinja, text, context(view, For::Ears), LONGEST) {
        Ok(filled) => Ok(Cow::Owned(filled)),
        Err(why) => Err((without_braces(text), why)),
    }
}

/// `text` with its values as they are written: `12.50`, `2026-03-01`.
pub fn fill_data(text: &str, view: View<'_>) -> Result<String, String> {
    render(&JINJA, text, context(view, For::Data), LONGEST_DATA)
}

/// The same for another system, which may see secrets.
pub fn fill_request(text: &str, view: View<'_>) -> Result<String, String> {
    render(&JINJA, text, context(view, For::System), LONGEST_DATA)
}

/// The same for a URL: no value can end a path in it or begin a query.
pub fn fill_url(text: &str, view: View<'_>) -> Result<String, String> {
    render(&URLS, text, context(view, For::System), LONGEST_DATA)
}

/// Fills in, and stops where that becomes longer than `most` bytes: a loop may write for ever.
fn render(jinja: &Environment<'_>, text: &str, values: minijinja::Value, most: usize) -> Result<String, String> {
    let mut page = Page { bytes: Vec::new(), most, full: false };
    let done =
        jinja.template_from_str(text).and_then(|template| template.render_captured_to(values, &mut page).map(drop));
    match done {
        _ if page.full => Err(format!("the text became longer than {most} bytes")),
        Ok(()) => Ok(String::from_utf8_lossy(&page.bytes).into_owned()),
        Err(error) => Err(sentence(&error)),
    }
}

/// Takes so many bytes, and not one more.
struct Page {
    bytes: Vec<u8>,
    most: usize,
    full: bool,
}

impl std::io::Write for Page {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        self.full |= self.bytes.len() + more.len() > self.most;
        if self.full {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is left of a text when everything in braces is cut out.
pub fn without_braces(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(opens) = ["{{", "{%", "{#"].iter().filter_map(|braces| rest.find(braces)).min() {
        let close = match &rest[opens..opens + 2] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        kept.push_str(&rest[..opens]);
        rest = rest[opens..].find(close).map_or("", |end| &rest[opens + end + 2..]);
    }
    kept.push_str(rest);
    kept
}

fn context(view: View<'_>, whom: For) -> minijinja::Value {
    let language = view.language.clone();
    let today = view.now.date();
    let typed = |value: &Value| typed(value, whom, &language, today);
    let secrets = view.scope.secrets().filter(|_| whom == For::System);
    let mut names: BTreeMap<String, minijinja::Value> =
        view.scope.values().chain(secrets).map(|(name, value)| (name.to_owned(), typed(value))).collect();
    let facts: BTreeMap<String, minijinja::Value> =
        view.scope.facts().map(|(name, value)| (name.to_owned(), typed(value))).collect();
    names.insert("call".into(), facts.into());
    names.insert("env".into(), view.scope.markers().clone().into());
    names.insert(CALENDARS.into(), typed(view.scope.calendars()));
    let clock = view.clock().into_iter().map(|(name, value)| (name.to_owned(), typed(&value))).collect();
    names.insert("now".into(), typed_with(&Value::Moment(view.now), clock, whom, &language, today));
    names.insert(LANGUAGE.into(), minijinja::Value::from(language.as_str()));
    names.insert(TODAY.into(), minijinja::Value::from(today.to_string()));
    names.into()
}

/// A value whose type a filter can still see.
#[derive(Debug)]
struct Typed {
    value: Value,
    spoken: String,
    /// What is behind a point: `now.hour`.
    fields: BTreeMap<String, minijinja::Value>,
}

impl Object for Typed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, field: &minijinja::Value) -> Option<minijinja::Value> {
        self.fields.get(field.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.spoken)
    }
}

fn typed(value: &Value, whom: For, language: &Language, today: jiff::civil::Date) -> minijinja::Value {
    match value {
        Value::Nothing => minijinja::Value::UNDEFINED,
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(|item| typed(item, whom, language, today)).collect::<Vec<_>>().into(),
        Value::Map(entries) => entries
            .iter()
            .map(|(name, value)| (name.clone(), typed(value, whom, language, today)))
            .collect::<BTreeMap<_, _>>()
            .into(),
        Value::Amount(_) | Value::Date(_) | Value::Time(_) | Value::Moment(_) | Value::Digits(_) | Value::Phone(_) => {
            typed_with(value, BTreeMap::new(), whom, language, today)
        }
    }
}

fn typed_with(
    value: &Value,
    fields: BTreeMap<String, minijinja::Value>,
    whom: For,
    language: &Language,
    today: jiff::civil::Date,
) -> minijinja::Value {
    let spoken = match whom {
        For::Ears => say(value, SayAs::Auto, language, today),
        For::Data | For::System => value.plain(),
    };
    minijinja::Value::from_object(Typed { value: value.clone(), spoken, fields })
}

/// A value as it is written: `true`, `12.5`.
fn written(value: &minijinja::Value) -> String {
    use minijinja::value::ValueKind as K;
    match value.kind() {
        K::Undefined | K::None => String::new(),
        K::Bool => value.is_true().to_string(),
        _ => value.to_string(),
    }
}

/// A value as it is said where no filter says how.
fn heard(state: &State<'_, '_>, value: &minijinja::Value) -> String {
    use minijinja::value::ValueKind as K;
    match value.kind() {
        K::Undefined | K::None => String::new(),
        K::Bool | K::Number | K::Seq | K::Map | K::Iterable => spoken(state, value, SayAs::Auto),
        _ => value.to_string(),
    }
}

/// A value out of a template, to be said.
fn from_template(value: &minijinja::Value, depth: usize) -> Value {
    use minijinja::value::ValueKind as K;
    let items = || value.try_iter().into_iter().flatten().take(MOST_SAID);
    match (value.kind(), value.downcast_object_ref::<Typed>()) {
        (_, Some(typed)) => typed.value.clone(),
        (K::Undefined | K::None, _) => Value::Nothing,
        (K::Bool, _) => Value::Boolean(value.is_true()),
        (K::Number, _) => match (value.as_i64(), f64::try_from(value.clone())) {
            (Some(whole), _) => Value::Integer(whole),
            (_, Ok(number)) => Value::Number(number),
            _ => Value::text(value.to_string()),
        },
        (K::Seq | K::Iterable, _) if depth < DEEPEST => {
            Value::List(items().map(|item| from_template(&item, depth + 1)).collect())
        }
        (K::Map, _) if depth < DEEPEST => Value::List(
            items().filter_map(|key| value.get_item(&key).ok()).map(|item| from_template(&item, depth + 1)).collect(),
        ),
        _ => Value::text(value.to_string()),
    }
}

fn spoken(state: &State<'_, '_>, value: &minijinja::Value, how: SayAs) -> String {
    if value.is_undefined() || value.is_none() {
        return String::new();
    }
    let known = |name: &str| state.lookup(name).map(|value| value.to_string()).unwrap_or_default();
    let language = Language::parse(&known(LANGUAGE)).unwrap_or_else(|_| Language::english());
    let today = known(TODAY).parse().unwrap_or_default();
    say(&from_template(value, 0), how, &language, today)
}

fn sentence(error: &minijinja::Error) -> String {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    format!("this text cannot be filled in: {detail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::scope::Scope;
    use crate::value::{Amount, Currency};

    fn filled(text: &str) -> Result<String, (String, String)> {
        let mut scope = Scope::default();
        scope.set_fact("caller", Value::Phone("+14155550100".into()));
        scope.keep("name", Value::text("Ada"));
        scope.keep("due", Value::Amount(Amount { minor: 20_005, currency: Currency::USD }));
        scope.keep("since", Value::Date(jiff::civil::date(2026, 3, 6)));
        scope.keep("evil", Value::text("{{ name }}"));
        scope.keep("items", Value::List(vec![Value::text("a"), Value::text("b")]));
        scope.keep("count", Value::Integer(21));
        scope.keep("half", Value::Number(0.5));
        scope.keep("satisfied", Value::Boolean(true));
        let view =
            View { scope: &scope, language: &Language::english(), now: jiff::civil::datetime(2026, 3, 1, 9, 0, 0, 0) };
        fill(text, view).map(Cow::into_owned)
    }

    #[test]
    fn now_has_the_same_fields_as_in_conditions() {
        for (text, expected) in [
            ("{% if now.hour < 12 %}morning{% else %}afternoon{% endif %}", "morning"),
            ("{% if now.hour >= 9 and now.weekday == 'sun' %}open{% endif %}", "open"),
            ("{{ now.date }}", "Sunday, March the first"),
            ("{{ now.time }}", "nine a m"),
            ("{{ now.year }}", ""),
        ] {
            assert_eq!(filled(text).unwrap(), expected, "{text}");
        }
        assert!(filled("{{ now }}").unwrap().contains("nine a m"));
    }

    #[test]
    fn numbers_yes_and_no_and_lists_are_said_in_words() {
        for (text, expected) in [
            ("{{ count }}", "twenty-one"),
            ("{{ half }}", "zero point five"),
            ("{{ satisfied }}", "yes"),
            ("{{ not satisfied }}", "no"),
            ("{{ items }}", "a and b"),
            ("{{ count + 1 }}", "twenty-two"),
            ("{{ items | length }}", "two"),
            ("{% if count > 20 %}{{ count - 20 }}{% endif %}", "one"),
            ("<s>{{ count }} {{ items }}</s>", "<s>twenty-one a and b</s>"),
        ] {
            assert_eq!(filled(text).unwrap(), expected, "{text}");
        }
        let scope = Scope::default();
        let now = jiff::civil::datetime(2026, 3, 1, 9, 0, 0, 0);
        let view = View { scope: &scope, language: &Language::parse("zh-CN").unwrap(), now };
        assert_eq!(fill("{{ 12 }}位，{{ true }}", view).unwrap(), "十二位，是");
        assert_eq!(fill_data("{{ 12 }} {{ true }} {{ [1, 2] }}", view).unwrap(), "12 true [1, 2]");
    }

    #[test]
    fn names_become_their_values_and_unknown_ones_nothing() {
        for (text, expected) in [
            ("Hello.", "Hello."),
            ("Hello {{name}}.", "Hello Ada."),
            ("Hello {{ stranger }}.", "Hello ."),
            ("Hello {{ stranger.first.name }}.", "Hello ."),
            ("{{evil}}", "{{ name }}"),
            ("{% if name == 'Ada' %}yes{% else %}no{% endif %}", "yes"),
            ("{{ stranger | amount }}", ""),
            ("{% for item in items %}{{ item }} {% endfor %}", "a b "),
            ("{{ stranger | default('you') }}", "you"),
        ] {
            assert_eq!(filled(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn values_are_spoken_as_a_person_would() {
        for text in ["{{ due }}", "{{ due | amount }}", "{{ '200.05' | amount }}"] {
            assert_eq!(filled(text).unwrap(), "two hundred dollars and five cents", "{text}");
        }
        assert!(filled("{{ since }}").unwrap().contains("March"));
        assert!(filled("{{ 3 | ordinal }}").unwrap().contains("third"));
    }

    #[test]
    fn what_fails_is_spoken_without_its_braces_and_told() {
        let (said, why) = filled("Hello {{ name.x.y() }}, bye{% if name | nothing %}!{% endif %}").unwrap_err();
        assert_eq!(said, "Hello , bye!");
        assert!(!why.is_empty() && !why.contains("Ada"), "{why}");
        let bomb = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}";
        assert!(filled(bomb).is_err());
        // A hundred gigabytes, were they kept.
        let bomb = "{% for a in range(1000) %}{{ 'x' * 99999999 }}{% endfor %}";
        let (said, why) = filled(bomb).unwrap_err();
        assert_eq!((said.as_str(), why.as_str()), ("", "the text became longer than 16384 bytes"));
    }

    #[test]
    fn a_broken_text_is_found_before_any_call() {
        for wrong in ["{{ name", "{% if %}", "{{ name | amout }}", "{% include 'x' %}"] {
            assert!(check(wrong).is_err() || filled(wrong).is_err(), "{wrong}");
        }
        assert!(check("{{ name | amout }}").unwrap_err().contains("amout"));
        assert_eq!(check("plain { text }"), Ok(()));
        assert_eq!(check("Press 1 | no. Hello {{ name }}"), Ok(()), "what stands outside of braces is no filter");
        assert_eq!(
            names("{{ name }} {{ order.total | amount }} {% for x in list %}{{ x }}{% endfor %}"),
            ["list", "name", "order"].map(str::to_owned).into()
        );
    }
}
