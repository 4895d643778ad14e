//! Priorities, one by one, as steps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::expr::{self, Numbers};
use super::menu::message_of;
use super::parse::{Dialplan, Line, split_outside};
use super::pattern::Pattern;
use super::sounds;
use crate::import::draft::{Asking, BYE, Draft, Kind, Names, To, Words, quoted};
use crate::import::secrets::is_secret;
use crate::import::{Notes, Place};

/// Steps at most: a plan takes 5,000.
const MOST_STEPS: usize = 4_500;
/// Subroutines within subroutines.
const MOST_NESTED: usize = 6;
/// Copies of subroutines, one for each place they are called from.
const MOST_FRAMES: usize = 300;

/// A priority: copy of its subroutine, context, extension, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub frame: usize,
    pub context: usize,
    pub extension: usize,
    pub index: usize,
}

/// One use of a subroutine; the first is the dialplan itself.
#[derive(Debug)]
struct Frame {
    args: Vec<String>,
    back: To,
    depth: usize,
    /// A macro ends where its priorities end.
    ends_by_itself: bool,
}

pub(super) struct Converter<'a> {
    pub dialplan: &'a Dialplan,
    pub notes: &'a mut Notes,
    pub draft: Draft,
    pub numbers: Numbers,
    /// Globals that nothing changes, by their name in capitals.
    constants: BTreeMap<String, String>,
    /// Does anything ask how a call to somebody ended?
    pub reads_status: bool,
    sounds: Option<&'a Path>,
    frames: Vec<Frame>,
    names: BTreeMap<At, String>,
    taken: Names,
    waiting: VecDeque<(At, String)>,
    /// Lines that became something, or were noted.
    pub seen: BTreeSet<(usize, usize, usize)>,
    /// Further lines that the step in hand is made of.
    pub made_of: Vec<Place>,
}

/// Converts what can be reached from a context.
pub(super) fn convert(
    dialplan: &Dialplan,
    begins: &str,
    draft: Draft,
    sounds: Option<&Path>,
    notes: &mut Notes,
) -> Draft {
    let mut numbers = Numbers::new();
    let mut set = BTreeSet::new();
    let mut reads_status = false;
    let lines = dialplan.contexts.iter().flat_map(|context| &context.extensions).flat_map(|extension| &extension.lines);
    for line in lines {
        expr::numbers_in(&line.args, &mut numbers);
        reads_status |= line.args.contains("${DIALSTATUS}");
        if line.app == "set" {
            let name = line.args.split('=').next().unwrap_or_default().trim().to_ascii_uppercase();
            set.insert(name.trim_start_matches("GLOBAL(").trim_end_matches(')').trim_start_matches('_').to_owned());
        }
    }
    let constants = dialplan.globals.iter().map(|(name, value, _)| (name.to_ascii_uppercase(), value.clone()));
    let constants = constants.filter(|(name, _)| !set.contains(name)).collect();
    let outside = Frame { args: Vec::new(), back: To::step(BYE), depth: 0, ends_by_itself: true };
    let mut converter = Converter {
        dialplan,
        notes,
        draft,
        numbers,
        constants,
        reads_status,
        sounds,
        frames: vec![outside],
        names: BTreeMap::new(),
        taken: Names::default(),
        waiting: VecDeque::new(),
        seen: BTreeSet::new(),
        made_of: Vec::new(),
    };
    converter.start(begins);
    while let Some((at, name)) = converter.waiting.pop_front() {
        let line = converter.line(at).clone();
        converter.seen.insert((at.context, at.extension, at.index));
        let kind = converter.kind(at, &name, &line);
        converter.draft.put(&name, Some(&line.at), kind);
        let more = std::mem::take(&mut converter.made_of);
        if let Some(step) = converter.draft.steps.last_mut() {
            step.from.extend(more);
        }
    }
    converter.unseen();
    converter.draft
}

