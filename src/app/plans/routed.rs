//! One plan in service: which version rules, what its file says, and how the one becomes the other.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::shelf::Shelf;
use super::versions::{Look, NoSuchVersion, Versions};
use super::{LivePlan, read, read_texts, render_read};
use crate::app::AppError;
use crate::dialplan::load::Texts;
use crate::dialplan::plan::Plan;
use crate::speech::prompts::{PromptBook, Prompts};

/// Earlier versions that stay in memory, ready at once.
const WARM: usize = 4;
/// Looks at nothing new after which a broken file is tried all the same: what it lacks may lie where nobody watches.
const TRY_AGAIN: u32 = 5;

/// How closely a file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Something happened: read it if it is another than the one read before.
    Changed,
    /// Nobody tells: read it if it is another, and has stood so since the look before.
    Settled,
    /// Read it.
    Whole,
}

/// What a look has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Nothing to read.
    Same,
    /// Read; what rules goes on ruling.
    Unchanged,
    /// Another version rules.
    InForce,
    /// It is broken, and that is news.
    Broken,
}

/// Why an earlier version does not come back.
#[derive(Debug, thiserror::Error)]
pub enum RollBackError {
    /// No such plan.
    #[error("no plan in service is called {0}; `trunkline plans` lists them")]
    NoPlan(String),
    /// No such version.
    #[error(transparent)]
    NoVersion(#[from] NoSuchVersion),
    /// Its text is gone.
    #[error("what version {version} said is not kept any more: {cause}")]
    NotKept {
        /// Which.
        version: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Its texts are there, and make another plan now.
    #[error(
        "version {version} cannot be made again: recordings it was made of have changed since; put those back first"
    )]
    OtherFiles {
        /// Which.
        version: String,
    },
    /// It cannot be used any more.
    #[error("version {version} cannot be used: {cause}")]
    Unusable {
        /// Which.
        version: String,
        /// Why.
        cause: Box<AppError>,
    },
}

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The plan.
    pub plan: String,
    /// Ruled until now.
    pub from: String,
    /// Rules from now on.
    pub to: String,
    /// What the file holds, if it is another: it stays aside until it is edited.
    pub file: Option<String>,
}

/// A plan in service.
#[derive(Debug)]
pub(super) struct Routed {
    pub file: PathBuf,
    shelf: Shelf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    versions: Versions,
    live: LivePlan,
    warm: VecDeque<LivePlan>,
    /// The version the file held when it was read last and was sound.
    on_disk: Option<String>,
    stamps: Stamps,
    /// Seen by the look before, and not read yet.
    glimpsed: Option<Stamps>,
    idle: u32,
}

impl Routed {
    /// As its file says; by what was in force before, where the file is broken or was put aside by hand.
    pub async fn open(file: &Path, data_dir: &Path, prompts: &Arc<Prompts>, now: Timestamp) -> Result<Self, AppError> {
        let shelf = Shelf::of(data_dir, file);
        let mut versions = shelf.versions().unwrap_or_else(|error| {
            warn!(file = %file.display(), %error, "earlier versions of this dial plan cannot be read; they are forgotten");
            Versions::default()
        });
        let mut stamps = Stamps::of([file.to_owned()]);
        let made = match read(file).await {
            Ok(found) => render_read(found, &PromptBook::default(), prompts).await,
            Err(error) => Err(error),
        };
        let before = versions.in_force().map(|seen| seen.version.clone());
        let mut newest = None;
        let (live, on_disk) = match made {
            Ok(made) => {
                let (plan, version) = (made.live.plan.name.clone(), made.live.plan.version.clone());
                let [recorded, cached, synthesized] = made.counts;
                info!(plan, version, recorded, cached, synthesized, "dial plan loaded");
                stamps = stamps.joined(sources(&made.live.plan));
                newest = Some((version.clone(), made.texts));
                let live = match (versions.file_holds(&version), before) {
                    (Look::PutAside, Some(before)) => match revive(&before, file, &shelf, prompts).await {
                        Ok(old) => {
                            warn!(
                                plan,
                                version = before,
                                "this earlier version is in force, as it was put back by hand"
                            );
                            old
                        }
                        Err(error) => {
                            warn!(%error, "the version that was put back by hand is gone; the file is in force");
                            versions.enforce(&version, now);
                            made.live
                        }
                    },
                    (Look::New, _) => {
                        versions.enforce(&version, now);
                        made.live
                    }
                    _ => made.live,
                };
                (live, Some(version))
            }
            Err(broken) => {
                let Some(before) = before else { return Err(broken) };
                let Ok(old) = revive(&before, file, &shelf, prompts).await else { return Err(broken) };
                stamps.extend(&Stamps::of(sources(&old.plan)));
                versions.file_is_broken(&fault(&broken), now);
                tell_broken(&old.plan, file, &fault(&broken));
                (old, None)
            }
        };
        keep(shelf.clone(), versions.clone(), newest).await;
        let state = State { versions, live, warm: VecDeque::new(), on_disk, stamps, glimpsed: None, idle: 0 };
        Ok(Self { file: file.to_owned(), shelf, state: Mutex::new(state) })
    }

