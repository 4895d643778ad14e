//! Priorities that choose: conditions, times, loops and values.

use super::convert::{At, Converter};
use super::expr;
use super::parse::{Line, split_outside};
use crate::import::draft::{BYE, Kind, To, quoted};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Converter<'_> {
    /// `GotoIf(condition?there:elsewhere)`
    pub(super) fn gotoif(&mut self, at: At, line: &Line) -> Kind {
        let (condition, there, elsewhere) = choice(&line.args);
        let [there, elsewhere] = [there, elsewhere].map(|to| match to.is_empty() {
            true => self.next(at),
            false => self.target(at, line, &to),
        });
        self.branch(line, &condition, there, elsewhere)
    }

    fn branch(&mut self, line: &Line, condition: &str, there: To, elsewhere: To) -> Kind {
        match expr::condition(condition, &self.numbers) {
            Ok(condition) if condition == "true" => Kind::Goto(there),
            Ok(condition) if condition == "false" => Kind::Goto(elsewhere),
            Ok(condition) => Kind::Branch { ways: vec![(condition, there)], otherwise: elsewhere },
            Err(why) => {
                let why = format!("{why}: the plan takes the condition for not met");
                self.notes.lost(
                    &line.at,
                    line.gist(),
                    why,
                    "write a `branch` with a condition that says what it meant",
                );
                Kind::Goto(elsewhere)
            }
        }
    }

    /// `GotoIfTime(09:00-17:00,mon-fri,*,*?there:elsewhere)`
    pub(super) fn gotoiftime(&mut self, at: At, line: &Line) -> Kind {
        let (times, there, elsewhere) = choice(&line.args);
        let [there, elsewhere] = [there, elsewhere].map(|to| match to.is_empty() {
            true => self.next(at),
            false => self.target(at, line, &to),
        });
        match calendar(&times) {
            Ok(condition) if condition.is_empty() => Kind::Goto(there),
            Ok(condition) => Kind::Branch { ways: vec![(condition, there)], otherwise: elsewhere },
            Err(why) => {
                let why = format!("{why}: the plan takes it for another time");
                self.notes.lost(
                    &line.at,
                    line.gist(),
                    why,
                    "write a `branch` on `now.time`, `now.weekday` and `now.date`",
                );
                Kind::Goto(elsewhere)
            }
        }
    }

    /// `ExecIf(condition?App(args):Other(args))`
    pub(super) fn execif(&mut self, at: At, name: &str, line: &Line) -> Kind {
        let (condition, done, otherwise) = choice(&line.args);
        let mut ways = [done, otherwise].into_iter().enumerate().map(|(place, written)| {
            if written.is_empty() {
                return self.next(at);
            }
            let (app, args) = written.split_once('(').unwrap_or((&written, ""));
            let args = args.strip_suffix(')').unwrap_or(args).to_owned();
            let one = Line { app: app.trim().to_ascii_lowercase(), args, ..line.clone() };
            let step = self.fresh(&format!("{name}-{}", ["then", "else"][place]));
            // What follows either is what follows this line.
            let kind = match one.app.as_str() {
                "background" | "waitexten" | "while" | "endwhile" | "execif" => {
                    let help = "write it as a line of its own behind a `GotoIf`, and import again";
                    self.notes.lost(&line.at, one.gist(), "it stands inside ExecIf", help);
                    Kind::Goto(self.next(at))
                }
                _ => self.kind(at, &step, &one),
            };
            self.draft.put(&step, Some(&line.at), kind);
            To::step(&step)
        });
        let (there, elsewhere) = (ways.next(), ways.next());
        drop(ways);
        let bye = || To::step(BYE);
        self.branch(line, &condition, there.unwrap_or_else(bye), elsewhere.unwrap_or_else(bye))
    }

    /// `GosubIf(condition?there(args):elsewhere(args))`
    pub(super) fn gosubif(&mut self, at: At, name: &str, line: &Line) -> Kind {
        let (condition, there, elsewhere) = choice(&line.args);
        let called = |written: String| if written.is_empty() { written } else { format!("Gosub({written})") };
        let args = format!("{condition}?{}:{}", called(there), called(elsewhere));
        self.execif(at, name, &Line { args, ..line.clone() })
    }

    /// `While(condition)`: behind its `EndWhile` when it does not hold.
    pub(super) fn r#while(&mut self, at: At, line: &Line) -> Kind {
        let (there, elsewhere) = (self.next(at), self.behind_loop(at, line));
        self.branch(line, &line.args.clone(), there, elsewhere)
    }

    fn behind_loop(&mut self, at: At, line: &Line) -> To {
        let mut depth = 0_usize;
        for (index, other) in self.lines(at).iter().enumerate().skip(at.index + 1) {
            match other.app.as_str() {
                "while" => depth += 1,
                "endwhile" if depth == 0 => return self.place(At { index: index + 1, ..at }),
                "endwhile" => depth -= 1,
                _ => {}
            }
        }
        self.notes.lost(&line.at, line.gist(), "no EndWhile follows", "end the loop, or write it as steps");
        To::step(BYE)
    }

    /// From inside a loop: back to its beginning, or behind it.
    pub(super) fn loop_end(&mut self, at: At, leave: bool) -> To {
        let mut depth = 0_usize;
        for index in (0..at.index).rev() {
            match self.lines(at)[index].app.as_str() {
                "endwhile" => depth += 1,
                "while" if depth > 0 => depth -= 1,
                "while" => {
                    let begins = At { index, ..at };
                    let line = self.line(begins).clone();
                    return if leave { self.behind_loop(begins, &line) } else { self.place(begins) };
                }
                _ => {}
            }
        }
        let line = self.line(at).clone();
        self.notes.lost(&line.at, line.gist(), "it stands in no loop", "remove it");
        self.next(at)
    }

    /// `MSet(NAME=value,NAME=value…)`
    pub(super) fn mset(&mut self, at: At, name: &str, line: &Line) -> Kind {
        let go = self.next(at);
        let all = split_outside(&line.args, ',');
        let mut first = Kind::Goto(go);
        for (place, args) in all.into_iter().enumerate().rev() {
            let mut one = self.set(at, &Line { args, ..line.clone() });
            if let Kind::Set { go, .. } | Kind::Tag { go, .. } | Kind::Goto(go) = &mut one {
                *go = match &first {
                    Kind::Goto(next) => next.clone(),
                    _ => {
                        let step = self.fresh(&format!("{name}-{}", place + 2));
                        self.draft.put(&step, Some(&line.at), first);
                        To::Step(step)
                    }
                };
            }
            first = one;
        }
        first
    }

    /// `Return(value)`: back to who called, who may read the value as `${GOSUB_RETVAL}`.
    pub(super) fn r#return(&mut self, line: &Line, back: To) -> Kind {
        let value = line.args.trim();
        if value.is_empty() || line.app != "return" {
            return Kind::Goto(back);
        }
        let written = match value.contains("${") {
            true => expr::template(value, "").map(|text| quoted(&text)),
            false => Ok(self.literal("gosub_retval", value.trim_matches('"'))),
        };
        match written {
            Ok(value) => Kind::Set { values: vec![("gosub_retval".to_owned(), value)], go: back },
            Err(variable) => {
                self.unknown(line, &variable);
                Kind::Goto(back)
            }
        }
    }

    /// `Set(NAME=value)`
    pub(super) fn set(&mut self, at: At, line: &Line) -> Kind {
        let go = self.next(at);
        let Some((name, value)) = line.args.split_once('=') else {
            self.notes.lost(&line.at, line.gist(), "it sets nothing", "remove it");
            return Kind::Goto(go);
        };
        let name = name.trim().trim_start_matches('_');
        let upper = name.to_ascii_uppercase();
        let inside = |function: &str| upper.starts_with(function).then(|| name[function.len()..].trim_end_matches(')'));
        if upper.starts_with("TIMEOUT(") {
            self.absolute(line);
            // Menus of this context have taken the others over.
            return Kind::Goto(go);
        }
        let tag = inside("CDR(");
        let theirs = tag.or_else(|| inside("GLOBAL(")).or_else(|| inside("LOCAL(")).unwrap_or(name);
        // Facts of the call can be read, not set.
        let Some(ours) = expr::name_of(theirs).filter(|ours| !ours.contains('.')) else {
            let why = if upper.starts_with("CHANNEL(LANGUAGE") {
                "the plan speaks one language".to_owned()
            } else {
                format!("`{name}` is nothing that a plan can set")
            };
            let help = "add the language to `languages`, with its texts, and `set: { language: … }`";
            let help =
                if upper.starts_with("CHANNEL(LANGUAGE") { help } else { "leave it out, or write what it was for" };
            self.notes.lost(&line.at, line.gist(), why, help);
            return Kind::Goto(go);
        };
        let value = value.trim();
        let written = match value.strip_prefix("$[").and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => expr::calculation(inner, &self.numbers).map(|text| quoted(&format!("= {text}"))),
            None if value.contains("${") => {
                expr::template(value, "").map(|text| quoted(&text)).map_err(|name| format!("${{{name}}} is not known"))
            }
            None => Ok(self.literal(&ours, value.trim_matches('"'))),
        };
        match written {
            Ok(value) if tag.is_some() => Kind::Tag { values: vec![(ours, value)], go },
            Ok(value) => Kind::Set { values: vec![(ours, value)], go },
            Err(why) => {
                self.notes.lost(&line.at, line.gist(), why, "keep what is meant by `set`, in words of the plan");
                Kind::Goto(go)
            }
        }
    }
}

