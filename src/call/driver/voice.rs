//! What the call says, as sound, in order: what was rendered when the plan loaded at once, what only this call knows as
//! soon as it is rendered.
//!
//! ```text
//!   Play 1 (known) ───────────────────────▶ media
//!   Play 2 (made now) ─ render ─┐
//!   Play 3 (known) ─ waits ─────┴▶ 2, 3 ──▶ media
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::error;

use crate::audio::Pcm;
use crate::id::PlayId;
use crate::media::{BargeIn, MediaCommand};
use crate::speech::Utter;
use crate::speech::prompts::{PromptBook, Prompts};

/// Prompts of one call that are rendered while it goes on: a few lines of one act, and those of the next.
const RENDERED_BOUND: usize = 64;

/// Speaks for one call.
pub struct Voice {
    book: Arc<PromptBook>,
    maker: Arc<Prompts>,
    /// What waits for its sound, or for what is said before it.
    queue: VecDeque<Waiting>,
    done_in: mpsc::Sender<Done>,
    done: mpsc::Receiver<Done>,
}

/// A prompt whose turn has not come.
struct Waiting {
    play: PlayId,
    barge_in: BargeIn,
    sound: Sound,
}

enum Sound {
    Coming,
    Here(Arc<Pcm>),
    /// There is none; why has been said.
    Silent,
}

/// A rendering that is over.
pub struct Done {
    play: PlayId,
    sound: Option<Arc<Pcm>>,
}

/// What becomes of a prompt.
pub enum Said {
    /// Media can play it.
    Play(MediaCommand),
    /// It has no sound: its turn is over at once.
    Silent(PlayId),
}

impl Voice {
    /// Says what is in `book`, and renders the rest with `maker`.
    pub fn new(book: Arc<PromptBook>, maker: Arc<Prompts>) -> Self {
        let (done_in, done) = mpsc::channel(RENDERED_BOUND);
        Self { book, maker, queue: VecDeque::new(), done_in, done }
    }

    /// One more thing to say. What is ready comes back, in order.
    pub fn say(&mut self, play: PlayId, utter: Utter, barge_in: BargeIn) -> Vec<Said> {
        let sound = match self.book.get(&utter) {
            Some(sound) => Sound::Here(sound),
            None if self.queue.len() >= RENDERED_BOUND => {
                error!("too many prompts wait for their sound; this one is left out");
                Sound::Silent
            }
            None => {
                let (maker, done) = (self.maker.clone(), self.done_in.clone());
                tokio::task::spawn_blocking(move || {
                    let sound = maker.render_once(&utter);
                    if let Err(why) = &sound {
                        error!(why, "a prompt has no sound; the caller hears nothing in its place");
                    }
                    // Closed: the call is over.
                    let _ = done.blocking_send(Done { play, sound: sound.ok() });
                });
                Sound::Coming
            }
        };
        self.queue.push_back(Waiting { play, barge_in, sound });
        self.ready()
    }

    /// The next rendering that is over; give it to [`Voice::rendered`].
    pub async fn next(&mut self) -> Option<Done> {
        self.done.recv().await
    }

    /// A sound has come. What is ready comes back, in order.
    pub fn rendered(&mut self, done: Done) -> Vec<Said> {
        if let Some(waiting) = self.queue.iter_mut().find(|waiting| waiting.play == done.play) {
            waiting.sound = done.sound.map_or(Sound::Silent, Sound::Here);
        }
        self.ready()
    }

    /// Nothing of what waits will be said: these.
    pub fn flush(&mut self) -> Vec<PlayId> {
        self.queue.drain(..).map(|waiting| waiting.play).collect()
    }

    fn ready(&mut self) -> Vec<Said> {
        let mut ready = Vec::new();
        while let Some(waiting) = self.queue.pop_front() {
            let Waiting { play, barge_in, sound } = waiting;
            match sound {
                Sound::Here(audio) => ready.push(Said::Play(MediaCommand::Play { play, audio, barge_in })),
                Sound::Silent => ready.push(Said::Silent(play)),
                Sound::Coming => {
                    self.queue.push_front(Waiting { play, barge_in, sound });
                    break;
                }
            }
        }
        ready
    }
}
