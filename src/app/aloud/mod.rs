//! Conversations of test files as real calls: a gateway and a telephone in one process, SIP and RTP between them.
//!
//! ```text
//!   Person ◀── News ─────────────────────────────────────┐
//!     │ Does                                             │ witness
//!     ▼                                                  │
//!   phone: SIP, RTP, a voice ══ loopback ══ stage: the house's SIP, media, recognisers, call driver
//!     ▲ picks up, presses                                │ INVITE
//!     └─────────────── agents ◀──────────────────────────┘
//! ```
//!
//! [`stage`] answers as the gateway does, but lives at the time, knows what is known and asks whom the conversation says;
//! [`phone`] calls, and is called for [`agents`]. Nothing of it is stored.

mod agents;
mod door;
mod phone;
mod stage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::door::Door;
use self::phone::{Phone, Talk};
use self::stage::Stage;
use super::house::House;
use super::plans::{Plans, render};
use super::{AppError, BYE_GRACE, Running, leave, open_house, prepare_data_folder};
use crate::audio::{Pcm, TELEPHONE_HZ};
use crate::call::record::{CallRecord, TurnOutcome};
use crate::config::{Config, PortRange};
use crate::dialplan::plan::Plan;
use crate::language::Language;
use crate::simulate::aloud::hearing::heard;
use crate::simulate::aloud::noise;
use crate::simulate::aloud::part::Part;
use crate::simulate::aloud::person::{Does, Ending, News, Person};
use crate::simulate::aloud::tally::Played;
use crate::simulate::came_to;
use crate::simulate::transcript::{AgentDoes, print_end};
use crate::sip::SipServer;
use crate::speech::level::PROMPT_DBOV;
use crate::speech::prompts::{PromptBook, Prompts};
use crate::speech::voices::SystemVoices;
use crate::speech::{RecognizeError, Utter};
use crate::spoken::yes_no;
use crate::store::driver::WriterTask;
use crate::time::{Clock, SystemClock};

/// What is seen of one call and not yet taken. A turn makes about ten; the caller takes them at once.
const NEWS: usize = 256;
/// What agents are still to do. The caller waits for one thing before the next.
const CUES: usize = 8;
/// A sound without words is about as loud as a cough.
const RUSTLE_DBOV: f32 = -24.0;
/// A sound without words as long as this is a song.
const SONG: Duration = Duration::from_secs(2);
/// How long a call may take to close after it is over.
const CLOSING: Duration = Duration::from_secs(60);

/// How conversations are played.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The callers' voices, of flite's, where they speak English: a line that is said again is said by the next.
    pub voices: Vec<String>,
    /// How far below the voice there is noise on the line, in decibels; `None`: there is none.
    pub noise_db: Option<f32>,
    /// Which noise.
    pub seed: u64,
    /// What each caller heard (left) and said (right) is kept here.
    pub keep: Option<PathBuf>,
}

/// A gateway and a telephone.
pub struct Theatre {
    house: Arc<House>,
    sip: SipServer,
    writer: WriterTask,
    door: Door,
    doorman: JoinSet<()>,
    phone: Phone,
    prompts: Arc<Prompts>,
    voices: Vec<Arc<Prompts>>,
    manner: Manner,
    folder: PathBuf,
}

