//! Priorities that give the caller to somebody: people, queues, and a tape.

use super::convert::{At, Converter, seconds};
use super::parse::Line;
use super::{expr, sounds};
use crate::import::draft::{BYE, Kind, To, Words, quoted};
use crate::import::plain_name;

/// What `DIALSTATUS` says, by how our `transfer` ends.
const STATUSES: [(&str, &str); 3] = [("busy", "BUSY"), ("no-answer", "NOANSWER"), ("failed", "CHANUNAVAIL")];

impl Converter<'_> {
    /// `Dial(technology/whom&…,ring,options)`
    pub(super) fn dial(&mut self, at: At, name: &str, line: &Line, args: &[String]) -> Kind {
        let arg = |place: usize| args.get(place).map(String::as_str).unwrap_or_default();
        let mut all = arg(0).split('&').map(str::trim).filter(|whom| !whom.is_empty());
        let Some(first) = all.next() else {
            self.notes.lost(&line.at, line.gist(), "it calls nobody", "write whom to call, as a `transfer`");
            return Kind::Goto(self.next(at));
        };
        if all.next().is_some() {
            let why = "several telephones ring at once there: the plan calls the first";
            self.notes.changed(&line.at, line.gist(), why, "make a group of agents of them, and a `queue`");
        }
        // `Local/100@office` is an extension of the dialplan itself.
        if let Some((extension, context)) = first.strip_prefix("Local/").and_then(|local| local.split_once('@')) {
            let context = context.split('/').next().unwrap_or_default();
            let written = format!("{context},{extension},1");
            return Kind::Goto(self.target(at, line, &written));
        }
        let to = match whom(first) {
            Ok(to) => to,
            Err(variable) => {
                self.unknown(line, &variable);
                return Kind::Goto(self.next(at));
            }
        };
        if to.starts_with("sip:") {
            let why = "on which machine this telephone is registered is not in the dialplan";
            self.notes.changed(&line.at, line.gist(), why, "write its SIP address in place of pbx.example");
        } else {
            let why = "a number is called through the trunk that the call came by";
            self.notes.changed(&line.at, line.gist(), why, "name another with `trunk`");
        }
        let ring_ms = seconds(arg(1)).map(|ms| ms.clamp(5_000, 120_000));
        let options = flags(arg(2));
        let stays = options.contains('g');
        // Sound for the caller, hold, transfers and recording by key: those are the gateway's, or no loss.
        let other: String = options.chars().filter(|flag| !"grtTmwWkKxXhHiIcCojJNnRdB".contains(*flag)).collect();
        if !other.is_empty() {
            let why = format!("the options `{other}` of this call are not taken over");
            self.notes.lost(&line.at, line.gist(), why, "write what they did: limits, messages, subroutines, keys");
        }
        let next = self.next(at);
        let go = if stays { next.clone() } else { To::step(BYE) };
        let [busy, no_answer, failed] = STATUSES.map(|(word, status)| {
            if !self.reads_status {
                return None;
            }
            let step = self.fresh(&format!("{name}-{word}"));
            let values = vec![("dialstatus".to_owned(), quoted(status))];
            self.draft.put(&step, Some(&line.at), Kind::Set { values, go: next.clone() });
            Some(To::Step(step))
        });
        Kind::Transfer { to, how: "bridge", ring_ms, go: Some(go), failed: failed.unwrap_or(next), busy, no_answer }
    }

    /// `Goto` to where the end of a call decides: `s-${DIALSTATUS}`.
    pub(super) fn goto_status(&mut self, at: At, line: &Line) -> Option<Kind> {
        let (before, after) = line.args.split_once("${DIALSTATUS}")?;
        let mut ways = Vec::new();
        for status in ["BUSY", "NOANSWER", "CHANUNAVAIL", "CONGESTION"] {
            let written = format!("{before}{status}{after}");
            if let Some(found) = self.resolve(at, &written) {
                let place = self.place(found);
                ways.push((format!("dialstatus == \"{status}\""), place));
            }
        }
        let otherwise = ways.last().map(|(_, place)| place.clone())?;
        Some(Kind::Branch { ways, otherwise })
    }

    /// `Queue(name,…)`
    pub(super) fn queue(&mut self, at: At, line: &Line, args: &[String]) -> Kind {
        let written = args.first().map(String::as_str).unwrap_or_default();
        if written.contains("${") || written.is_empty() {
            let why = "whose queue it is depends on a value: the plan goes on behind it";
            self.notes.lost(&line.at, line.gist(), why, "write a `branch`, and a `queue` for each");
            return Kind::Goto(self.next(at));
        }
        let group = plain_name(written);
        let why = format!("the agents of this queue are a group of the settings: `[agents.group.{group}]`");
        self.notes.changed(&line.at, line.gist(), why, "name them in trunkline.toml: docs/agents.md");
        if args.get(4).is_some_and(|limit| !limit.is_empty()) {
            let why = "how long somebody may wait is a setting of the group";
            self.notes.changed(&line.at, line.gist(), why, "set `max_wait` of the group: docs/agents.md");
        }
        if args.iter().skip(5).any(|more| !more.is_empty()) {
            let why = "programs and subroutines that a queue runs for its agents are not taken over";
            self.notes.lost(
                &line.at,
                line.gist(),
                why,
                "agents hear a briefing, and systems a webhook: docs/agents.md",
            );
        }
        // With `c` who has talked goes on in the dialplan.
        let goes_on = args.get(1).is_some_and(|options| flags(options).contains('c'));
        let next = self.next(at);
        Kind::Queue { group, go: if goes_on { next.clone() } else { To::step(BYE) }, overflow: next }
    }

    /// `Record(file,silence,longest)` and `VoiceMail(box)`
    pub(super) fn record(&mut self, at: At, line: &Line, args: &[String]) -> Kind {
        let arg = |place: usize| args.get(place).map(String::as_str).unwrap_or_default();
        let go = self.next(at);
        if line.app == "voicemail" {
            let why = "there are no mailboxes: the message is kept with the record of the call";
            let help = "`trunkline calls show` names it; tell whoever should hear it";
            self.notes.changed(&line.at, line.gist(), why, help);
            let words = [sounds::words("vm-nobodyavail").0, sounds::words("vm-intro").0].join(" ");
            return Kind::Record { words: Words::text(words), max_ms: None, silence_ms: None, go };
        }
        let why = "the plan says a word before it; what is said is kept with the record of the call";
        self.notes.changed(&line.at, line.gist(), why, "write what callers shall hear");
        let max_ms = seconds(arg(2)).map(|ms| ms.max(2_000));
        let silence_ms = seconds(arg(1)).map(|ms| ms.clamp(1_000, 30_000));
        Kind::Record { words: Words::text("Please speak after the tone."), max_ms, silence_ms, go }
    }

    /// Something else takes the call.
    pub(super) fn elsewhere(&mut self, line: &Line, args: &[String]) -> Kind {
        let whom = args.first().map(|whom| plain_name(whom)).unwrap_or_default();
        let why = "plans have nothing like it: the plan ends here, with the name of this as its result";
        let help = "write what callers should find instead, such as a `transfer` or a `queue`";
        self.notes.lost(&line.at, line.gist(), why, help);
        Kind::Hangup { words: None, result: Some(plain_name(&format!("{}-{whom}", line.app))) }
    }
}