    /// What rules now.
    pub fn live(&self) -> LivePlan {
        self.state().live.clone()
    }

    /// What is known of its versions.
    pub fn versions(&self) -> Versions {
        self.state().versions.clone()
    }

    /// Everything it was made of.
    pub fn files(&self) -> Vec<PathBuf> {
        sources(&self.live().plan)
    }

    /// Reads the file again where that is called for, and puts what it says in force. One look at a time.
    pub async fn look(&self, depth: Depth, prompts: &Arc<Prompts>, now: Timestamp) -> Looked {
        let stamps = Stamps::of(self.files());
        if !self.state().is_to_be_read(depth, &stamps) {
            return Looked::Same;
        }
        let found = match read(&self.file).await {
            Ok(found) => found,
            Err(error) => return self.broken(&error, stamps, now),
        };
        let version = found.plan.version.clone();
        let look = {
            let mut state = self.state();
            state.on_disk = Some(version.clone());
            state.stamps = stamps.clone();
            state.versions.file_holds(&version)
        };
        match look {
            Look::New => {}
            Look::Mended => {
                info!(plan = found.plan.name, version, "the dial plan's file is sound again, and in force as before");
                return Looked::Unchanged;
            }
            Look::Known | Look::PutAside => return Looked::Unchanged,
        }
        let before = self.live().prompts;
        let made = match render_read(found, &before, prompts).await {
            Ok(made) => made,
            Err(error) => return self.broken(&error, stamps, now),
        };
        let (plan, [recorded, cached, synthesized]) = (made.live.plan.clone(), made.counts);
        let newest = Some((version.clone(), made.texts));
        let versions = {
            let mut state = self.state();
            state.stamps = stamps.joined(sources(&plan));
            state.versions.enforce(&version, now);
            state.rule(made.live);
            state.versions.clone()
        };
        let plan = &plan.name;
        info!(plan, version, recorded, cached, synthesized, "edited dial plan in force; live calls keep theirs");
        keep(self.shelf.clone(), versions, newest).await;
        Looked::InForce
    }

    /// Puts an earlier version in force.
    pub async fn roll_back(
        &self,
        typed: Option<&str>,
        prompts: &Arc<Prompts>,
        now: Timestamp,
    ) -> Result<RolledBack, RollBackError> {
        let (version, warm) = {
            let state = self.state();
            let version = state.versions.find(typed)?;
            let warm = state.warm.iter().find(|live| live.plan.version == version).cloned();
            (version, warm)
        };
        let live = match warm {
            Some(live) => live,
            None => revive(&version, &self.file, &self.shelf, prompts).await?,
        };
        let (done, versions) = {
            let mut state = self.state();
            let on_disk = state.on_disk.clone();
            let from = state.live.plan.version.clone();
            let plan = live.plan.name.clone();
            state.versions.roll_back(&version, on_disk.as_deref(), now);
            state.rule(live);
            let file = state.versions.put_aside().map(str::to_owned);
            (RolledBack { plan, from, to: version, file }, state.versions.clone())
        };
        keep(self.shelf.clone(), versions, None).await;
        let RolledBack { plan, from, to, .. } = &done;
        warn!(plan, version = to, from, "an earlier version of the dial plan was put back by hand");
        Ok(done)
    }

    fn broken(&self, error: &AppError, stamps: Stamps, now: Timestamp) -> Looked {
        let text = fault(error);
        let mut state = self.state();
        (state.stamps, state.on_disk) = (stamps, None);
        if !state.versions.file_is_broken(&text, now) {
            return Looked::Unchanged;
        }
        tell_broken(&state.live.plan, &self.file, &text);
        Looked::Broken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding a plan")
    }
}

