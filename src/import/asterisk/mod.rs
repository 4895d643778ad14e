//! Asterisk's `extensions.conf` as a plan.
//!
//! Each priority becomes a step named after its context and extension. A message followed by `WaitExten` becomes a menu
//! of the one-key extensions of its context, or, where there are longer ones, a question for digits and a branch. What
//! a called number reaches becomes a branch on it.

mod convert;
mod expr;
mod flow;
mod menu;
mod parse;
mod pattern;
mod sounds;

use std::path::{Path, PathBuf};

use super::{Draft, ImportError, Imported, Notes, tidy};

/// What an import may be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where a call begins; without it, where calls from outside seem to.
    pub context: Option<String>,
    /// Where the recordings lie that `Playback` names.
    pub sounds: Option<PathBuf>,
    /// The language of the plan.
    pub language: String,
}

/// Makes a plan of a dialplan. Blocking.
pub fn import(path: &Path, options: &Options) -> Result<Imported, ImportError> {
    let mut notes = Notes::default();
    let dialplan = parse::read(path, &mut notes)?;
    let begins = begins(&dialplan, options.context.as_deref())?;
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let draft = Draft {
        name: begins.clone(),
        language: options.language.clone(),
        source: format!("[{begins}] of {file}"),
        ..Draft::default()
    };
    let mut draft = convert::convert(&dialplan, &begins, draft, options.sounds.as_deref(), &mut notes);
    tidy::tidy(&mut draft, &mut notes);
    Ok(Imported { plan: draft.print(), steps: draft.steps.len(), notes: notes.sorted() })
}

/// The context in which calls begin.
fn begins(dialplan: &parse::Dialplan, wanted: Option<&str>) -> Result<String, ImportError> {
    let filled = || dialplan.contexts.iter().filter(|context| !context.extensions.is_empty());
    let all = || filled().map(|context| context.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        let found = dialplan.context(wanted).filter(|context| !context.extensions.is_empty());
        let none =
            || ImportError::Nothing(format!("there is no context [{wanted}] with extensions; there are {}", all()));
        return found.map(|context| context.name.clone()).ok_or_else(none);
    }
    const OUTSIDE: [&str; 7] = ["from-", "incoming", "inbound", "default", "public", "ivr", "main"];
    let named = OUTSIDE.iter().find_map(|word| filled().find(|context| context.name.to_lowercase().contains(word)));
    let asks = || filled().find(|context| context.extension("s").is_some());
    let first = || filled().next();
    let found = named.or_else(asks).or_else(first);
    found
        .map(|context| context.name.clone())
        .ok_or_else(|| ImportError::Nothing("there is no extension in it".to_owned()))
}
