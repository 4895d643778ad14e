//! `trunkline doctor`: would calls be served as the settings promise? Each line says what was looked at, what was
//! found, and what to do about it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::finding::{Finding, Verdict};
use super::{complain, fail, print};
use crate::config::Config;
use crate::time::{Clock as _, SystemClock};

mod ask;
mod finding;
mod machine;
mod network;
mod ready;
mod recordings;
mod speech;
mod tls;
mod trunks;

/// Looks at everything a call needs.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Settings; without it `trunkline.toml` here if there is one, else defaults
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For machines
    #[arg(long)]
    json: bool,
    /// Only ask whether the gateway of these settings runs and takes calls
    #[arg(long)]
    ready: bool,
}

/// Runs the command. 0: calls are served; 1: something is broken, or nobody is ready; 2: the settings are wrong.
pub fn run(args: &DoctorArgs) -> ExitCode {
    let config = match Config::load_without_passwords(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format_args!("cannot start: {error}")),
    };
    if args.ready {
        return match runtime.block_on(ready::ready(&config)) {
            Ok(how) => print(&format!("{how}\n")),
            Err(why) => fail(&why),
        };
    }
    let mut findings = vec![settings(args.config.as_deref())];
    findings.extend(runtime.block_on(examine(&config)));
    let healthy = findings.iter().all(|finding| finding.verdict != Verdict::Broken);
    let told = print(&if args.json { finding::json(&findings) } else { finding::table(&findings) });
    if healthy { told } else { ExitCode::FAILURE }
}

/// The rest has been read already: what may be wrong is a password that this environment does not hold.
fn settings(file: Option<&Path>) -> Finding {
    let check = "settings";
    match Config::load(file) {
        Ok(_) => Finding::fine(check, "can be used"),
        Err(error) => Finding::look(
            check,
            error.to_string(),
            "fine if the service has it (EnvironmentFile in its unit); `trunkline serve` will not start without it",
        ),
    }
}

async fn examine(config: &Config) -> Vec<Finding> {
    let now = SystemClock.now().wall;
    let running = network::is_running(config).await;
    let mut found = vec![ready::gateway(config, running).await];
    found.extend(network::ports(config, running));
    found.extend(network::addresses(config));
    found.extend(tls::certificate(config, now));
    let (of_trunks, clocks) = trunks::trunks(config).await;
    found.extend(of_trunks);
    found.extend(speech::codecs(config));
    found.extend(speech::delays(config));
    found.extend(speech::speech(config));
    found.extend(machine::disk(config));
    found.extend(recordings::recordings(config, running));
    found.extend(machine::limits(config));
    found.push(machine::clock(now, &clocks).await);
    found
}
