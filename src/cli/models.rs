//! `trunkline models list|path`: which models the product knows, which are here, and how to get the rest.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{complain, print};
use crate::config::Config;
use crate::speech::models::{Manifest, ModelDirs, Presence};

/// Speech models: what is known, what is here
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
    /// Settings, for the folders of that gateway; without it `trunkline.toml` here if there is one, else defaults
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Another list of models than the one built in (or TRUNKLINE_MODELS_TOML)
    #[arg(long, global = true)]
    manifest: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Every model, its licence, and whether it is here
    List {
        /// Compare every file's SHA-256, not only its size
        #[arg(long)]
        verify: bool,
    },
    /// The folder models belong in, or the folder of one model that is here
    Path {
        /// A name out of `list`
        name: Option<String>,
    },
}

/// Runs the command. 0: all is here; 1: something is missing; 2: no such model, or an unreadable list.
pub fn run(args: ModelsArgs) -> ExitCode {
    let dirs = match Config::load_without_passwords(args.config.as_deref()) {
        Ok(config) => config.model_dirs(),
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let manifest = args.manifest.as_deref().map_or_else(Manifest::from_env, |path| Manifest::load(Some(path)));
    let outcome = manifest.map_err(|error| error.to_string()).and_then(|manifest| match &args.command {
        ModelsCommand::List { verify } => Ok(list(&manifest, &dirs, *verify)),
        ModelsCommand::Path { name } => path(&manifest, &dirs, name.as_deref()),
    });
    outcome.unwrap_or_else(|sentence| {
        complain(&format_args!("trunkline models: {sentence}"));
        ExitCode::from(2)
    })
}

fn list(manifest: &Manifest, dirs: &ModelDirs, verify: bool) -> ExitCode {
    let (mut complete, mut text) = (true, String::new());
    for model in &manifest.model {
        let state = match model.presence(dirs, verify) {
            Presence::Installed => "here",
            Presence::Missing => "missing",
            Presence::Differs => "differs from the list",
        };
        complete &= state == "here";
        let megabytes = model.bytes() as f64 / 1e6;
        let (name, licence, what) = (&model.name, &model.licence, &model.what);
        text.push_str(&format!("{name:<20} {state:<8} {megabytes:>6.1} MB  {licence:<10} {what}\n"));
    }
    if complete {
        return print(&text);
    }
    print(&(text + &format!("To get what is missing, {}.\n", dirs.advice(""))));
    ExitCode::FAILURE
}

fn path(manifest: &Manifest, dirs: &ModelDirs, name: Option<&str>) -> Result<ExitCode, String> {
    let Some(name) = name else {
        let home = dirs.home().ok_or("set TRUNKLINE_MODELS, or HOME, to say where models belong")?;
        return Ok(print(&format!("{}\n", home.display())));
    };
    let model = manifest.get(name).ok_or_else(|| {
        let names: Vec<&str> = manifest.model.iter().map(|model| model.name.as_str()).collect();
        format!("no model is called `{name}`; there are: {}", names.join(", "))
    })?;
    let first = model.file.first().ok_or_else(|| format!("`{name}` lists no files"))?;
    match dirs.find(&first.path) {
        Some(file) => Ok(print(&format!("{}\n", file.parent().unwrap_or(&file).display()))),
        None => {
            complain(&format_args!("`{name}` is not here: {}", dirs.advice(name)));
            Ok(ExitCode::FAILURE)
        }
    }
}