impl State {
    fn is_to_be_read(&mut self, depth: Depth, stamps: &Stamps) -> bool {
        let broken = self.versions.fault().is_some();
        let other = *stamps != self.stamps;
        let glimpsed = self.glimpsed.take();
        match depth {
            Depth::Whole => true,
            Depth::Changed => other || broken,
            Depth::Settled if other => {
                let stands = glimpsed.as_ref() == Some(stamps);
                self.glimpsed = (!stands).then(|| stamps.clone());
                stands
            }
            Depth::Settled => {
                self.idle = self.idle.wrapping_add(1);
                broken && self.idle.is_multiple_of(TRY_AGAIN)
            }
        }
    }

    /// Another rules; the one that did stays ready.
    fn rule(&mut self, live: LivePlan) {
        self.warm.retain(|warm| warm.plan.version != live.plan.version);
        let old = std::mem::replace(&mut self.live, live);
        self.warm.push_front(old);
        self.warm.truncate(WARM);
    }
}

/// Makes an earlier version from its text.
async fn revive(version: &str, file: &Path, shelf: &Shelf, prompts: &Arc<Prompts>) -> Result<LivePlan, RollBackError> {
    let texts = shelf.texts(version).map_err(|cause| RollBackError::NotKept { version: version.to_owned(), cause })?;
    let unusable = |cause: AppError| RollBackError::Unusable { version: version.to_owned(), cause: Box::new(cause) };
    let found = read_texts(file, texts).await.map_err(unusable)?;
    if found.plan.version != version {
        return Err(RollBackError::OtherFiles { version: version.to_owned() });
    }
    Ok(render_read(found, &PromptBook::default(), prompts).await.map_err(unusable)?.live)
}

/// Keeps what was in force, and what the file says in its newest version. Whoever calls need not wait for the disk to
/// hear the new words: this comes after.
async fn keep(shelf: Shelf, versions: Versions, newest: Option<(String, Texts)>) {
    let kept = tokio::task::spawn_blocking(move || {
        if let Some((version, texts)) = newest {
            shelf.keep_texts(&version, &texts)?;
        }
        shelf.keep(&versions)
    });
    if let Ok(Err(error)) = kept.await {
        warn!(%error, "what was in force cannot be kept on disk; after a restart it cannot be put back");
    }
}

/// What is wrong with a file, for people who look at the list of plans.
fn fault(error: &AppError) -> String {
    match error {
        AppError::Silent { silence } => format!("{silence}; its callers would hear nothing"),
        AppError::NoPlan(file) => format!("{}  does not exist", file.display()),
        error => error.to_string(),
    }
}

fn tell_broken(ruling: &Plan, file: &Path, fault: &str) {
    /// The log is told where to look; the list of plans has it all.
    const TOLD: usize = 1_000;
    let line = fault.trim_end().replace("\n  help: ", " (help: ").replace('\n', "; ");
    let line: String = line.chars().take(TOLD).collect();
    let (plan, version) = (&ruling.name, &ruling.version);
    error!(plan, file = %file.display(), version, "the dial plan's file is broken; this version stays in force: {line}");
}

/// Everything a plan was made of.
pub(super) fn sources(plan: &Plan) -> Vec<PathBuf> {
    plan.sources.clone()
}

/// What tells one state of a file from another without reading it: when written, how long, which file it is. `None`
/// when it is not there.
type Stamp = Option<(SystemTime, u64, u64)>;

/// The stamps of many files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps(BTreeMap<PathBuf, Stamp>);

impl Stamps {
    /// As they are now. Links are followed.
    pub fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let stamp = |file: &PathBuf| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.modified().ok()?, found.len(), found.ino()))
        };
        Self(files.into_iter().map(|file| (stamp(&file), file)).map(|(stamp, file)| (file, stamp)).collect())
    }

    /// These files and no others: those known here as they were, so that a change meanwhile is seen; the rest as they
    /// are.
    pub fn joined(&self, files: Vec<PathBuf>) -> Self {
        let now = Self::of(files).0.into_iter();
        Self(
            now.map(|(file, stamp)| (self.0.get(&file).copied().unwrap_or(stamp), file)).map(|(s, f)| (f, s)).collect(),
        )
    }

    fn extend(&mut self, others: &Self) {
        for (file, stamp) in &others.0 {
            self.0.entry(file.clone()).or_insert(*stamp);
        }
    }
}