impl Theatre {
    /// Opens both, with the models and the voice of these settings, and the prompts they have rendered already.
    ///
    /// # Errors
    ///
    /// [`AppError`], each of which says what to do.
    pub async fn open(config: Config, manner: Manner) -> Result<Self, AppError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let folder = std::env::temp_dir().join(format!("trunkline-test-{:016x}", rand::rng().random::<u64>()));
        prepare_data_folder(&folder)?;
        let cache = config.data_dir.join("prompts");
        let maker = |voice: &str| Prompts::new(&cache, TELEPHONE_HZ, Arc::new(SystemVoices::speaking(voice)));
        let prompts = Arc::new(maker(&config.speech.voice));
        let voices = manner.voices.iter().map(|voice| Arc::new(maker(voice))).collect();
        let config = apart(config, folder.clone());
        let phone = Phone::open(&config, clock.clone()).await?;
        let plans = Plans::none(&config, clock.clone());
        let Running { house, sip, incoming, writer } = open_house(config, plans, clock).await?;
        let recognizers = house.recognizers.clone();
        // The first caller is not to wait for what a gateway has done long before.
        let warm = tokio::task::spawn_blocking(move || recognizers.wait_ready());
        let (door, mut doorman) = (Door::default(), JoinSet::new());
        doorman.spawn(door.clone().keep(incoming));
        let _ = warm.await;
        Ok(Self { house, sip, writer, door, doorman, phone, prompts, voices, manner, folder })
    }

    /// Can this language be heard here?
    ///
    /// # Errors
    ///
    /// What is missing, in a sentence.
    pub fn hears(&self, language: &Language) -> Result<(), RecognizeError> {
        self.house.recognizers.ready(language).map(drop)
    }

    /// Plays one conversation.
    ///
    /// # Errors
    ///
    /// A sentence, when it could not even begin.
    pub async fn play(&self, part: Part, plan: Arc<Plan>) -> Result<Played, String> {
        let began = self.house.clock.now().mono;
        let part = Arc::new(part);
        let rendered = render(plan, self.prompts.clone(), &PromptBook::default(), &part.caller.variables).await;
        let (live, _) = rendered.map_err(|error| error.to_string())?;
        let sounds = self.sounds(&part).await?;
        let name = format!("{:016x}", rand::rng().random::<u64>());
        let file = match &self.manner.keep {
            Some(folder) => folder.join(format!("{}.wav", file_name(&live.plan.name, &part))),
            None => self.folder.join(format!("{name}.wav")),
        };
        // Nothing is written over by itself, and an earlier run may have kept the same.
        let _ = std::fs::remove_file(&file);
        let (news_in, news) = mpsc::channel(NEWS);
        let (cues, agents) = mpsc::channel(CUES);
        let agents = (self.phone.receiver(), agents);
        let stage = Stage::new(&self.house, part.clone(), self.folder.join(&name), news_in, agents);
        let leg = self.door.expect(&name);
        let mut gateway = JoinSet::new();
        gateway.spawn(stage.clone().answer(leg, live));
        let talk =
            self.phone.dial(&name, self.sip.local_addr(), file.clone()).await.map_err(|error| error.to_string())?;
        let room = self.manner.noise_db.map(|below| PROMPT_DBOV - below);
        let person = Person::new(part.clone(), began);
        let line = Line { talk, news, sounds, room, seed: self.manner.seed, cues, person };
        let (person, record, times) = line.hold(&mut gateway, &part).await;
        let mut played = Played { report: person.into_report(), ..Played::default() };
        played.lasted = self.house.clock.now().mono.saturating_duration_since(began);
        stage.lookup_faults(part.line).into_iter().for_each(|fault| played.report.faults.push(fault));
        if let Some(record) = record {
            judge_sound(&mut played, &record, (&file, times), &part);
        }
        if self.manner.keep.is_none() {
            let _ = std::fs::remove_file(&file);
        }
        Ok(played)
    }

    /// Closes both.
    pub async fn close(mut self) {
        self.doorman.shutdown().await;
        self.phone.close().await;
        self.sip.shutdown(BYE_GRACE).await;
        self.writer.close().await;
        leave(self.house).await;
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Everything the caller may have to say, in every voice.
    async fn sounds(&self, part: &Part) -> Result<Vec<Sounds>, String> {
        let (voices, language) = (self.voices.clone(), part.language.clone());
        let answers = [true, false].map(|truth| yes_no(truth, &language));
        let words: Vec<String> = part.words().map(str::to_owned).chain(answers).collect();
        let render = move || {
            let one = |voice: &Prompts, text: &String| {
                let utter = Utter { text: text.clone(), language: language.clone(), file: None };
                voice.render(&utter).map(|sound| (text.clone(), sound))
            };
            voices.iter().map(|voice| words.iter().map(|text| one(voice, text)).collect()).collect()
        };
        tokio::task::spawn_blocking(render).await.map_err(|_| "rendering failed by a bug of ours".to_owned())?
    }
}

/// What the caller can say, as sound.
type Sounds = BTreeMap<String, Arc<Pcm>>;

/// One call, at the caller's end.
struct Line {
    talk: Talk,
    news: mpsc::Receiver<News>,
    /// By each voice.
    sounds: Vec<Sounds>,
    /// Level of the noise in the caller's room.
    room: Option<f32>,
    seed: u64,
    /// To the agents.
    cues: mpsc::Sender<AgentDoes>,
    person: Person,
}

