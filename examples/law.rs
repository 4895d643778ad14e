//! What a decision costs, with a history and every pack, on one core.
//!
//! ```sh
//! cargo run --release --example law
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use trunkline::law::pack::Pack;
use trunkline::law::read;
use trunkline::law::world::{World, cast};

/// Runs of each; the median is told, and the slowest.
const RUNS: u64 = 5;
/// Decisions of each run.
const DECISIONS: u64 = 400_000;

fn main() {
    let names = ["house", "us-tcpa", "us-regf", "uk-ofcom", "cn-gbt45251", "eu-ai-act"];
    let load = |name: &&str| match read::load(&Path::new("dialplans/rules").join(format!("{name}.yaml"))) {
        Ok(pack) => pack,
        Err(faults) => panic!("{faults}"),
    };
    let packs: Vec<Pack> = names.iter().map(load).collect();
    let mut rates: Vec<f64> = (0..RUNS)
        .map(|seed| {
            let mut world = World::new(seed, DECISIONS, cast::campaigns(&packs));
            let started = started();
            let Ok(tally) = world.run::<std::convert::Infallible>(DECISIONS, &mut |_| Ok(()));
            tally.decisions as f64 / started.elapsed().max(Duration::from_millis(1)).as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("| decisions a run | a second, median | slowest |\n| --- | --- | --- |");
    println!("| {DECISIONS} | {:.0} | {:.0} |", rates[rates.len() / 2], rates[0]);
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn started() -> Instant {
    Instant::now()
}
