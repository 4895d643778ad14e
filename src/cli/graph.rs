//! `trunkline graph`: a plan as a picture, with what callers did in it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calls::parse_since;
use super::{complain, fail, note, print};
use crate::config::Config;
use crate::dialplan::load::load;
use crate::graph::{Graph, Traffic, dot, layout, mermaid, svg};
use crate::store::sqlite::SqliteStore;
use crate::store::{CallFilter, DATABASE_FILE, Store as _};
use crate::time::{Clock as _, SystemClock};

/// Calls looked at, the latest: each is read whole.
const MOST_CALLS: u32 = 20_000;

/// Draw a plan as one SVG file, readable at sixty steps
#[derive(Debug, clap::Args)]
pub struct GraphArgs {
    /// The plan
    plan: PathBuf,
    /// Write the picture here, instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With what callers did: how many came to each step, left there, and how long half of them stayed at most
    #[arg(long, conflicts_with_all = ["dot", "mermaid"])]
    calls: bool,
    /// Only calls since then: `2h`, `3d`, `today`, `2026-01-31` [default: 7d]
    #[arg(long, value_name = "WHEN", requires = "calls")]
    since: Option<String>,
    /// For Graphviz instead
    #[arg(long, conflicts_with = "mermaid")]
    dot: bool,
    /// For Mermaid instead
    #[arg(long)]
    mermaid: bool,
    /// Settings that say where the data is [default: trunkline.toml, if there is one]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory itself
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
}

/// Draws.
pub fn run(args: &GraphArgs) -> ExitCode {
    let plan = match load(&args.plan) {
        Ok(loaded) => loaded.plan,
        Err(found) => {
            complain(&found);
            return ExitCode::FAILURE;
        }
    };
    let graph = Graph::of(&plan);
    let text = if args.dot {
        dot(&graph)
    } else if args.mermaid {
        mermaid(&graph)
    } else {
        let traffic = match args.calls.then(|| traffic(args, &graph)).transpose() {
            Ok(traffic) => traffic,
            Err(why) => return fail(&why),
        };
        if traffic.as_ref().is_some_and(|traffic| traffic.calls == 0) {
            note(&format_args!("no calls of plan {} in that time", graph.name));
        }
        svg(&graph, &layout(&graph, traffic.is_some()), traffic.as_ref())
    };
    match &args.output {
        None => print(&text),
        Some(file) => match std::fs::write(file, text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format_args!("{}: {error}", file.display())),
        },
    }
}

fn traffic(args: &GraphArgs, graph: &Graph) -> Result<Traffic, String> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => Config::load_without_passwords(args.config.as_deref()).map_err(|error| error.to_string())?.data_dir,
    };
    let (zone, now) = (TimeZone::system(), SystemClock.now().wall);
    let since = parse_since(args.since.as_deref().unwrap_or("7d"), &zone, now).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(read(&data, since, graph))
}

async fn read(data: &Path, since: Timestamp, graph: &Graph) -> Result<Traffic, String> {
    let sentence = |error: crate::store::StoreError| error.to_string();
    let store = SqliteStore::open_read_only(&data.join(DATABASE_FILE)).await.map_err(sentence)?;
    let listed = store.list(&CallFilter { limit: MOST_CALLS, since: Some(since) }).await.map_err(sentence)?;
    if listed.len() >= MOST_CALLS as usize {
        note(&format_args!("only the latest {MOST_CALLS} calls are counted; --since takes fewer"));
    }
    let mut records = Vec::new();
    for call in listed.iter().filter(|call| call.plan == graph.name) {
        records.push(store.get(call.id.as_str()).await.map_err(sentence)?);
    }
    store.close().await;
    Ok(Traffic::of(graph, records))
}
