//! `trunkline serve`: the gateway.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::complain;
use crate::app;
use crate::config::Config;
use crate::observe;
use crate::time::SystemClock;

/// Answers calls until it is told to stop.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Settings; without it `trunkline.toml` here if there is one, else defaults.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A call has sockets and a recording: as many open files as the system lets us have at all, not only as many as a shell
/// begins with.
fn allow_many_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is; `trunkline doctor` says whether it is enough");
    }
}

/// Runs the gateway. Exit codes: 0 stopped as told, 1 could not start, 2 settings are wrong.
pub fn run(args: ServeArgs) -> ExitCode {
    let config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    if let Err(error) = observe::init(&config.log) {
        complain(&error);
        return ExitCode::from(2);
    }
    allow_many_files();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format_args!("cannot start worker threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // On the workers, not on this thread: every call comes to them, and each hop between threads costs a wake-up.
    let service = async { tokio::spawn(app::serve(config, Arc::new(SystemClock))).await };
    let ended = runtime.block_on(service).unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    // What must be finished is; a thread that hangs (a disk, an engine) must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}
