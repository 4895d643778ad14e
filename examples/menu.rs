//! What it costs to teach a menu and to understand an answer: universals, mishearings and all.
//!
//! ```sh
//! cargo run --release --example menu            # or with the number of rounds behind `--`
//! ```
//!
//! Phrases are made of twenty topics (`menu.tsv`), each of which has five ways to begin and five to go on: a menu of
//! 20 × 20 is taught twenty of the twenty-five. It is asked the others, with courtesies around them, alone and as the
//! last of five guesses. "CPU" is what the thread itself worked, which a busy machine does not lengthen by much; the
//! rest is how long one waits.

use std::hint::black_box;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use trunkline::id::UtteranceId;
use trunkline::language::Language;
use trunkline::pii::Pii;
use trunkline::understand::{Hypothesis, Matcher, NBest, Universal, mishear};

/// Lines of language, beginnings and ends.
const TOPICS: &str = include_str!("menu.tsv");
/// Said around what is asked.
const ENGLISH_AROUND: [&str; 2] = ["hello I was wondering if you could help me, ", " because I have been waiting"];
const MANDARIN_AROUND: [&str; 2] = ["你好我想问一下", "因为我等了很久"];
/// Options and phrases of each.
const SIZES: [(usize, usize); 4] = [(5, 5), (20, 5), (20, 10), (20, 20)];
/// Guesses of an n-best list.
const GUESSES: usize = 5;
/// How often each menu is taught.
const ROUNDS: usize = 15;

fn main() {
    let rounds = std::env::args().nth(1).map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    println!(
        "| language | options × phrases | lessons | train: median | worst | CPU | understand one guess: median | p99 | CPU | \
         five guesses: median | p99 | CPU |\n|{}",
        " --- |".repeat(12)
    );
    for (tag, around) in [("en-US", ENGLISH_AROUND), ("zh-CN", MANDARIN_AROUND)] {
        let language = Language::parse(tag).expect("a tag");
        let topics: Vec<Vec<String>> = TOPICS.lines().filter_map(|line| wordings(line, &language)).collect();
        for (options, phrases) in SIZES {
            measure(&language, &topics[..options], phrases, around, rounds.max(1));
        }
    }
}

fn measure(language: &Language, topics: &[Vec<String>], phrases: usize, around: [&str; 2], rounds: usize) {
    let taught: Vec<Vec<String>> = topics.iter().map(|wordings| wordings[..phrases].to_vec()).collect();
    let unseen = topics.iter().flat_map(|wordings| &wordings[20..]);
    let unseen: Vec<String> = unseen.map(|text| format!("{}{text}{}", around[0], around[1])).collect();
    // What every process reads once: word lists, jieba's dictionary.
    trained(&taught, language);
    // Whoever is taught the same as a matcher that lives shares what that one has learned: each is gone before the next.
    let (mut waits, mut works): (Vec<Duration>, Vec<Duration>) =
        (0..rounds).map(|_| timed(|| drop(black_box(trained(&taught, language))))).unzip();
    waits.sort();
    works.sort();
    let matcher = trained(&taught, language);
    print!(
        "| {language} | {} × {phrases} | {} | {:.1?} | {:.1?} | {:.1?} |",
        topics.len(),
        matcher.lessons(),
        waits[rounds / 2],
        waits[rounds - 1],
        works[rounds / 2],
    );
    for most in [1, GUESSES] {
        let heard: Vec<NBest> = unseen.iter().map(|text| guesses(text, most, language)).collect();
        let mut answers = Vec::new();
        let (_, worked) = timed(|| {
            let answer = |nbest| timed(|| _ = black_box(matcher.understand(nbest))).0;
            answers = (0..rounds).flat_map(|_| &heard).map(answer).collect();
        });
        answers.sort();
        let (median, rare) = (answers[answers.len() / 2], answers[answers.len() * 99 / 100]);
        print!(" {median:.0?} | {rare:.0?} | {:.0?} |", worked / answers.len() as u32);
    }
    println!();
}

fn trained(phrases: &[Vec<String>], language: &Language) -> Matcher {
    let matcher = Matcher::compile(phrases, &Universal::ALL, language);
    matcher.warm();
    matcher
}

/// Every beginning with every end, those of the same beginning far apart; `None` for a topic in another language.
fn wordings(line: &str, language: &Language) -> Option<Vec<String>> {
    let mut cells = line.split('\t');
    let between = if language.primary() == "zh" { "" } else { " " };
    cells.next().filter(|tag| *tag == language.primary())?;
    let (begins, ends): (Vec<&str>, Vec<&str>) =
        (cells.next()?.split('|').collect(), cells.next()?.split('|').collect());
    let pairs = (0..ends.len()).flat_map(|shift| (0..begins.len()).map(move |at| (at, at + shift)));
    Some(pairs.map(|(at, other)| format!("{}{between}{}", begins[at], ends[other % ends.len()])).collect())
}

/// What a recogniser makes of a sentence: itself last, mishearings before it, each less sure than the one before.
fn guesses(text: &str, most: usize, language: &Language) -> NBest {
    let mut texts = mishear::misheard(text, most - 1, language);
    texts.push(text.to_owned());
    let guess = |(place, text): (usize, String)| Hypothesis {
        text: Pii::new(text),
        confidence: 0.6 - 0.1 * place as f32,
        open_score: 0.0,
        grammar_score: None,
    };
    let hypotheses = texts.into_iter().enumerate().map(guess).collect();
    NBest { utterance: UtteranceId(0), revision: 0, hypotheses, queued: Duration::ZERO, ran: Duration::ZERO }
}

/// How long one waited for it, and how long this thread worked on it.
#[expect(clippy::disallowed_methods, reason = "this is what it measures")]
fn timed(work: impl FnOnce()) -> (Duration, Duration) {
    let (began, worked) = (Instant::now(), worked());
    work();
    (began.elapsed(), self::worked().saturating_sub(worked))
}

fn worked() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("Linux counts what threads use");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}