impl Line {
    /// Holds the conversation. Gives the caller, the gateway's record, and of the caller's own recording how long after its
    /// beginning the call was answered and how long it took.
    async fn hold(
        mut self,
        gateway: &mut JoinSet<Option<CallRecord>>,
        part: &Part,
    ) -> (Person, Option<CallRecord>, (Duration, Duration)) {
        let give_up = tokio::time::sleep(part.patience);
        tokio::pin!(give_up);
        let mut in_time = true;
        if let Some(dbov) = self.room {
            self.talk.surround(noise::noise(TELEPHONE_HZ as usize * 7, dbov, self.seed));
        }
        let record = loop {
            while let Some(does) = self.person.poll() {
                self.act(does).await;
            }
            let due = self.person.due();
            tokio::select! {
                Some(news) = self.news.recv() => self.person.handle(news, SystemClock.now().mono),
                done = self.talk.next() => {
                    if done {
                        self.person.handle(News::Done, SystemClock.now().mono);
                    }
                }
                () = until(due) => self.person.handle_timeout(SystemClock.now().mono),
                ended = gateway.join_next() => break ended.and_then(Result::ok).flatten(),
                () = &mut give_up, if in_time => {
                    in_time = false;
                    self.person.give_up(format!("the call was not over after {} s", part.patience.as_secs()));
                }
            }
        };
        while let Ok(news) = self.news.try_recv() {
            self.person.handle(news, SystemClock.now().mono);
        }
        let ending = record.as_ref().map_or_else(
            || Ending { end: "failed: the gateway did not answer".to_owned(), ..Ending::default() },
            |record| Ending {
                end: print_end(&record.end, record.result.as_deref()),
                interrupted: record.prompts.iter().filter(|prompt| prompt.interrupted).count(),
                came_to: record.outcomes.iter().map(came_to::print).collect(),
            },
        );
        self.person.handle(News::Over(ending), SystemClock.now().mono);
        let answered = self.talk.answered_after();
        if tokio::time::timeout(CLOSING, self.talk.close()).await.is_err() {
            self.person.give_up("the caller's telephone did not close".to_owned());
        }
        (self.person, record, (answered, self.talk.lasted()))
    }

    async fn act(&mut self, does: Does) {
        match does {
            Does::Speak { pieces, try_no } => {
                let voice = try_no.saturating_sub(1) as usize % self.sounds.len().max(1);
                let sounds = self.sounds.get(voice);
                let mut samples = Vec::new();
                for (after, words) in pieces {
                    let pause = after.as_millis() as usize * TELEPHONE_HZ as usize / 1000;
                    samples.resize(samples.len() + pause, 0);
                    // All were rendered before the call.
                    let sound = sounds.and_then(|sounds| sounds.get(&words));
                    samples.extend(sound.into_iter().flat_map(|sound| &sound.samples));
                }
                self.play(Pcm { rate_hz: TELEPHONE_HZ, samples });
            }
            Does::Rustle(lasting) => {
                let samples = lasting.as_millis() as usize * TELEPHONE_HZ as usize / 1000;
                // Short, it is a cough, in which nobody finds a vowel; a good ear stops believing noise that lasts.
                let sound = if lasting < SONG { noise::noise } else { noise::wordless };
                self.play(sound(samples, RUSTLE_DBOV, self.seed));
            }
            Does::Press(keys) => self.talk.press(keys),
            Does::Hush => self.talk.hush(),
            // Full only if nobody is handed over.
            Does::Agent(does) => drop(self.cues.try_send(does)),
            Does::HangUp => self.talk.hang_up().await,
        }
    }

    fn play(&mut self, sound: Pcm) {
        self.seed = self.seed.wrapping_add(1);
        let sound = self.room.map_or_else(|| sound.clone(), |dbov| noise::over(&sound, dbov, self.seed));
        self.talk.play(sound);
    }
}

/// Holds what the caller's telephone received against what the gateway played.
fn judge_sound(
    played: &mut Played,
    record: &CallRecord,
    (file, (answered, lasted)): (&std::path::Path, (Duration, Duration)),
    part: &Part,
) {
    let understood = record.turns.iter().filter(|turn| turn.outcome == TurnOutcome::Speech);
    played.replies_ms = understood.filter_map(|turn| turn.latency).map(|latency| latency.total_ms).collect();
    match crate::audio::wav::read_stereo(file) {
        Ok((received, _)) => {
            played.heard = heard(&record.prompts, &received, answered, lasted);
            for text in &played.heard.missing {
                played
                    .report
                    .faults
                    .push((part.line, format!("the caller did not hear \"{text}\", though it was played")));
            }
        }
        Err(error) => played.report.faults.push((part.line, format!("what the caller heard is not known: {error}"))),
    }
}

/// The same settings, for a gateway that nobody else can reach and that keeps nothing.
fn apart(config: Config, folder: PathBuf) -> Config {
    let mut apart = Config { data_dir: folder, speech: config.speech, ..Config::default() };
    apart.sip.listen.set_port(0);
    apart.rtp.ports = PortRange { first: 23_000, last: 27_999 };
    apart.rtp.realtime = false;
    apart.recording.enabled = false;
    apart
}

/// `pharmacy-0012-a-refill-by-speech`: the plan, the line in the file and the heading.
fn file_name(plan: &str, part: &Part) -> String {
    let words = part.name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.collect::<Vec<_>>().join("-").to_lowercase().chars().take(60).collect();
    format!("{plan}-{:04}-{name}", part.line)
}

async fn until(due: Option<std::time::Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
