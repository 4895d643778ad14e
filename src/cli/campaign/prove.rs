//! `trunkline campaign prove`: the real decisions, in a world made of a seed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{complain, fail, print};
use crate::law::pack::Pack;
use crate::law::read;
use crate::law::world::export::Line;
use crate::law::world::{Tally, World, cast};

/// `trunkline campaign prove`
#[derive(Debug, clap::Args)]
pub struct ProveArgs {
    /// How many decisions
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    decisions: u64,
    /// Which world
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Write what happened there, for `scripts/oracle`; `-` is standard output
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Folder of the rule packs
    #[arg(long, value_name = "FOLDER", default_value = "dialplans/rules")]
    rules: PathBuf,
}

/// Runs the world.
pub fn run(args: &ProveArgs) -> ExitCode {
    let packs = match packs(&args.rules) {
        Ok(packs) => packs,
        Err(why) => {
            complain(&why);
            return ExitCode::from(2);
        }
    };
    let to_stdout = args.export.as_deref() == Some(Path::new("-"));
    match prove(args, &packs) {
        Ok(tally) => {
            let Tally { decisions, allowed, not_before, never, placed } = tally;
            let told = format!(
                "{decisions} decisions: {allowed} allowed, {not_before} to wait, {never} never; {placed} calls placed"
            );
            // Standard output is the export's.
            if to_stdout {
                complain(&told);
                return ExitCode::SUCCESS;
            }
            print(&format!("{told}\n"))
        }
        Err(error) => fail(&format!("the export cannot be written: {error}")),
    }
}

fn prove(args: &ProveArgs, packs: &[Pack]) -> io::Result<Tally> {
    let mut world = World::new(args.seed, args.decisions, cast::campaigns(packs));
    let mut out: Box<dyn Write> = match args.export.as_deref() {
        None => Box::new(io::sink()),
        Some(path) if path == Path::new("-") => Box::new(BufWriter::new(io::stdout().lock())),
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
    };
    writeln!(out, "V\t1\t{}", args.seed)?;
    let tally = world.run(args.decisions, &mut |line: Line<'_>| line.write(&mut out))?;
    out.flush()?;
    Ok(tally)
}

/// Every pack of a folder; all of them must be sound.
fn packs(folder: &Path) -> Result<Vec<Pack>, String> {
    let named = |error: io::Error| format!("{} cannot be read: {error}; name it with --rules", folder.display());
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>())
        .map_err(named)?;
    files.sort();
    let packs = files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    let packs: Vec<Pack> =
        packs.map(|file| read::load(file).map_err(|faults| faults.to_string())).collect::<Result<_, _>>()?;
    if packs.is_empty() {
        return Err(format!("{} holds no rule packs; name their folder with --rules", folder.display()));
    }
    Ok(packs)
}
