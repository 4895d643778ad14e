//! A message and `WaitExten`: a menu of one-key extensions, or a question for digits.

use super::convert::{At, Converter, seconds};
use super::parse::Line;
use super::pattern::is_international;
use crate::import::draft::{Asking, BYE, Choice, Kind, To, Words};
use crate::import::{Place, plain_name, spoken_name};

/// Extensions that mean something else than a number.
const SPECIAL: [&str; 9] = ["s", "i", "t", "h", "o", "a", "e", "fax", "failed"];

/// A message up to where a key is waited for.
pub(super) struct Waited {
    words: Words,
    wait_ms: Option<u64>,
    /// The lines it is made of.
    lines: Vec<Place>,
    /// The place of `WaitExten`, or behind the last line.
    until: usize,
}

/// The sounds of `condition?Background(sounds)`: how generated dialplans play a message that may be missing.
pub(super) fn message_of(args: &str) -> Option<String> {
    let (_, done) = args.split_once('?')?;
    let inside = done.trim().get(..11).filter(|app| app.eq_ignore_ascii_case("background("))?;
    let rest = done.trim()[inside.len()..].strip_suffix(')')?;
    Some(rest.split(',').next().unwrap_or_default().to_owned())
}

impl Converter<'_> {
    /// `Background` and what follows it.
    pub(super) fn menu_or_message(&mut self, at: At, name: &str, line: &Line) -> Kind {
        let Some(mut waited) = self.waited(at) else {
            let words = self.words(&line.arguments().first().cloned().unwrap_or_default(), &line.at);
            return self.say(at, words, Some("keys"));
        };
        if waited.until >= self.lines(at).len() {
            let why = "nothing waits for a key behind this message: the plan does";
            self.notes.changed(&line.at, line.gist(), why, "look whether callers should choose here");
        }
        if waited.words.text.is_empty() {
            let why = "a key is waited for without a word: the plan says something";
            self.notes.changed(&line.at, line.gist(), why, "write what callers shall hear");
            waited.words = Words::text("Please press a key.");
        }
        for index in at.index..self.lines(at).len().min(waited.until + 1) {
            self.seen.insert((at.context, at.extension, index));
        }
        self.made_of.extend(waited.lines.iter().skip(1).cloned());
        let (response, digit) = self.timeouts(at.context);
        let mut asking = Asking {
            prompt: waited.words,
            wait_ms: waited.wait_ms.or(response),
            no_input: self.on_failure(at, waited.until, "t", "no_input"),
            no_match: self.on_failure(at, waited.until, "i", "no_match"),
            ..Asking::default()
        };
        let all = self.extensions(at.context);
        let wanted = all.iter().filter_map(|(context, extension)| {
            let found = &self.dialplan.contexts[*context].extensions[*extension];
            let special = SPECIAL.contains(&found.pattern.to_lowercase().as_str());
            (!special && !is_international(&found.pattern) && !found.lines.is_empty()).then(|| {
                (found.pattern.clone(), At { frame: at.frame, context: *context, extension: *extension, index: 0 })
            })
        });
        let wanted: Vec<(String, At)> = wanted.collect();
        let (keys, longer): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(pattern, _)| pattern.len() == 1 && "0123456789*#".contains(pattern.as_str()));
        if longer.is_empty() && keys.is_empty() {
            let why = "there is no extension that a caller could press here: the plan hangs up";
            self.notes.lost(&line.at, line.gist(), why, "write where callers should go from here");
            return Kind::Say { words: asking.prompt, barge_in: None, hangup: None, go: To::step(BYE) };
        }
        if longer.is_empty() {
            let options = self.options(&keys, line);
            return Kind::Menu { asking, options, reject_below: None };
        }
        asking.incomplete_ms = digit;
        self.digits(at, name, line, asking, &keys)
    }

    /// Everything said up to a `WaitExten`, if nothing else happens before.
    pub(super) fn waited(&mut self, at: At) -> Option<Waited> {
        let mut words = Words::default();
        let mut wait_ms = None;
        let mut asks = false;
        let mut from = Vec::new();
        for index in at.index..self.lines(at).len() {
            let line = self.lines(at)[index].clone();
            let args = self.known(at, &line.args);
            from.push(line.at.clone());
            match line.app.as_str() {
                "background" | "playback" => {
                    asks |= line.app == "background";
                    if line.app == "background" && line.arguments().get(3).is_some_and(|other| !other.is_empty()) {
                        let why = "keys are looked up in another context there: the plan takes them from this one";
                        self.notes.changed(&line.at, line.gist(), why, "lead on to a menu in that context by `Goto`");
                    }
                    let sounds = args.split(',').next().unwrap_or_default().to_owned();
                    let more = self.words(&sounds, &line.at);
                    if !more.text.is_empty() {
                        words.join(&more);
                    }
                }
                "execif" if message_of(&args).is_some() => {
                    asks = true;
                    let sounds = self.set_before(at, index, &message_of(&args).unwrap_or_default());
                    let more = self.words(&sounds, &line.at);
                    if !more.text.is_empty() {
                        words.join(&more);
                    }
                }
                "noop" | "verbose" | "log" | "wait" | "answer" => {}
                "set" if args.to_ascii_uppercase().starts_with("TIMEOUT(RESPONSE)") => {
                    wait_ms = args.split_once('=').and_then(|(_, value)| seconds(value));
                }
                "set" if args.to_ascii_uppercase().starts_with("TIMEOUT(") => self.absolute(&line),
                "waitexten" => {
                    wait_ms = seconds(args.split(',').next().unwrap_or_default()).or(wait_ms);
                    return Some(Waited { words, wait_ms, lines: from, until: index });
                }
                _ => return None,
            }
        }
        asks.then(|| Waited { words, wait_ms, lines: from, until: self.lines(at).len() })
    }

    /// A name of sounds with what the extension has set before in it.
    fn set_before(&self, at: At, index: usize, sounds: &str) -> String {
        let mut known = sounds.to_owned();
        for line in self.lines(at)[..index].iter().rev().filter(|line| line.app == "set") {
            if let Some((name, value)) = line.args.split_once('=') {
                known = known.replace(&format!("${{{}}}", name.trim().trim_start_matches('_')), value.trim());
            }
        }
        known
    }

    /// What `Set(TIMEOUT(…))` says anywhere in a context: for an answer, and between digits.
    fn timeouts(&self, context: usize) -> (Option<u64>, Option<u64>) {
        let (mut response, mut digit) = (None, None);
        let lines = self.dialplan.contexts[context].extensions.iter().flat_map(|extension| &extension.lines);
        for line in lines.filter(|line| line.app == "set") {
            let Some((name, value)) = line.args.split_once('=') else { continue };
            match name.trim().to_ascii_uppercase().as_str() {
                "TIMEOUT(RESPONSE)" => response = response.or(seconds(value)),
                "TIMEOUT(DIGIT)" => digit = digit.or(seconds(value)),
                _ => {}
            }
        }
        (response, digit)
    }

    /// Where `t` or `i` leads. One that says something and comes back is what a question does by itself.
    fn on_failure(&mut self, at: At, until: usize, extension: &str, phrase: &'static str) -> Option<To> {
        let found = self.find(at.frame, at.context, extension)?;
        if found.extension == at.extension && found.context == at.context {
            return None;
        }
        let mut said = Words::default();
        for index in 0..self.lines(found).len() {
            let line = self.lines(found)[index].clone();
            match line.app.as_str() {
                "playback" | "background" => {
                    let sounds = line.args.split(',').next().unwrap_or_default().to_owned();
                    let more = self.words(&sounds, &line.at);
                    said.join(&more);
                }
                "noop" | "verbose" | "wait" | "answer" => {}
                "goto" => {
                    let to = self.resolve(found, &self.known(found, &line.args))?;
                    let back = to.context == at.context && to.extension == at.extension && to.index <= until;
                    if !back {
                        break;
                    }
                    let why = "callers could be asked for ever: the plan asks three times, then goes on to its way out";
                    self.notes.changed(&line.at, line.gist(), why, "set `tries: { max: …, go: … }` as you like it");
                    for seen in 0..=index {
                        self.seen.insert((found.context, found.extension, seen));
                        let from = self.lines(found)[seen].at.clone();
                        self.made_of.push(from);
                    }
                    if !said.text.is_empty() {
                        self.own_words(phrase, said.text, &line);
                    }
                    return None;
                }
                _ => break,
            }
        }
        Some(self.place(found))
    }

    /// What is said before a question is asked again, once for the whole plan.
    fn own_words(&mut self, phrase: &'static str, text: String, line: &Line) {
        match self.draft.phrases.get(phrase) {
            None => {
                self.draft.phrases.insert(phrase, text);
            }
            Some(known) if *known == text => {}
            Some(_) => {
                let why = format!("another menu says something else here, and `{phrase}` is one for the whole plan");
                self.notes.changed(&line.at, text, why, "put these words into the `reprompt` of the menu");
            }
        }
    }

    fn options(&mut self, keys: &[(String, At)], line: &Line) -> Vec<Choice> {
        let mut options: Vec<Choice> = Vec::new();
        let mut made_up = false;
        for (key, at) in keys {
            let named = self.gist_of(*at);
            let taken = |name: &str| options.iter().any(|option: &Choice| option.name == name);
            let name = named.clone().filter(|name| !taken(name)).unwrap_or_else(|| match key.as_str() {
                "*" => "star".to_owned(),
                "#" => "hash".to_owned(),
                key => format!("key-{key}"),
            });
            let phrase = named.filter(|named| *named == name).map(|named| spoken_name(&named));
            let phrase = phrase.filter(|phrase| phrase.chars().any(char::is_alphabetic));
            made_up |= phrase.is_some();
            let go = self.place(*at);
            options.push(Choice { name, key: key.chars().next(), phrases: phrase.into_iter().collect(), go });
        }
        options.sort_by_key(|option| option.key.map(|key| "1234567890*#".find(key)));
        if made_up {
            let why = "callers may speak now: the phrases are made of names in the dialplan";
            self.notes.changed(
                &line.at,
                line.gist(),
                why,
                "write down how callers say what they want, ten phrases an option",
            );
        }
        options
    }

    /// A name for what an extension is about: where it goes, whom it calls.
    fn gist_of(&self, at: At) -> Option<String> {
        for line in self.lines(at) {
            let args = self.known(at, &line.args);
            let parts = line.arguments();
            let name = match line.app.as_str() {
                "noop" | "verbose" | "answer" | "wait" | "set" | "playback" | "background" => continue,
                "goto" | "gosub" if parts.len() >= 3 => parts[0].clone(),
                "goto" if parts.len() == 1 => parts[0].clone(),
                "macro" | "queue" => parts[0].clone(),
                "dial" => args.split(['&', ',']).next()?.rsplit('/').next()?.split('@').next()?.to_owned(),
                "directory" | "hangup" | "voicemailmain" => line.app.clone(),
                _ => return None,
            };
            let name = plain_name(&name).to_lowercase();
            let sound = name.chars().filter(|letter| letter.is_alphabetic()).count() >= 3 && !args.contains("${");
            return sound.then_some(name);
        }
        None
    }

    /// Longer extensions: digits are asked for, and lead on by what they are.
    fn digits(&mut self, at: At, name: &str, line: &Line, asking: Asking, keys: &[(String, At)]) -> Kind {
        for (key, _) in keys.iter().filter(|(key, _)| key == "*" || key == "#") {
            let why = format!("where extensions have several digits, `{key}` cannot be one of its own");
            self.notes.lost(&line.at, format!("extension {key}"), why, "give it a digit, or a menu in front");
        }
        let mut numbers = self.numbers_of(at.context);
        numbers
            .retain(|(_, at)| !is_international(&self.dialplan.contexts[at.context].extensions[at.extension].pattern));
        for (context, extension) in self.extensions(at.context) {
            let found = &self.dialplan.contexts[context].extensions[extension];
            let special = SPECIAL.contains(&found.pattern.to_lowercase().as_str())
                || found.pattern.len() == 1
                || is_international(&found.pattern);
            let known = numbers.iter().any(|(_, at)| (at.context, at.extension) == (context, extension));
            if !special && !known {
                let from = found.lines.first().map_or(&line.at, |line| &line.at).clone();
                let what = found.pattern.clone();
                let why = "callers cannot say or press this as a number";
                self.notes.lost(&from, what, why, "reach it by a menu, or leave it out");
            }
        }
        let least = numbers.iter().map(|(pattern, _)| pattern.least).min().unwrap_or(1).max(1);
        let most = numbers.iter().map(|(pattern, _)| pattern.most).max().unwrap_or(1);
        let wrong = asking.no_match.clone();
        let ways: Vec<_> = numbers
            .iter()
            .map(|(pattern, place)| (pattern.condition("extension"), At { frame: at.frame, ..*place }))
            .collect();
        let ways = ways.into_iter().map(|(condition, place)| (condition, self.place(place))).collect();
        let which = self.fresh(&format!("{name}-which"));
        let otherwise = wrong.unwrap_or_else(|| To::step(name));
        self.draft.put(&which, Some(&line.at), Kind::Branch { ways, otherwise });
        Kind::Digits {
            asking,
            min: least,
            max: most,
            slot: "extension".to_owned(),
            sensitive: false,
            go: To::step(&which),
        }
    }
}
