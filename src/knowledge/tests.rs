//! Questions as callers put them, and a file as its author gets it wrong.

use crate::time::{Clock, SystemClock};

use super::weigh::{Evidence, FEATURES, Weights, confidences};
use super::*;

const BANK: &str = include_str!("../../dialplans/answers/bank.md");
const TABLE: &str = include_str!("../../tests/data/answers.tsv");

struct Row {
    half: &'static str,
    language: Language,
    question: &'static str,
    /// Heading of the entry that answers it.
    entry: Option<&'static str>,
}

fn rows() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .map(|line| {
            let [half, language, question, entry] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let entry = Some(entry).filter(|entry| *entry != "-");
            Row { half, language: Language::parse(language).unwrap(), question, entry }
        })
        .collect()
}

fn bank() -> Knowledge {
    Knowledge::parse(BANK).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[derive(Debug, Default)]
struct Score {
    answerable: usize,
    right: usize,
    wrong: usize,
    /// Right among the three that are found, whatever their score.
    found: usize,
    strange: usize,
    answered_strange: usize,
}

fn measure(bank: &Knowledge, half: &str, language: &str) -> Score {
    let mut score = Score::default();
    for row in rows().iter().filter(|row| row.half == half && row.language.as_str() == language) {
        let hits = bank.find(row.question, &row.language);
        let top = hits.first().filter(|hit| hit.score >= SURE);
        match row.entry {
            Some(entry) => {
                score.answerable += 1;
                score.right += usize::from(top.is_some_and(|hit| hit.entry.question() == entry));
                score.wrong += usize::from(top.is_some_and(|hit| hit.entry.question() != entry));
                score.found += usize::from(hits.iter().any(|hit| hit.entry.question() == entry));
            }
            None => {
                score.strange += 1;
                score.answered_strange += usize::from(top.is_some());
            }
        }
        if std::env::var("SHOW").is_ok() && (top.map(|hit| hit.entry.question()) != row.entry) {
            let first = hits.first().map(|hit| (hit.entry.question(), hit.score));
            println!("{half} {} -> {first:?}, not {:?}", row.question, row.entry);
        }
    }
    score
}

/// Evidence for each entry, how strange the question is, and the place of the right entry.
type Lesson = (Vec<Evidence>, f32, Option<usize>);

fn lessons(bank: &Knowledge, language: &str) -> Vec<Lesson> {
    let mut lessons = Vec::new();
    for row in rows().iter().filter(|row| row.half == "dev" && row.language.as_str() == language) {
        let shelf = bank.shelf(&row.language).unwrap();
        let (found, strange) = shelf.weigh(row.question);
        let (entries, evidence): (Vec<usize>, Vec<Evidence>) = found.into_iter().unzip();
        let right = entries.iter().position(|entry| Some(shelf.entries[*entry].question()) == row.entry);
        // An entry that shares nothing with its question teaches nothing.
        if right.is_some() || row.entry.is_none() {
            lessons.push((evidence, strange, right));
        }
    }
    lessons
}

/// Weights that make the lessons likeliest, by gradient ascent; nothing that speaks for an entry may count against it.
fn fitted(lessons: &[Lesson]) -> Weights {
    let mut weights: Weights = weigh::ENGLISH;
    for round in 0..600 {
        let mut slopes: Weights = [0.0; FEATURES + 1];
        for (evidence, strange, right) in lessons {
            let believed = confidences(evidence, *strange, &weights);
            let outside = 1.0 - believed.iter().sum::<f32>();
            slopes[FEATURES] += (f32::from(u8::from(right.is_none())) - outside) * strange;
            for (place, (of, believed)) in evidence.iter().zip(believed).enumerate() {
                let error = f32::from(u8::from(Some(place) == *right)) - believed;
                slopes.iter_mut().zip(of.row()).for_each(|(slope, value)| *slope += error * value);
            }
        }
        let step = if round < 400 { 0.1 } else { 0.03 };
        for (place, (weight, slope)) in weights.iter_mut().zip(slopes).enumerate() {
            let is_constant = place + 1 == FEATURES;
            let decay = if is_constant { 0.0 } else { 0.05 * *weight };
            *weight = (*weight + step * (slope - decay)).max(if is_constant { -30.0 } else { 0.0 });
        }
    }
    weights
}

#[test]
#[ignore = "finds the weights of weigh.rs anew"]
fn fit() {
    let bank = bank();
    for language in ["en-US", "zh-CN"] {
        let lessons = lessons(&bank, language);
        // Each tenth by weights of the other nine, so that the threshold is not chosen on what was learnt by heart.
        let mut told: Vec<(f32, bool, bool)> = Vec::new();
        for fold in 0..10 {
            let (held, rest): (Vec<_>, Vec<_>) = lessons.iter().cloned().enumerate().partition(|(n, _)| n % 10 == fold);
            let weights = fitted(&rest.into_iter().map(|(_, lesson)| lesson).collect::<Vec<_>>());
            for (_, (evidence, strange, right)) in held {
                let confidences = confidences(&evidence, strange, &weights);
                let top = confidences.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
                let Some((place, confidence)) = top else { continue };
                told.push((confidence, Some(place) == right, right.is_none()));
            }
        }
        println!("{language} {:.2?} of {} lessons", fitted(&lessons), lessons.len());
        for threshold in (20..75).step_by(5) {
            let threshold = threshold as f32 / 100.0;
            let above = || told.iter().filter(|(confidence, ..)| *confidence >= threshold);
            let right = above().filter(|(_, right, _)| *right).count();
            let strange = above().filter(|(.., strange)| *strange).count();
            println!("  {threshold:.2}: right {right} wrong {} strange {strange}", above().count() - right - strange);
        }
    }
}

#[test]
#[ignore = "prints the figures"]
fn figures() {
    let bank = bank();
    for (half, language) in [("dev", "en-US"), ("dev", "zh-CN"), ("held", "en-US"), ("held", "zh-CN")] {
        println!("{half} {language} {:?}", measure(&bank, half, language));
    }
    let rows = rows();
    let began = SystemClock.now().mono;
    let hits: usize = rows.iter().map(|row| bank.find(row.question, &row.language).len()).sum();
    let took = SystemClock.now().mono.duration_since(began);
    println!("{} µs a question, {hits} hits", took.as_micros() / rows.len() as u128);
}

/// Questions that played no part in choosing weights and thresholds.
#[test]
fn unseen_questions_find_their_answer_and_strange_ones_find_none() {
    let bank = bank();
    for (language, least_right, most_wrong, least_found, most_strange) in
        [("en-US", 0.85, 0.05, 0.9, 0.2), ("zh-CN", 0.8, 0.05, 0.9, 0.2)]
    {
        let score = measure(&bank, "held", language);
        let (asked, strange) = (score.answerable as f32, score.strange as f32);
        assert!(asked >= 40.0 && strange >= 20.0, "{language} {score:?}");
        assert!(score.right as f32 / asked >= least_right, "{language} {score:?}");
        assert!(score.wrong as f32 / asked <= most_wrong, "{language} {score:?}");
        assert!(score.found as f32 / asked >= least_found, "{language} {score:?}");
        assert!(score.answered_strange as f32 / strange <= most_strange, "{language} {score:?}");
    }
}

/// The answer, when there surely is one.
fn sure<'a>(bank: &'a Knowledge, question: &str, language: &Language) -> Option<Hit<'a>> {
    bank.find(question, language).into_iter().next().filter(|hit| hit.score >= SURE)
}

