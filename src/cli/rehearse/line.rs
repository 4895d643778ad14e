//! What a rehearsing caller types: lines of a conversation, and orders to the rehearsal itself, which begin with `:`.

use std::path::PathBuf;
use std::time::Duration;

use super::show::Level;
use crate::dialplan::diagnostic::nearest;
use crate::simulate::transcript::{What, When, print_line, what};

/// An empty line is silence for this long, or until the bot speaks.
const SILENCE: Duration = Duration::from_secs(60);
/// Words that follow `:` and are lines of a conversation too.
const ACTS: [&str; 3] = ["http", "noise", "agent"];
/// Orders.
const ORDERS: [&str; 9] = ["help", "why", "values", "back", "goto", "save", "explain", "usual", "quiet"];

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// The caller, or somebody else, does something.
    Act(Act),
    /// The rehearsal shall.
    Command(Command),
}

/// Something done in the call.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// As a conversation test has it.
    pub raw: String,
    /// What.
    pub what: What,
}

/// An order.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// What may be typed?
    Help,
    /// Why were the last words taken so?
    Why,
    /// What does the call know?
    Values,
    /// Show so much.
    Show(Level),
    /// Unsay the last line.
    Back,
    /// Begin at this step.
    Goto(String),
    /// Write it into this file, under this heading.
    Save(PathBuf, String),
}

/// `#1234` and `keys 1234` are keys; so is a lone `#…` of keys only, anything else is speech.
pub fn read(line: &str) -> Result<Line, String> {
    let line = line.trim();
    if let Some(order) = line.strip_prefix(':') {
        return read_order(order.trim());
    }
    let act = |raw: String, what: What| Ok(Line::Act(Act { raw, what }));
    match line {
        "" => return act(print_line("...", &format!("{}s", SILENCE.as_secs())), What::Silence(SILENCE)),
        "hangup" | "hang up" | "hangs up" => {
            return act(print_line("you", "hangs up"), What::HangsUp { when: When::default() });
        }
        "#" => return written("keys", "#"),
        _ => {}
    }
    if let Some(keys) = line.strip_prefix('#').or_else(|| line.strip_prefix("keys "))
        && let Ok(keys) = written("keys", keys)
    {
        return Ok(keys);
    }
    // `@0.8s stop` as well as `stop @0.8s`.
    match line.split_once(' ') {
        Some((when, words)) if when.starts_with('@') => written("you", &format!("{} {when}", words.trim())),
        _ => written("you", line),
    }
}

fn read_order(order: &str) -> Result<Line, String> {
    let (word, rest) = order.split_once(' ').unwrap_or((order, ""));
    let rest = rest.trim();
    if ACTS.contains(&word) {
        return written(word, rest);
    }
    let command = match word {
        "help" | "h" | "?" => Command::Help,
        "why" => Command::Why,
        "values" => Command::Values,
        "back" => Command::Back,
        "explain" => Command::Show(Level::All),
        "usual" => Command::Show(Level::Usual),
        "quiet" => Command::Show(Level::Quiet),
        "goto" if !rest.is_empty() => Command::Goto(rest.to_owned()),
        "goto" => return Err("where to? `:goto STEP`".to_owned()),
        "save" if !rest.is_empty() => {
            let (file, heading) = rest.split_once(' ').unwrap_or((rest, "A rehearsal"));
            Command::Save(PathBuf::from(file), heading.trim().to_owned())
        }
        "save" => return Err("where? `:save bank.test.md Balance by key`".to_owned()),
        _ => {
            let near = nearest(word, ORDERS.into_iter().chain(ACTS));
            let help = near.map_or_else(|| "see `:help`".to_owned(), |near| format!("did you mean `:{near}`?"));
            return Err(format!("there is no order `:{word}`; {help}"));
        }
    };
    Ok(Line::Command(command))
}

fn written(verb: &str, rest: &str) -> Result<Line, String> {
    let raw = print_line(verb, rest);
    let raw = if raw.starts_with(&format!("{verb} ")) { raw } else { format!("{verb} {rest}") };
    Ok(Line::Act(Act { what: what(&raw)?, raw }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Digit;

    fn act(line: &str) -> What {
        match read(line) {
            Ok(Line::Act(act)) => act.what,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_keys_only_when_all_of_it_is() {
        let keys =
            |keys: &str| What::Keys { keys: keys.chars().filter_map(Digit::new).collect(), when: When::default() };
        assert_eq!(act("#1234"), keys("1234"));
        assert_eq!(act("#12#"), keys("12#"));
        assert_eq!(act("keys 12#"), keys("12#"));
        assert_eq!(act("#"), keys("#"));
        assert!(matches!(act("#hello"), What::You { pieces, .. } if pieces[0].1 == "#hello"));
        assert_eq!(act("  "), What::Silence(SILENCE));
        assert!(matches!(act("hangup"), What::HangsUp { .. }));
        assert!(matches!(act("agent"), What::You { .. }), "a wish, not an order");
    }

    #[test]
    fn guesses_pauses_and_moments_are_read_as_in_conversations() {
        assert!(matches!(act("yes (0.41)"), What::You { confidence, .. } if confidence == 0.41));
        assert!(matches!(act("pay (0.6) | play (0.3)"), What::You { pieces, .. } if pieces[0].1.contains('|')));
        assert!(matches!(act("one <0.6s> two"), What::You { pieces, .. } if pieces.len() == 2));
        for line in ["stop that @0.8s", "@0.8s stop that"] {
            let What::You { when, pieces, .. } = act(line) else { panic!("{line}") };
            assert_eq!((when.into, pieces[0].1.as_str()), (Some(Duration::from_millis(800)), "stop that"));
        }
        assert!(read("yes (7)").is_err());
    }

    #[test]
    fn orders_begin_with_a_colon_and_a_wrong_one_names_the_nearest() {
        assert_eq!(read(":why"), Ok(Line::Command(Command::Why)));
        assert_eq!(read(":goto main"), Ok(Line::Command(Command::Goto("main".to_owned()))));
        let save = Command::Save(PathBuf::from("a.test.md"), "By key".to_owned());
        assert_eq!(read(":save a.test.md By key"), Ok(Line::Command(save)));
        assert!(matches!(act(":http 200 {\"due\": 5}"), What::Http { .. }));
        assert!(matches!(act(":noise 2s"), What::Noise { .. }));
        assert!(matches!(act(":agent Ada accepts"), What::Agent(_)));
        assert!(read(":valeus").unwrap_err().contains("`:values`"));
        assert!(read(":goto").is_err() && read(":save").is_err() && read(":http maybe").is_err());
    }
}
