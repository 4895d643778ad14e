//! How many conversations a second run through the real call core, on one core.
//!
//! ```text
//! cargo run --release --example conversations -- dialplans 10
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use trunkline::simulate::runner::{self, Plans};
use trunkline::simulate::transcript;
use trunkline::time::{Clock, SystemClock};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "dialplans".to_owned());
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut plans = Plans::default();
    let (mut talks, mut named) = (Vec::new(), BTreeSet::new());
    for file in runner::find(Path::new(&folder)).expect("the folder of dial plans can be read") {
        let text = std::fs::read_to_string(&file).expect("a test found can be read");
        for script in transcript::parse(&text).expect("shipped tests can be read") {
            let plan = plans.load(&script.header.plan, &file).expect("shipped plans load");
            named.insert(plan.name.clone());
            talks.push((script, plan));
        }
    }
    assert!(!talks.is_empty(), "no conversations in {folder}");
    println!("{} conversations with {} plans, over and over", talks.len(), named.len());
    let started = SystemClock.now().mono;
    let (mut held, mut failed) = (0_u64, 0_u64);
    while SystemClock.now().mono - started < Duration::from_secs(seconds) {
        for (script, plan) in &talks {
            held += 1;
            failed += u64::from(!runner::run(script, plan.clone()).passed());
        }
    }
    let took = (SystemClock.now().mono - started).as_secs_f64();
    println!("{held} conversations in {took:.1} s: {:.0} a second on one core, {failed} failed", held as f64 / took);
}
