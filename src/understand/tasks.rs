//! Small menus to measure and to calibrate on: a file of development tasks, and few-shot draws from a labelled set.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::eval::Case;

/// Options in a drawn menu.
const DRAWN_OPTIONS: usize = 5;
/// Fewest and most example phrases per option of a drawn menu.
const DRAWN_PHRASES: (usize, usize) = (12, 15);
/// Out-of-scope sentences tried on a drawn menu.
const DRAWN_STRANGERS: usize = 60;

/// A menu and utterances with known meaning.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// What it is about.
    pub name: String,
    /// Names of the options, in order.
    pub options: Vec<String>,
    /// Phrases of each.
    pub phrases: Vec<Vec<String>>,
    /// What to try on it.
    pub cases: Vec<Case>,
}

/// Reads `domain<TAB>phrase|case<TAB>option<TAB>text` lines, a heading and blank lines aside; `-` is out of scope.
/// The error names the line.
pub fn parse(text: &str) -> Result<Vec<Task>, String> {
    let mut tasks: Vec<Task> = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let &[domain, kind, option, text] = fields.as_slice() else {
            return Err(format!("line {}: expected domain, kind, option and text, with tabs between", number + 1));
        };
        if tasks.last().is_none_or(|task| task.name != domain) {
            tasks.push(Task { name: domain.to_owned(), ..Task::default() });
        }
        let task = tasks.last_mut().expect("one was just pushed if there was none");
        let place = task.options.iter().position(|name| name == option);
        match (kind, place) {
            ("phrase", Some(place)) => task.phrases[place].push(text.to_owned()),
            ("phrase", None) => {
                task.options.push(option.to_owned());
                task.phrases.push(vec![text.to_owned()]);
            }
            ("case", None) if option != "-" => return Err(format!("line {}: no phrases for `{option}`", number + 1)),
            ("case", meant) => task.cases.push(Case { meant, text: text.to_owned() }),
            _ => return Err(format!("line {}: `{kind}` is neither phrase nor case", number + 1)),
        }
    }
    Ok(tasks)
}

/// Sentences by intent, from `text<TAB>intent` lines under a heading. Lines without a tab are passed over.
pub fn by_intent(tsv: &str) -> BTreeMap<String, Vec<String>> {
    let mut intents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (text, intent) in tsv.lines().skip(1).filter_map(|line| line.split_once('\t')) {
        intents.entry(intent.trim().to_owned()).or_default().push(text.trim().to_owned());
    }
    intents
}

/// Draws a menu: five intents, 12 to 15 phrases of each from `train`, their sentences in `test` as cases, and
/// sentences of all other intents as out of scope. The same seed draws the same menu. `None` when the set is too small.
pub fn draw(train: &BTreeMap<String, Vec<String>>, test: &BTreeMap<String, Vec<String>>, seed: u64) -> Option<Task> {
    let mut random = StdRng::seed_from_u64(seed);
    let enough = |intent: &&String| train[*intent].len() >= DRAWN_PHRASES.1 && test.contains_key(*intent);
    let mut intents: Vec<&String> = train.keys().filter(enough).collect();
    intents.shuffle(&mut random);
    let chosen: Vec<&String> = intents.get(..DRAWN_OPTIONS)?.to_vec();
    let mut task = Task { name: format!("draw {seed}"), ..Task::default() };
    for (place, intent) in chosen.iter().enumerate() {
        let many = random.random_range(DRAWN_PHRASES.0..=DRAWN_PHRASES.1);
        task.options.push((*intent).clone());
        task.phrases.push(train[*intent].choose_multiple(&mut random, many).cloned().collect());
        task.cases.extend(test[*intent].iter().map(|text| Case { meant: Some(place), text: text.clone() }));
    }
    let others = test.iter().filter(|(intent, _)| !chosen.contains(intent));
    let strangers: Vec<&String> = others.flat_map(|(_, texts)| texts).collect();
    let drawn = strangers.choose_multiple(&mut random, DRAWN_STRANGERS);
    task.cases.extend(drawn.map(|text| Case { meant: None, text: (*text).clone() }));
    Some(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_read_with_their_cases() {
        let text = "domain\tkind\toption\ttext\nshop\tphrase\topen\topening hours\nshop\tcase\t-\tpizza\nshop\tcase\topen\twhen\n";
        let tasks = parse(text).unwrap();
        assert_eq!((tasks.len(), tasks[0].cases[0].meant, tasks[0].cases[1].meant), (1, None, Some(0)));
        assert!(parse("heading\nshop\tcase\tclosed\tx").unwrap_err().contains("line 2"));
        assert!(parse("heading\nshop").unwrap_err().contains("line 2"));
    }

    #[test]
    fn the_same_seed_draws_the_same_menu() {
        let intent = |name: usize| (format!("i{name}"), (0..20).map(|n| format!("say {name} {n}")).collect::<Vec<_>>());
        let set: BTreeMap<String, Vec<String>> = (0..8).map(intent).collect();
        let (one, two, other) = (draw(&set, &set, 7).unwrap(), draw(&set, &set, 7).unwrap(), draw(&set, &set, 8).unwrap());
        assert_eq!((&one.options, &one.phrases), (&two.options, &two.phrases));
        assert_ne!(one.phrases, other.phrases);
        assert!(one.cases.iter().filter(|case| case.meant.is_none()).all(|case| {
            !one.options.iter().any(|name| case.text.starts_with(&format!("say {} ", &name[1..])))
        }));
        assert!(draw(&BTreeMap::new(), &set, 7).is_none());
    }
}