impl Converter<'_> {
    /// `Set(TIMEOUT(absolute)=…)` ends calls, which is none of a menu's.
    pub(super) fn absolute(&mut self, line: &Line) {
        if line.args.to_ascii_uppercase().starts_with("TIMEOUT(ABSOLUTE") {
            let why = "how long a call may take is a setting of the gateway, not of the plan";
            self.notes.lost(&line.at, line.gist(), why, "look at `max_call` in config.example.toml");
        }
    }
}

/// `condition?there:elsewhere`, either of which may be missing.
fn choice(text: &str) -> (String, String, String) {
    let parts = split_outside(text, '?');
    let condition = parts.first().cloned().unwrap_or_default();
    let ways = split_outside(&parts.get(1..).unwrap_or_default().join("?"), ':');
    let way = |place: usize| ways.get(place).cloned().unwrap_or_default();
    (condition, way(0), way(1))
}

/// `times,days,days of the month,months` as a condition; an empty one always holds.
fn calendar(text: &str) -> Result<String, String> {
    let parts = split_outside(text, if text.contains('|') { '|' } else { ',' });
    let part =
        |place: usize| parts.get(place).map(|part| part.to_lowercase()).filter(|part| part != "*" && !part.is_empty());
    let mut all = Vec::new();
    if let Some(times) = part(0) {
        let ranges: Result<Vec<_>, _> = times.split('&').map(hours).collect();
        all.push(either(ranges?));
    }
    if let Some(days) = part(1) {
        let wanted: Result<Vec<_>, _> = days.split('&').map(weekdays).collect();
        let wanted: Vec<String> = wanted?.into_iter().flatten().map(|day| format!("\"{day}\"")).collect();
        all.push(format!("now.weekday in [{}]", wanted.join(", ")));
    }
    if let Some(days) = part(2) {
        let range = numbers(&days, 1, 31).ok_or_else(|| format!("`{days}` are no days of a month"))?;
        all.push(either(range.iter().map(|day| format!("now.date.endsWith(\"-{day:02}\")")).collect()));
    }
    if let Some(months) = part(3) {
        let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let number = |name: &str| names.iter().position(|month| name.starts_with(month)).map(|at| at as u32 + 1);
        let ends: Option<Vec<u32>> = months.split('-').map(|name| number(name.trim())).collect();
        let ends = ends.filter(|ends| ends.len() <= 2).ok_or_else(|| format!("`{months}` are no months"))?;
        let (first, last) = (ends[0], *ends.last().unwrap_or(&ends[0]));
        let range =
            if first <= last { (first..=last).collect() } else { (first..=12).chain(1..=last).collect::<Vec<_>>() };
        let dates: Vec<String> = range.iter().map(|month| format!("now.date.matches(\"-{month:02}-\")")).collect();
        all.push(either(dates));
    }
    Ok(all.join(" && "))
}