#[test]
fn a_question_as_it_stands_in_the_file_is_answered_as_it_stands_there() {
    let bank = bank();
    let languages: Vec<Language> = bank.languages().cloned().collect();
    assert_eq!(languages.len(), 2);
    for language in &languages {
        let entries = bank.entries(language);
        assert!(entries.len() >= 25, "{}", entries.len());
        for entry in entries {
            for (wording, line) in &entry.wordings {
                let hit = sure(&bank, wording, language);
                assert_eq!(hit.map(|hit| hit.entry.line), Some(entry.line), "line {line}: {wording}");
            }
        }
    }
}

#[test]
fn of_ten_thousand_words_only_the_first_are_looked_up() {
    let bank = bank();
    for (tag, question) in [("en-US", "what are your opening hours "), ("zh-CN", "你们几点开门")] {
        let shelf = bank.shelf(&Language::parse(tag).unwrap()).unwrap();
        let tail: String = (0..10_000).map(|at| format!("w{at} ")).collect();
        let said = format!("{question}{tail}");
        let cut: String = said.chars().take(1_000).collect();
        assert_eq!(shelf.find(&said, 3), shelf.find(&cut, 3), "{tag}");
    }
}

#[test]
fn nothing_is_found_for_nothing() {
    let bank = bank();
    let english = Language::english();
    for question in
        ["", "   ", "?!", "the of to", "um", "\u{0}", "\u{1F600}", &"word ".repeat(5_000), &"a".repeat(100_000)]
    {
        assert_eq!(sure(&bank, question, &english), None);
    }
    assert!(bank.find("opening hours", &Language::parse("de-DE").unwrap()).is_empty());
    assert!(sure(&bank, "what are your opening hours", &Language::parse("en-GB").unwrap()).is_some());
}