impl Converter<'_> {
    /// Where calls begin: at `s`, or where the called number leads.
    fn start(&mut self, begins: &str) {
        let context = self.dialplan.contexts.iter().position(|context| context.name == begins).unwrap_or(0);
        let changed: Vec<_> = self.dialplan.globals.iter().collect();
        let changed: Vec<(String, String)> = changed
            .into_iter()
            .filter(|(name, ..)| !self.constants.contains_key(&name.to_ascii_uppercase()))
            .filter_map(|(name, value, _)| Some((expr::name_of(name)?, value.clone())))
            .map(|(name, value)| (name.clone(), self.literal(&name, &value)))
            .collect();
        let called = self.called(context);
        self.draft.start = match (called, changed.is_empty()) {
            (To::Step(name), true) => name,
            (go, _) => {
                let name = self.fresh("start");
                let kind = if changed.is_empty() { Kind::Goto(go) } else { Kind::Set { values: changed, go } };
                self.draft.put(&name, None, kind);
                name
            }
        };
    }

    fn called(&mut self, context: usize) -> To {
        if let Some(at) = self.find(0, context, "s") {
            return self.place(at);
        }
        let mut numbers = self.numbers_of(context);
        // One digit is a key of a menu in the same context, where any number is longer.
        if numbers.iter().any(|(pattern, _)| pattern.most > 1) {
            numbers.retain(|(pattern, _)| pattern.most > 1);
        }
        let plan = self.dialplan;
        let from = plan.contexts[context].at.clone();
        match numbers.as_slice() {
            [] => {
                let first = plan.contexts[context].extensions.first();
                let why = "no extension of this context is a number, and there is no `s`";
                self.notes.lost(
                    &from,
                    format!("[{}]", plan.contexts[context].name),
                    why,
                    "name another with --context",
                );
                match first {
                    Some(_) => self.place(At { frame: 0, context, extension: 0, index: 0 }),
                    None => To::step(BYE),
                }
            }
            [(_, at)] => self.place(*at),
            _ => {
                let ways =
                    numbers.iter().map(|(pattern, at)| (pattern.condition("extension"), *at)).collect::<Vec<_>>();
                let ways = ways.into_iter().map(|(condition, at)| (condition, self.place(at))).collect();
                let name = self.fresh("called-number");
                let otherwise = match self.find(0, context, "i") {
                    Some(at) => self.place(at),
                    None => To::step(BYE),
                };
                self.draft.put(&name, Some(&from), Kind::Branch { ways, otherwise });
                let start = self.fresh("called");
                let values = vec![("extension".to_owned(), quoted("= call.called"))];
                self.draft.put(&start, Some(&from), Kind::Set { values, go: To::step(&name) });
                To::step(&start)
            }
        }
    }

    /// Extensions of a context and those it includes that are numbers, the tightest first.
    pub fn numbers_of(&self, context: usize) -> Vec<(Pattern, At)> {
        let all = self.extensions(context);
        let parsed = all.into_iter().filter_map(|(context, extension)| {
            let pattern = &self.dialplan.contexts[context].extensions[extension].pattern;
            Some((Pattern::parse(pattern)?, At { frame: 0, context, extension, index: 0 }))
        });
        let mut numbers: Vec<_> = parsed.collect();
        numbers.sort_by_key(|(pattern, _)| pattern.looseness());
        numbers
    }

    /// Extensions of a context, then of those it includes, each once.
    pub fn extensions(&self, context: usize) -> Vec<(usize, usize)> {
        let contexts = &self.dialplan.contexts;
        let (mut order, mut seen) = (vec![context], BTreeSet::from([context]));
        let mut next = 0;
        while let Some(place) = order.get(next).copied() {
            next += 1;
            for (name, _) in &contexts[place].includes {
                let found = contexts.iter().position(|context| context.name.eq_ignore_ascii_case(name));
                order.extend(found.filter(|found| seen.insert(*found)));
            }
        }
        let mut known = BTreeSet::new();
        let all = order.into_iter().flat_map(|place| (0..contexts[place].extensions.len()).map(move |at| (place, at)));
        all.filter(|(place, at)| known.insert(contexts[*place].extensions[*at].pattern.to_lowercase())).collect()
    }

    /// An extension by its name, or as a number that a pattern takes.
    pub fn find(&self, frame: usize, context: usize, wanted: &str) -> Option<At> {
        let all = self.extensions(context);
        let pattern = |(context, at): &(usize, usize)| &self.dialplan.contexts[*context].extensions[*at].pattern;
        let exact = all.iter().find(|place| pattern(place).eq_ignore_ascii_case(wanted));
        let matching = || self.numbers_of(context).into_iter().find(|(pattern, _)| pattern.takes(wanted));
        match exact {
            Some((context, extension)) => Some(At { frame, context: *context, extension: *extension, index: 0 }),
            None => matching().map(|(_, at)| At { frame, ..at }),
        }
    }

    pub fn line(&self, at: At) -> &Line {
        &self.lines(at)[at.index]
    }

    pub fn lines(&self, at: At) -> &[Line] {
        &self.dialplan.contexts[at.context].extensions[at.extension].lines
    }

    /// The step that a priority becomes, which is made if it is new.
    pub fn place(&mut self, at: At) -> To {
        if let Some(name) = self.names.get(&at) {
            return To::step(name);
        }
        let plan = self.dialplan;
        let context = &plan.contexts[at.context];
        let extension = &context.extensions[at.extension];
        let Some(line) = extension.lines.get(at.index) else {
            let frame = &self.frames[at.frame];
            return if frame.ends_by_itself { frame.back.clone() } else { To::step(BYE) };
        };
        if self.names.len() >= MOST_STEPS {
            let why = "the plan has as many steps as a plan may have";
            self.notes.lost(&line.at, line.gist(), why, "import one context at a time with --context");
            return To::step(BYE);
        }
        let mut wanted = match extension.pattern.as_str() {
            "s" => context.name.clone(),
            pattern => format!("{}-{pattern}", context.name),
        };
        match (&line.label, at.index) {
            (Some(label), _) => wanted.push_str(&format!("-{label}")),
            (None, 0) => {}
            (None, _) => wanted.push_str(&format!("-{}", line.number)),
        }
        let name = self.fresh(&wanted);
        self.names.insert(at, name.clone());
        self.waiting.push_back((at, name.clone()));
        To::step(&name)
    }

    pub fn next(&mut self, at: At) -> To {
        self.place(At { index: at.index + 1, ..at })
    }

    /// A name nobody has.
    pub fn fresh(&mut self, wanted: &str) -> String {
        self.taken.fresh(wanted)
    }

    /// What sounds say, `&` between them.
    pub fn words(&mut self, sounds: &str, at: &Place) -> Words {
        let mut said = Words::default();
        let mut recordings = 0;
        for sound in sounds.split('&').map(str::trim).filter(|sound| !sound.is_empty()) {
            if sound.contains("${") {
                let why = "which sound is played depends on a value";
                self.notes.lost(at, sound, why, "write a `branch`, and a `say` for each");
                continue;
            }
            let (text, made_up) = sounds::words(sound);
            let file = self.recording(sound);
            recordings += usize::from(file.is_some());
            if made_up && !text.is_empty() {
                let why = "what this recording says is not known: its name stands in the plan";
                self.notes.changed(at, sound, why, "write the words it says, word for word");
            }
            if !text.is_empty() {
                said.join(&Words { text, file });
            }
        }
        if recordings > 0 && said.file.is_none() {
            let why = "several recordings in a row: the plan speaks their words";
            self.notes.changed(at, sounds, why, "make one recording of them, and name it in `file`");
        }
        said
    }

    fn recording(&self, sound: &str) -> Option<String> {
        let base = self.sounds?;
        if sound.split('/').any(|part| part == "..") {
            return None;
        }
        let found = ["wav", "mp3", "ogg", "flac"].iter().map(|end| base.join(format!("{sound}.{end}")));
        let found = found.into_iter().find(|file| file.is_file())?;
        Some(std::path::absolute(&found).unwrap_or(found).display().to_string())
    }

    /// A line's arguments, with what is known of them before the call.
    pub fn known(&self, at: At, text: &str) -> String {
        let mut known = text.to_owned();
        for (number, arg) in self.frames[at.frame].args.iter().enumerate() {
            known = known.replace(&format!("${{ARG{}}}", number + 1), arg);
        }
        // Globals may be made of globals.
        for _ in 0..4 {
            let before = known.clone();
            for variable in expr::variables(&before) {
                if let Some(value) = self.constants.get(&variable.to_ascii_uppercase()) {
                    known = known.replace(&format!("${{{variable}}}"), value);
                }
            }
            if known == before {
                break;
            }
        }
        known
    }

    /// A value as YAML has it.
    pub fn literal(&self, name: &str, value: &str) -> String {
        let value = value.trim();
        match value.parse::<i64>() {
            Ok(number) if self.numbers.contains(name) => number.to_string(),
            _ if value.is_empty() => "null".to_owned(),
            _ => quoted(value),
        }
    }

    pub fn kind(&mut self, at: At, name: &str, line: &Line) -> Kind {
        let line = Line { args: self.known(at, &line.args), ..line.clone() };
        let args = line.arguments();
        let arg = |place: usize| args.get(place).map(String::as_str).unwrap_or_default();
        match line.app.as_str() {
            "answer" | "ringing" | "progress" | "proceeding" | "noop" | "verbose" | "log" | "wait" | "resetcdr"
            | "nocdr" | "dumpchan" | "startmusiconhold" | "stopmusiconhold" | "stopmixmonitor" | "stopmonitor"
            | "stackpop" | "" => Kind::Goto(self.next(at)),
            "mixmonitor" | "monitor" => {
                let why = "recording is a setting of the gateway, not of the plan";
                self.notes.changed(&line.at, line.gist(), why, "set `enabled = true` in `[recording]`");
                Kind::Goto(self.next(at))
            }
            "playback" | "controlplayback" => {
                let words = self.words(arg(0), &line.at);
                self.say(at, words, Some("off"))
            }
            "background" | "waitexten" => self.menu_or_message(at, name, &line),
            "saydigits" => self.say_value(at, &line, arg(0), " | digits"),
            "saynumber" => self.say_value(at, &line, arg(0), " | number"),
            "sayalpha" | "sayphonetic" => self.say_value(at, &line, arg(0), " | spell"),
            "read" => self.ask(at, &line, &args),
            "goto" => match self.goto_status(at, &line) {
                Some(kind) => kind,
                None => Kind::Goto(self.target(at, &line, &line.args)),
            },
            "gotoif" => self.gotoif(at, &line),
            "gotoiftime" => self.gotoiftime(at, &line),
            "execif" if message_of(&line.args).is_some() && self.waited(at).is_some() => {
                self.menu_or_message(at, name, &line)
            }
            "execif" => self.execif(at, name, &line),
            "while" => self.r#while(at, &line),
            "endwhile" | "continuewhile" => Kind::Goto(self.loop_end(at, false)),
            "exitwhile" => Kind::Goto(self.loop_end(at, true)),
            "set" => self.set(at, &line),
            "mset" => self.mset(at, name, &line),
            "gosub" => self.gosub(at, &line, &line.args, false),
            "macro" => {
                let macro_name = format!("macro-{},s,1({})", arg(0), args[1.min(args.len())..].join(","));
                self.gosub(at, &line, &macro_name, true)
            }
            "gosubif" => self.gosubif(at, name, &line),
            "return" | "macroexit" => {
                let back = self.frames[at.frame].back.clone();
                self.r#return(&line, back)
            }
            "hangup" | "congestion" | "busy" => Kind::Hangup { words: None, result: None },
            "record" | "voicemail" => self.record(at, &line, &args),
            "dial" => self.dial(at, name, &line, &args),
            "queue" => self.queue(at, &line, &args),
            "voicemailmain" | "directory" | "confbridge" | "meetme" | "park" => self.elsewhere(&line, &args),
            app => {
                let help = match app {
                    "agi" | "fastagi" | "deadagi" | "eagi" | "system" | "trysystem" | "curl" => {
                        "let a program of yours answer over HTTP, and ask it in an `http` step"
                    }
                    _ => "write what it did as steps of the plan, or leave it out",
                };
                self.notes.lost(
                    &line.at,
                    line.gist(),
                    format!("plans know nothing like `{app}`; the plan goes on behind it"),
                    help,
                );
                Kind::Goto(self.next(at))
            }
        }
    }

    /// Lines that no call comes to.
    fn unseen(&mut self) {
        for (place, context) in self.dialplan.contexts.iter().enumerate() {
            for (number, extension) in context.extensions.iter().enumerate() {
                let is_unseen = |index: &usize| !self.seen.contains(&(place, number, *index));
                let unseen: Vec<usize> = (0..extension.lines.len()).filter(is_unseen).collect();
                if unseen.len() == extension.lines.len() {
                    let Some(first) = extension.lines.first() else { continue };
                    let what = format!("[{}] {}", context.name, extension.pattern);
                    let (why, help) = match extension.pattern.as_str() {
                        "h" => (
                            "what is done after the caller has hung up is none of the plan's",
                            "the record of the call says what had been reached",
                        ),
                        _ => (
                            "no way leads here from where calls begin",
                            "lead to it by hand if callers shall come here, or begin there with --context",
                        ),
                    };
                    self.notes.lost(&first.at, what, why, help);
                    continue;
                }
                // What only ends a call that has ended already is no loss.
                const IDLE: [&str; 6] = ["hangup", "congestion", "noop", "macroexit", "return", "verbose"];
                for line in unseen.into_iter().map(|index| &extension.lines[index]) {
                    if IDLE.contains(&line.app.as_str()) {
                        continue;
                    }
                    let help = "lead to it by hand if callers shall come here";
                    self.notes.lost(&line.at, line.gist(), "no way leads to this line", help);
                }
            }
        }
    }

    pub fn say(&mut self, at: At, words: Words, barge_in: Option<&'static str>) -> Kind {
        let go = self.next(at);
        if words.text.is_empty() { Kind::Goto(go) } else { Kind::Say { words, barge_in, hangup: None, go } }
    }

    fn say_value(&mut self, at: At, line: &Line, value: &str, how: &str) -> Kind {
        let text = match value.contains("${") {
            true => expr::template(value, how),
            false if how == " | number" => Ok(value.to_owned()),
            false => Ok(value.chars().map(String::from).collect::<Vec<_>>().join(" ")),
        };
        match text {
            Ok(text) => self.say(at, Words::text(text), None),
            Err(variable) => {
                self.unknown(line, &variable);
                Kind::Goto(self.next(at))
            }
        }
    }

    pub fn unknown(&mut self, line: &Line, variable: &str) {
        let why = format!("${{{variable}}} is nothing that a plan knows");
        self.notes.lost(&line.at, line.gist(), why, "keep what it held under a name of its own, by `set` or `http`");
    }

    /// `Read(name,sounds,digits,options,attempts,timeout)`
    fn ask(&mut self, at: At, line: &Line, args: &[String]) -> Kind {
        let arg = |place: usize| args.get(place).map(String::as_str).unwrap_or_default();
        let mut words = self.words(arg(1), &line.at);
        let go = self.next(at);
        let Some(slot) = expr::name_of(arg(0)) else {
            self.unknown(line, arg(0));
            return Kind::Goto(go);
        };
        if words.text.is_empty() {
            words = Words::text(format!("Please enter {}.", crate::import::spoken_name(&slot)));
            let why = "it asks without a word: the plan says something";
            self.notes.changed(&line.at, line.gist(), why, "write what callers shall hear");
        }
        let said =
            |line: &Line| line.app.starts_with("say") && line.args.to_lowercase().contains(&format!("${{{slot}}}"));
        let all = self.dialplan.contexts.iter().flat_map(|context| &context.extensions);
        let secret = is_secret(&slot) && !all.flat_map(|extension| &extension.lines).any(said);
        if secret {
            let why = "it sounds secret: the plan keeps it out of transcripts, records and logs";
            self.notes.changed(&line.at, line.gist(), why, "remove `sensitive: true` if it is not");
        }
        let most = arg(2).parse::<u32>().ok().filter(|most| (1..=40).contains(most));
        let asking = Asking {
            prompt: words,
            tries: arg(4).parse::<u32>().ok().filter(|tries| (1..=10).contains(tries)).or(Some(1)),
            wait_ms: seconds(arg(5)),
            exhausted: Some(go.clone()),
            ..Asking::default()
        };
        Kind::Digits { asking, min: 1, max: most.unwrap_or(40), sensitive: secret || most.is_none(), slot, go }
    }

    /// Goes to `label`, `extension,priority` or `context,extension,priority`.
    pub fn target(&mut self, at: At, line: &Line, written: &str) -> To {
        match self.resolve(at, written) {
            Some(found) => self.place(found),
            None => {
                let why = "where it leads is not in this dialplan, or depends on a value: the plan hangs up";
                self.notes.lost(&line.at, line.gist(), why, "write where callers should go from here");
                To::step(BYE)
            }
        }
    }

    /// The same, only looked up.
    pub fn resolve(&self, at: At, written: &str) -> Option<At> {
        let parts = split_outside(written.trim(), ',');
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (context, extension, priority) = match parts.as_slice() {
            [priority] => (None, None, *priority),
            [extension, priority] => (None, Some(*extension), *priority),
            [context, extension, priority] => (Some(*context), Some(*extension), *priority),
            _ => return None,
        };
        let place = match context {
            Some(name) => self.dialplan.contexts.iter().position(|context| context.name.eq_ignore_ascii_case(name))?,
            None => at.context,
        };
        let own = |extension: &str| extension.eq_ignore_ascii_case("${EXTEN}") && context.is_none();
        let found = match extension {
            Some(wanted) if !own(wanted) => self.find(at.frame, place, wanted)?,
            _ => At { index: 0, ..at },
        };
        let lines = self.lines(found);
        let index = match priority.parse::<u32>() {
            Ok(number) => lines.iter().position(|line| line.number == number)?,
            Err(_) => lines.iter().position(|line| line.label.as_deref() == Some(priority))?,
        };
        Some(At { index, ..found })
    }

    /// Context and copy of a subroutine for a call from here.
    fn gosub(&mut self, at: At, line: &Line, written: &str, is_macro: bool) -> Kind {
        let (place, args) = match written.split_once('(') {
            Some((place, args)) => (place, args.strip_suffix(')').unwrap_or(args)),
            None => (written, ""),
        };
        let back = self.next(at);
        let depth = self.frames[at.frame].depth + 1;
        let found = self.resolve(at, place);
        let Some(found) = found.filter(|_| depth <= MOST_NESTED && self.frames.len() < MOST_FRAMES) else {
            let why = match found {
                Some(_) => "subroutines call each other in a circle, or too often",
                None => "this subroutine is not in the dialplan",
            };
            self.notes.lost(&line.at, line.gist(), why, "write what it did as steps, or as a plan of its own (`run`)");
            return Kind::Goto(back);
        };
        let args = if args.trim().is_empty() { Vec::new() } else { split_outside(args, ',') };
        self.frames.push(Frame { args, back, depth, ends_by_itself: is_macro });
        Kind::Goto(self.place(At { frame: self.frames.len() - 1, ..found }))
    }
}

/// `5` or `5.5`, in milliseconds a question may wait.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let seconds = text.trim().parse::<f64>().ok().filter(|seconds| *seconds > 0.0)?;
    Some(((seconds * 1000.0) as u64).clamp(500, 60_000))
}