/// The letters of options, without what stands in brackets behind them.
fn flags(options: &str) -> String {
    let mut depth = 0_usize;
    let outside = options.chars().filter(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    });
    outside.collect()
}

/// `SIP/desk`, `PJSIP/555@carrier`, `SIP/carrier/555`, `DAHDI/g1/555`: a number through a trunk, or a telephone. The
/// error is a variable that we do not have.
fn whom(written: &str) -> Result<String, String> {
    let parts: Vec<&str> = written.split('/').collect();
    let (number, is_number) = match parts.as_slice() {
        [_, _, number, ..] => (*number, true),
        [_, telephone] => match telephone.split_once('@') {
            Some((number, _)) => (number, true),
            None => (*telephone, false),
        },
        [alone] => (*alone, false),
        [] => ("", false),
    };
    let digits = number.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '+' | '*' | '#'));
    let value = expr::template(number, "")?;
    Ok(if is_number && (digits || number.contains("${")) { value } else { format!("sip:{value}@pbx.example") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_letters_outside_brackets() {
        assert_eq!(flags("tTM(greeting^a)L(60000:30000)g"), "tTMLg");
        assert_eq!(flags("M(ringing)"), "M");
        assert_eq!(flags(""), "");
    }

    #[test]
    fn whom_to_call_is_a_number_or_a_telephone() {
        for (theirs, ours) in [
            ("SIP/desk", "sip:desk@pbx.example"),
            ("PJSIP/100", "sip:100@pbx.example"),
            ("PJSIP/+12025550100@carrier", "+12025550100"),
            ("SIP/carrier/2025550100", "2025550100"),
            ("DAHDI/g1/${EXTEN}", "{{ extension }}"),
            ("SIP/${EXTEN}", "sip:{{ extension }}@pbx.example"),
        ] {
            assert_eq!(whom(theirs).as_deref(), Ok(ours), "{theirs}");
        }
        assert_eq!(whom("SIP/${HASH(a)}"), Err("HASH(a)".to_owned()));
    }
}
