//! What a decision costs: the questions of a made-up world, with everything that was known when they were asked, kept in
//! memory and asked again on one core.
//!
//! ```sh
//! cargo run --release --example law
//! ```

use std::convert::Infallible;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use trunkline::law::decide::{Act, Ruling, decide};
use trunkline::law::facts::{History, Lead};
use trunkline::law::pack::{Pack, Packs};
use trunkline::law::read;
use trunkline::law::world::export::Line;
use trunkline::law::world::{World, cast};

/// Times all questions are asked; the median is told, and the slowest.
const RUNS: usize = 9;
/// Questions of the world, and how many of them are kept.
const QUESTIONS: u64 = 200_000;
const KEPT: u64 = 20_000;

struct Question {
    act: Act,
    lead: Lead,
    history: History,
    packs: Packs,
    now: Timestamp,
}

fn main() {
    let names = ["house", "us-tcpa", "us-regf", "uk-ofcom", "cn-gbt45251", "eu-ai-act"];
    let load = |name: &&str| match read::load(&Path::new("dialplans/rules").join(format!("{name}.yaml"))) {
        Ok(pack) => pack,
        Err(faults) => panic!("{faults}"),
    };
    let packs: Vec<Pack> = names.iter().map(load).collect();
    // The first of them find short histories, the last long ones: those are kept.
    let mut world = World::new(1, QUESTIONS, cast::campaigns(&packs));
    let mut questions: Vec<Question> = Vec::new();
    let mut asked = 0;
    let Ok(_) = world.run::<Infallible>(QUESTIONS, &mut |line| {
        if let Line::Decision { act, lead, history, campaign, now, .. } = line {
            asked += 1;
            if asked < QUESTIONS - KEPT {
                return Ok(());
            }
            let packs = campaign.packs.clone();
            questions.push(Question { act, lead: lead.clone(), history: history.clone(), packs, now });
        }
        Ok(())
    });
    let contacts: usize = questions.iter().map(|question| question.history.contacts.len()).sum();
    let mut allowed = 0;
    let mut rates: Vec<f64> = (0..RUNS)
        .map(|_| {
            let started = started();
            allowed = 0;
            for Question { act, lead, history, packs, now } in &questions {
                let ruling = black_box(decide(*act, lead, history, packs, *now)).ruling;
                allowed += usize::from(ruling == Ruling::Allow);
            }
            questions.len() as f64 / started.elapsed().max(Duration::from_micros(1)).as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("| questions | allowed | contacts each | a second, median | slowest |\n| --- | --- | --- | --- | --- |");
    println!(
        "| {} | {allowed} | {:.1} | {:.0} | {:.0} |",
        questions.len(),
        contacts as f64 / questions.len() as f64,
        rates[rates.len() / 2],
        rates[0]
    );
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn started() -> Instant {
    Instant::now()
}