fn either(parts: Vec<String>) -> String {
    if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(" || ")) }
}

fn numbers(text: &str, least: u32, most: u32) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in text.split('&') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        if first < least || last > most || last < first {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

/// `09:00-17:59`: the minute that ends it is in it.
fn hours(range: &str) -> Result<String, String> {
    let wrong = || format!("`{range}` is no stretch of time");
    let (from, to) = range.split_once('-').ok_or_else(wrong)?;
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)? + 1);
    let clock = |minute: u32| format!("\"{:02}:{:02}\"", minute / 60, minute % 60);
    let begins = format!("now.time >= {}", clock(from));
    let ends = format!("now.time < {}", clock(to % (24 * 60)));
    Ok(match (to == 24 * 60, from < to) {
        (true, _) => begins,
        (false, true) => format!("({begins} && {ends})"),
        // Over midnight.
        (false, false) => format!("({begins} || {ends})"),
    })
}

fn weekdays(range: &str) -> Result<Vec<&'static str>, String> {
    let day = |name: &str| DAYS.iter().position(|day| name.trim().starts_with(day));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (day(first), day(last)) {
        (Some(first), Some(last)) if first <= last => Ok(DAYS[first..=last].to_vec()),
        (Some(first), Some(last)) => Ok([&DAYS[first..], &DAYS[..=last]].concat()),
        _ => Err(format!("`{range}` are no days of the week")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::condition::Condition;

    #[test]
    fn office_hours_become_a_condition_on_the_clock() {
        for (theirs, ours) in [
            (
                "09:00-17:59,mon-fri,*,*",
                "(now.time >= \"09:00\" && now.time < \"18:00\") && now.weekday in [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]",
            ),
            ("22:00-05:59|*|*|*", "(now.time >= \"22:00\" || now.time < \"06:00\")"),
            ("18:00-23:59,sat-mon", "now.time >= \"18:00\" && now.weekday in [\"sat\", \"sun\", \"mon\"]"),
            (
                "*,*,25-26,dec",
                "(now.date.endsWith(\"-25\") || now.date.endsWith(\"-26\")) && now.date.matches(\"-12-\")",
            ),
            ("*,*,*,*", ""),
        ] {
            let converted = calendar(theirs).unwrap();
            assert_eq!(converted, ours, "{theirs}");
            assert!(converted.is_empty() || Condition::parse(&converted).is_ok(), "{converted}");
        }
        for wrong in
            ["9-17,*,*,*", "25:00-26:00,*,*,*", "*,moonday,*,*", "*,*,32,*", "*,*,*,never", "*,*,*,jan-feb-mar"]
        {
            assert!(calendar(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_choice_is_split_where_it_divides() {
        let split = |text| {
            let (condition, there, elsewhere) = choice(text);
            [condition, there, elsewhere]
        };
        assert_eq!(split("$[\"${X}\" = \"a?b:c\"]?yes,1:no,1"), ["$[\"${X}\" = \"a?b:c\"]", "yes,1", "no,1"]);
        assert_eq!(split("${X}?:no"), ["${X}", "", "no"]);
        assert_eq!(split("${X}"), ["${X}", "", ""]);
    }
}
