//! The way from a call to its leg.

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::id::LegId;
use crate::sip::LegCommand;

/// What a call says to the agent: a command for its leg, or with `None` that no more will come.
pub(super) type Word = (LegId, Option<LegCommand>);

/// What a call wants of its leg goes in here. Dropped, the leg is given up: a leg never outlives its call.
#[derive(Debug)]
pub struct LegCommands {
    leg: LegId,
    agent: mpsc::Sender<Word>,
}

/// Signalling is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signalling is shut down")]
pub struct SignallingGone;

impl LegCommands {
    pub(super) const fn new(leg: LegId, agent: mpsc::Sender<Word>) -> Self {
        Self { leg, agent }
    }

    /// For a leg that is no SIP dialog: its commands come out here, at most so many waiting; `None` means that no more
    /// will come.
    pub fn apart(leg: LegId, most: usize) -> (Self, mpsc::Receiver<(LegId, Option<LegCommand>)>) {
        let (agent, words) = mpsc::channel(most);
        (Self::new(leg, agent), words)
    }

    /// Asks for something; waits only while very many commands of all legs wait. A command for a leg that is over is
    /// no error: the two may cross.
    pub async fn send(&self, command: LegCommand) -> Result<(), SignallingGone> {
        self.agent.send((self.leg, Some(command))).await.map_err(|_| SignallingGone)
    }
}

impl Drop for LegCommands {
    fn drop(&mut self) {
        let Err(TrySendError::Full(word)) = self.agent.try_send((self.leg, None)) else { return };
        let agent = self.agent.clone();
        // Without a runtime the agent is gone as well.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { drop(agent.send(word).await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leg_hears_of_its_calls_end_even_when_there_is_no_room_to_say_so() {
        let (agent, mut words) = mpsc::channel(1);
        let (first, second) = (LegCommands::new(LegId(1), agent.clone()), LegCommands::new(LegId(2), agent));
        assert_eq!(first.send(LegCommand::Hangup).await, Ok(()));
        drop(first);
        drop(second);
        let mut heard = Vec::new();
        while let Some(word) = words.recv().await {
            heard.push(word);
        }
        heard.sort_by_key(|(leg, command)| (*leg, command.is_none()));
        assert_eq!(heard, [(LegId(1), Some(LegCommand::Hangup)), (LegId(1), None), (LegId(2), None)]);
    }

    #[tokio::test]
    async fn nothing_is_asked_of_signalling_that_is_gone() {
        let (agent, words) = mpsc::channel(1);
        let commands = LegCommands::new(LegId(1), agent);
        drop(words);
        assert_eq!(commands.send(LegCommand::Ring).await, Err(SignallingGone));
    }
}
