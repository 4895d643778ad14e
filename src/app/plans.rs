//! Dial plans and everything they can say, ready for calls; and kept as their files are while calls go on.

mod driver;
pub(super) mod orders;
mod routed;
mod settle;
mod shelf;
mod versions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tracing::{error, info, warn};

pub(super) use self::driver::Watcher;
use self::routed::{Depth, Looked, Routed, Stamps, sources};
pub use self::routed::{RollBackError, RolledBack};
use super::AppError;
use crate::audio::TELEPHONE_HZ;
use crate::config::Config;
use crate::dialplan::diagnostic::Severity;
use crate::dialplan::interpreter::{Interpreter, Line, line_of};
use crate::dialplan::load::{Loaded, Texts, load, load_kept, load_str};
use crate::dialplan::plan::{Plan, Prompt};
use crate::dialplan::scope::{Scope, Variables, View};
use crate::dialplan::template::{self, is_template};
use crate::observe::metrics::PlansView;
use crate::speech::Utter;
use crate::speech::prompts::{PromptBook, Prompts};
use crate::speech::voices::SystemVoices;
use crate::time::Clock;
use crate::understand::Matcher;

/// Plans kept that no route leads to: those of `trunkline call`.
const MORE: usize = 64;
/// Plans of the gateway's own that are kept: a few for each language that agents speak.
const OWN: usize = 64;

/// A dial plan and everything it can say, ready for calls.
#[derive(Clone, Debug)]
pub struct LivePlan {
    /// Compiled.
    pub plan: Arc<Plan>,
    /// Rendered.
    pub prompts: Arc<PromptBook>,
    /// Renders what only the call knows.
    pub voices: Arc<Prompts>,
}

/// The plans of a gateway.
pub struct Plans {
    prompts: Arc<Prompts>,
    clock: Arc<dyn Clock>,
    routed: BTreeMap<PathBuf, Routed>,
    /// Asked for by orders, as they were when their files were last written.
    more: Mutex<BTreeMap<PathBuf, (Stamps, LivePlan)>>,
    /// The gateway's own, by their text.
    own: Mutex<BTreeMap<String, LivePlan>>,
    /// Whoever changes what is in force does so alone.
    turn: tokio::sync::Mutex<()>,
    /// Edited files that came into force, and those that were broken.
    enforced: AtomicU64,
    refused: AtomicU64,
}