#[test]
fn every_guess_of_the_recogniser_is_looked_at() {
    use crate::id::UtteranceId;
    use crate::understand::Hypothesis;
    let bank = bank();
    let guess = |text: &str| Hypothesis {
        text: text.to_owned().into(),
        confidence: 0.5,
        open_score: -1.0,
        grammar_score: None,
    };
    let heard = NBest {
        utterance: UtteranceId(1),
        revision: 0,
        hypotheses: vec![guess("where is my beard"), guess("what are your opening hours")],
        queued: std::time::Duration::ZERO,
        ran: std::time::Duration::ZERO,
    };
    let hits = bank.find_heard(&heard, &Language::english());
    assert_eq!(hits[0].entry.question(), "What are your opening hours?");
    assert!(hits[0].score < 1.0 && hits.iter().all(|hit| hit.score >= MAYBE));
}

#[test]
fn a_question_that_stands_twice_is_told_with_both_its_lines() {
    let text = "# en-US\n## When do you open?\nAt nine.\n## Hours?\n- When do you open\n\nAt ten.\n# zh-CN\n## 几点？\n九点。\n";
    let problems = Knowledge::parse(text).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].to_string(),
        "5:1  `When do you open` stands in line 2 already\n  help: one of the two must go: a question has one answer"
    );
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let problems = Knowledge::read("# en-US\n## What?\n\nä\u{b5}".as_bytes()).map(|_| ());
    assert_eq!(problems, Ok(()));
    let mut bytes = "# en-US\n## What?\nä".as_bytes().to_vec();
    bytes.push(0xe4);
    let problems = Knowledge::read(&bytes).unwrap_err();
    assert_eq!((problems[0].line, problems[0].column), (3, 2));
    assert!(Knowledge::read("\u{feff}# en-US\n## What?\nThat.".as_bytes()).is_ok());
    assert!(Knowledge::read(&[0xff, 0xfe, 0x23, 0x00]).is_err());
}

#[test]
fn random_text_never_panics() {
    use rand::{Rng, SeedableRng, seq::IndexedRandom};
    let pieces = [
        "# ", "## ", "en-US\n", "- ", "> ", "\n", "\n\n", "word ", "几", "`", "|", "---\n", "<", "![", "](", ")",
        "&amp;", "*", "    ", "{{",
    ];
    let mut random = rand::rngs::StdRng::seed_from_u64(5);
    let mut good = 0;
    for _ in 0..600 {
        let length = random.random_range(0..40);
        let text: String = (0..length).map(|_| *pieces.choose(&mut random).unwrap()).collect();
        let text = format!("# en-US\n## A?\n{text}");
        if let Ok(knowledge) = Knowledge::parse(&text) {
            good += 1;
            let _ = knowledge.find("word", &Language::english());
        }
    }
    assert!(good > 20, "{good}");
}

#[test]
fn a_large_file_is_searched_as_well() {
    let entries: String = (0..1_500)
        .map(|n| format!("## Where is article {n} of group {}?\n- find product {n}\n\nIn aisle {n}.\n\n", n % 40))
        .collect();
    let shop = Knowledge::parse(&format!("# en-US\n{entries}")).unwrap();
    let hit = shop.find("where do I find product 1234", &Language::english());
    assert_eq!(hit.first().map(|hit| hit.entry.answer.as_str()), Some("In aisle 1234."));
}
