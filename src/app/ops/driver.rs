//! The listener of the operator's window: few connections, short heads, two seconds each, then the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::http::{self, Asked, LONGEST_HEAD, Status};
use super::{ProcessFiles, Sources, Window};

/// Connections served at once: a scraper or two, a load balancer, a person. More wait in the kernel's queue.
const AT_ONCE: usize = 16;
/// From the first byte of a request to the last of its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often we look by ourselves, so that trouble is logged when nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause after a failed accept (no file descriptor left), so that it does not eat a core.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The address is taken, foreign or forbidden.
    #[error(
        "cannot serve /healthz and /metrics on {listen}: {cause}; choose another `listen` in [ops], or leave it out"
    )]
    Bind {
        /// What was asked for.
        listen: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// The running window. It closes when this is dropped; [`Ops::close`] also waits for it.
pub struct Ops {
    window: Arc<Window>,
    tasks: JoinSet<()>,
}

impl Ops {
    /// Opens the window on `listen`; without one, health is still watched and logged.
    pub async fn start(listen: Option<SocketAddr>, sources: Sources) -> Result<Self, OpsError> {
        let window = Arc::new(Window::new(sources));
        let mut tasks = JoinSet::new();
        tasks.spawn(look_now_and_then(window.clone()));
        if let Some(listen) = listen {
            let failed = |cause| OpsError::Bind { listen, cause };
            let listener = TcpListener::bind(listen).await.map_err(failed)?;
            // With the port the system chose, if it was asked to.
            let address = listener.local_addr().map_err(failed)?;
            tracing::info!(%address, "serving /healthz and /metrics");
            tasks.spawn(serve(listener, window.clone()));
        }
        Ok(Self { window, tasks })
    }

    /// From now on health is `down`: whoever sends calls must send them elsewhere.
    pub fn drain(&self) {
        self.window.draining.store(true, Ordering::Relaxed);
    }

    /// Closes the window and lets go of everything it looked at.
    pub async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn look_now_and_then(window: Arc<Window>) {
    let mut beat = tokio::time::interval(LOOK_EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        window.look().await;
    }
}

async fn serve(listener: TcpListener, window: Arc<Window>) {
    let seats = Arc::new(Semaphore::new(AT_ONCE));
    // Answers still under way end with the listener.
    let mut answers = JoinSet::new();
    loop {
        let seat = seats.clone().acquire_owned().await.expect("the semaphore is never closed");
        while answers.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let window = window.clone();
                answers.spawn(async move {
                    // A peer that is slow or gone is its own affair.
                    let _ = tokio::time::timeout(PATIENCE, answer(stream, &window)).await;
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection to /healthz or /metrics could not be taken");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, window: &Window) -> io::Result<()> {
    let mut head = Vec::with_capacity(1_024);
    let asked = loop {
        match http::read(&head) {
            Asked::More => {}
            asked => break asked,
        }
        let mut part = [0; 1_024];
        let room = part.len().min(LONGEST_HEAD - head.len());
        match stream.read(&mut part[..room]).await? {
            0 => return Ok(()),
            length => head.extend_from_slice(&part[..length]),
        }
    };
    let bytes = match asked {
        Asked::Get { path, head_only } => window.page(&path, head_only).await,
        Asked::Refuse(status) => http::answer(status, "text/plain", refusal(status), false),
        Asked::More => return Ok(()),
    };
    stream.write_all(&bytes).await?;
    stream.shutdown().await?;
    // What is still under way would otherwise turn our answer into a reset; our patience bounds it.
    while stream.read(&mut head).await? > 0 {}
    Ok(())
}

const fn refusal(status: Status) -> &'static str {
    match status {
        Status::NotAllowed => "only GET is served here\n",
        Status::TooLong => "the head of the request is longer than 4096 bytes\n",
        _ => "that is no HTTP/1.1 request\n",
    }
}

/// What Linux tells a process of itself.
pub(super) fn process_files() -> Option<ProcessFiles> {
    let text = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
    // Less the one that looks.
    let open_files = (std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1);
    Some(ProcessFiles { stat: text("stat")?, status: text("status")?, open_files })
}