impl Plans {
    /// None yet.
    pub fn none(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            prompts: Arc::new(prompts(config)),
            clock,
            routed: BTreeMap::new(),
            more: Mutex::default(),
            own: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            enforced: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Every routed plan, loaded once, with what it can say rendered.
    pub async fn routed(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        if config.routes.is_empty() {
            return Err(AppError::NoRoute);
        }
        let mut plans = Self::none(config, clock);
        for route in &config.routes {
            if !plans.routed.contains_key(&route.plan) {
                let now = plans.clock.now().wall;
                let routed = Routed::open(&route.plan, &config.data_dir, &plans.prompts, now).await?;
                plans.routed.insert(route.plan.clone(), routed);
            }
        }
        Ok(plans)
    }

    /// How many are in service.
    pub fn len(&self) -> usize {
        self.routed.len()
    }

    /// The plan of a route, as it is in force now.
    pub fn of_route(&self, path: &Path) -> LivePlan {
        self.routed.get(path).expect("every routed plan was loaded at start").live()
    }

    /// Reads files again, as far as that is called for. Had any of them changed?
    pub async fn look(&self, depth: Depth) -> bool {
        let _turn = self.turn.lock().await;
        let mut any = false;
        for routed in self.routed.values() {
            let looked = routed.look(depth, &self.prompts, self.clock.now().wall).await;
            any |= looked != Looked::Same;
            match looked {
                Looked::InForce => self.enforced.fetch_add(1, Ordering::Relaxed),
                Looked::Broken => self.refused.fetch_add(1, Ordering::Relaxed),
                Looked::Same | Looked::Unchanged => 0,
            };
        }
        any
    }

    /// Puts an earlier version of a plan in force, until its file is edited. `name`: the plan's, or that of its file.
    pub async fn roll_back(&self, name: &str, version: Option<&str>) -> Result<RolledBack, RollBackError> {
        let _turn = self.turn.lock().await;
        let called = |routed: &&Routed| routed.live().plan.name == name || routed.file == Path::new(name);
        let routed = self.routed.values().find(called).ok_or_else(|| RollBackError::NoPlan(name.to_owned()))?;
        routed.roll_back(version, &self.prompts, self.clock.now().wall).await
    }

    /// Everything that plans in service were made of.
    fn files(&self) -> Vec<PathBuf> {
        self.routed.values().flat_map(Routed::files).collect()
    }

    /// For those who watch.
    pub fn view(&self) -> PlansView {
        let named = |held: fn(&versions::Versions) -> bool| {
            let those = self.routed.values().filter(|routed| held(&routed.versions()));
            those.map(|routed| routed.live().plan.name.clone()).collect()
        };
        PlansView {
            in_service: self.routed.len(),
            broken: named(|versions| versions.fault().is_some()),
            put_back: named(|versions| versions.put_aside().is_some()),
            enforced: self.enforced.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Any plan, by its file, ready to talk to somebody of whom this is known.
    pub async fn fetch(&self, path: &Path, variables: &Variables) -> Result<LivePlan, AppError> {
        let live = self.load(path).await?;
        let names = |prompt: &Prompt| prompt.texts.values().any(|text| is_template(text));
        if variables.is_empty() || !live.plan.utterances().any(|(prompt, _)| names(prompt)) {
            return Ok(live);
        }
        let (live, _) = render(live.plan, self.prompts.clone(), &live.prompts, variables).await?;
        Ok(live)
    }

    /// A plan of the gateway's own, written as text, ready to talk to somebody of whom this is known. One that talks to
    /// everybody alike is made once.
    pub async fn spoken(&self, name: &str, text: &str, variables: &Variables) -> Result<LivePlan, AppError> {
        let known = self.own().get(text).filter(|_| variables.is_empty()).cloned();
        if let Some(live) = known {
            return Ok(live);
        }
        let (called, written) = (name.to_owned(), text.to_owned());
        let compile = move || load_str(&called, &written).map(Read::of).map_err(AppError::Plan);
        let plan = off_the_beat(Path::new(name), compile).await?.plan;
        let (live, _) = render(plan, self.prompts.clone(), &PromptBook::default(), variables).await?;
        if variables.is_empty() {
            let mut own = self.own();
            if own.len() >= OWN {
                own.pop_first();
            }
            own.insert(text.to_owned(), live.clone());
        }
        Ok(live)
    }

    fn own(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, LivePlan>> {
        self.own.lock().expect("nobody panics while holding the plans")
    }

    /// Loaded when it is asked for first, and again when its file or a recording has changed.
    async fn load(&self, path: &Path) -> Result<LivePlan, AppError> {
        if let Some(routed) = self.routed.get(path) {
            return Ok(routed.live());
        }
        let known = self.kept().get(path).cloned();
        if let Some((stamps, live)) = known
            && stamps == Stamps::of(sources(&live.plan))
        {
            return Ok(live);
        }
        let before = Stamps::of([path.to_owned()]);
        let live = live_plan(path, &self.prompts).await?;
        let stamps = before.joined(sources(&live.plan));
        let mut kept = self.kept();
        if kept.len() >= MORE && !kept.contains_key(path) {
            kept.pop_first();
        }
        kept.insert(path.to_owned(), (stamps, live.clone()));
        Ok(live)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, (Stamps, LivePlan)>> {
        self.more.lock().expect("nobody panics while holding the plans")
    }
}

impl std::fmt::Debug for Plans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plans").field("routed", &self.routed.keys()).finish_non_exhaustive()
    }
}

/// The prompt cache of this configuration.
pub fn prompts(config: &Config) -> Prompts {
    Prompts::new(config.data_dir.join("prompts"), TELEPHONE_HZ, Arc::new(SystemVoices::speaking(&config.speech.voice)))
}

/// A plan that has been read and found sound.
struct Read {
    plan: Arc<Plan>,
    /// Every text it was read from.
    texts: Texts,
    warned: bool,
}

/// A plan that is ready for calls.
struct Ready {
    live: LivePlan,
    texts: Texts,
    /// Prompts recorded, cached and synthesized.
    counts: [usize; 3],
}

/// Reads a plan on a thread that may take its time.
async fn read(path: &Path) -> Result<Read, AppError> {
    let file = path.to_owned();
    off_the_beat(path, move || {
        if !file.exists() {
            return Err(AppError::NoPlan(file));
        }
        load(&file).map(Read::of).map_err(AppError::Plan)
    })
    .await
}

/// Reads a plan from texts that were kept of it.
async fn read_texts(path: &Path, texts: Texts) -> Result<Read, AppError> {
    let file = path.to_owned();
    off_the_beat(path, move || load_kept(&file, texts).map(Read::of).map_err(AppError::Plan)).await
}

impl Read {
    fn of(loaded: Loaded) -> Self {
        let warned = loaded.warnings.count(Severity::Warning) > 0;
        Self { plan: loaded.plan, texts: loaded.texts, warned }
    }
}

/// Compiling a large plan takes long enough to keep calls waiting, so it happens elsewhere.
async fn off_the_beat(
    path: &Path,
    work: impl FnOnce() -> Result<Read, AppError> + Send + 'static,
) -> Result<Read, AppError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(AppError::Unread { file: path.to_owned() }))
}

/// Renders what a plan can say to somebody of whom nothing is known; what `before` holds it need not render again.
async fn render_read(found: Read, before: &PromptBook, prompts: &Arc<Prompts>) -> Result<Ready, AppError> {
    if found.warned {
        warn!(plan = found.plan.name, "the plan has warnings; `trunkline check` shows them");
    }
    let (live, counts) = render(found.plan, prompts.clone(), before, &Variables::new()).await?;
    Ok(Ready { live, texts: found.texts, counts })
}

/// Loads a plan and renders what it can say to somebody of whom nothing is known.
async fn live_plan(path: &Path, prompts: &Arc<Prompts>) -> Result<LivePlan, AppError> {
    let Ready { live, counts: [recorded, cached, synthesized], .. } =
        render_read(read(path).await?, &PromptBook::default(), prompts).await?;
    let (plan, version) = (&live.plan.name, &live.plan.version);
    info!(plan, version, recorded, cached, synthesized, "dial plan loaded");
    Ok(live)
}

/// Renders what a plan can say to somebody of whom this is known. Counts prompts recorded, cached and synthesized.
pub(super) async fn render(
    plan: Arc<Plan>,
    prompts: Arc<Prompts>,
    before: &PromptBook,
    variables: &Variables,
) -> Result<(LivePlan, [usize; 3]), AppError> {
    let wanted = utters(&plan, variables);
    let (voices, before) = (prompts.clone(), before.clone());
    let understands = plan.clone();
    let prepare = tokio::task::spawn_blocking(move || {
        // Else the first caller whose words are no phrase would wait for it.
        understands.matchers.iter().for_each(Matcher::warm);
        prompts.prepare_again(wanted, &before, |_| {})
    });
    let prepared = prepare.await.map_err(|_| AppError::Prompts { plan: plan.name.clone() })?;
    for problem in prepared.problems.iter().filter(|problem| !problem.silent) {
        warn!(plan = plan.name, "{}", problem.sentence);
    }
    if let Some(silence) = prepared.silence() {
        let sentence = silence.sentence(&plan.name);
        if silence.is_total() {
            return Err(AppError::Silent { silence: sentence });
        }
        error!("{sentence}");
    }
    let counts = [prepared.recorded, prepared.cached, prepared.synthesized];
    Ok((LivePlan { plan, prompts: Arc::new(prepared.book), voices }, counts))
}

/// What can be rendered before the call: every text without values in it, and those whose values are known. What is only
/// known in the call is rendered when it is said.
pub fn utters(plan: &Arc<Plan>, variables: &Variables) -> Vec<Utter> {
    let known = Interpreter::new(plan.clone(), &plan.languages[0], TimeZone::UTC).knowing(Scope::default(), variables);
    let said = plan.utterances().filter_map(|(prompt, language)| {
        let view = View { scope: known.scope(), language, now: DateTime::default() };
        // With a gap in it, it is not what will be said.
        if !template::names(prompt.texts.get(language)?).iter().all(|name| known.scope().value(name).is_some()) {
            return None;
        }
        let (Line { text, file }, fault) = line_of(prompt, view);
        fault.is_none().then(|| Utter { text, language: language.clone(), file })
    });
    said.filter(|utter| !utter.text.trim().is_empty() || utter.file.is_some()).collect()
}

#[cfg(test)]
impl Plans {
    /// The same, in another voice.
    pub(super) fn voiced(self, prompts: Prompts) -> Self {
        Self { prompts: Arc::new(prompts), ..self }
    }
}

#[cfg(test)]
pub(super) async fn loaded(path: &Path, prompts: Prompts) -> Result<LivePlan, AppError> {
    live_plan(path, &Arc::new(prompts)).await
}
