//! Dial plans and everything they can say, ready for calls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tracing::{error, info, warn};

use super::AppError;
use crate::audio::TELEPHONE_HZ;
use crate::config::Config;
use crate::dialplan::diagnostic::Severity;
use crate::dialplan::interpreter::Interpreter;
use crate::dialplan::load::{load, load_str};
use crate::dialplan::plan::{Plan, Prompt};
use crate::dialplan::scope::{Scope, Variables, View};
use crate::dialplan::template::{fill, is_template};
use crate::speech::Utter;
use crate::speech::prompts::{PromptBook, Prompts};
use crate::speech::voices::SystemVoices;

/// Plans kept that no route leads to: those of `trunkline call`.
const MORE: usize = 64;

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
    routed: BTreeMap<PathBuf, LivePlan>,
    /// Asked for by orders, as they were when the file was last written.
    more: Mutex<BTreeMap<PathBuf, (SystemTime, LivePlan)>>,
}

impl Plans {
    /// None yet.
    pub fn none(config: &Config) -> Self {
        Self { prompts: Arc::new(prompts(config)), routed: BTreeMap::new(), more: Mutex::default() }
    }

    /// Every routed plan, loaded once, with what it can say rendered.
    pub async fn routed(config: &Config) -> Result<Self, AppError> {
        if config.routes.is_empty() {
            return Err(AppError::NoRoute);
        }
        let mut plans = Self::none(config);
        for route in &config.routes {
            if !plans.routed.contains_key(&route.plan) {
                let live = live_plan(&route.plan, plans.prompts.clone()).await?;
                plans.routed.insert(route.plan.clone(), live);
            }
        }
        Ok(plans)
    }

    /// How many are in service.
    pub fn len(&self) -> usize {
        self.routed.len()
    }

    /// The plan of a route.
    pub fn of_route(&self, path: &Path) -> LivePlan {
        self.routed.get(path).expect("every routed plan was loaded at start").clone()
    }

    /// Any plan, by its file, ready to talk to somebody of whom this is known.
    pub async fn fetch(&self, path: &Path, variables: &Variables) -> Result<LivePlan, AppError> {
        let live = self.load(path).await?;
        let names = |prompt: &Prompt| prompt.texts.values().any(|text| is_template(text));
        if variables.is_empty() || !live.plan.utterances().any(|(prompt, _)| names(prompt)) {
            return Ok(live);
        }
        let (live, _) = render(live.plan, self.prompts.clone(), variables).await?;
        Ok(live)
    }

    /// A plan of the gateway's own, written as text, ready to talk to somebody of whom this is known.
    pub async fn spoken(&self, name: &str, text: &str, variables: &Variables) -> Result<LivePlan, AppError> {
        let plan = load_str(name, text).map_err(AppError::Plan)?.plan;
        Ok(render(plan, self.prompts.clone(), variables).await?.0)
    }

    /// Loaded when it is asked for first, and again when the file has changed.
    async fn load(&self, path: &Path) -> Result<LivePlan, AppError> {
        if let Some(live) = self.routed.get(path) {
            return Ok(live.clone());
        }
        let written = std::fs::metadata(path).and_then(|found| found.modified());
        let written = written.map_err(|_| AppError::NoPlan(path.to_owned()))?;
        if let Some((_, live)) = self.kept().get(path).filter(|(then, _)| *then == written) {
            return Ok(live.clone());
        }
        let live = live_plan(path, self.prompts.clone()).await?;
        let mut kept = self.kept();
        if kept.len() >= MORE {
            kept.pop_first();
        }
        kept.insert(path.to_owned(), (written, live.clone()));
        Ok(live)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, (SystemTime, LivePlan)>> {
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
/// Loads a plan and renders what it can say to somebody of whom nothing is known.
async fn live_plan(path: &Path, prompts: Arc<Prompts>) -> Result<LivePlan, AppError> {
    if !path.exists() {
        return Err(AppError::NoPlan(path.to_owned()));
    }
    let loaded = load(path).map_err(AppError::Plan)?;
    if loaded.warnings.count(Severity::Warning) > 0 {
        warn!(plan = loaded.plan.name, "the plan has warnings; `trunkline check` shows them");
    }
    let (plan, version) = (loaded.plan.name.clone(), loaded.plan.version.clone());
    let (live, counts) = render(loaded.plan, prompts, &Variables::new()).await?;
    let [recorded, cached, synthesized] = counts;
    info!(plan, version, recorded, cached, synthesized, "dial plan loaded");
    Ok(live)
}

/// Renders what a plan can say to somebody of whom this is known. Counts prompts recorded, cached and synthesized.
async fn render(
    plan: Arc<Plan>,
    prompts: Arc<Prompts>,
    variables: &Variables,
) -> Result<(LivePlan, [usize; 3]), AppError> {
    let wanted = utters(&plan, variables);
    let voices = prompts.clone();
    let prepare = tokio::task::spawn_blocking(move || prompts.prepare(wanted, |_| {}));
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
        let text = prompt.texts.get(language)?;
        let text = match is_template(text) {
            true if variables.is_empty() => return None,
            true => fill(text, view).ok()?.into_owned(),
            false => text.clone(),
        };
        Some(Utter { text, language: language.clone(), file: prompt.files.get(language).cloned() })
    });
    said.filter(|utter| !utter.text.trim().is_empty() || utter.file.is_some()).collect()
}

#[cfg(test)]
pub(super) async fn loaded(path: &Path, prompts: Prompts) -> Result<LivePlan, AppError> {
    live_plan(path, Arc::new(prompts)).await
}
