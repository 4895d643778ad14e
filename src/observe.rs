//! What the program says of itself: its log, and below it ([`metrics`], [`health`]) its figures and how it is.
//!
//! Lines go to standard error. Libraries are held at `warn`: below that they write what they please, such as whole
//! statements of the database. Ours keep people's data out by type: [`Pii`](crate::pii::Pii) prints as `«pii»`.

use std::panic::{self, PanicHookInfo};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogConfig, LogFormat};

pub mod exposition;
pub mod health;
pub mod metrics;
pub mod tally;

/// What libraries may say.
const LIBRARIES: &str = "warn";
/// A panic's message ends before the first of these: behind them the standard library quotes values (the string that
/// was sliced, the error that was unwrapped), which may be a person's.
const QUOTES: [char; 5] = ['`', '"', '\'', ':', '«'];

/// The log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// `log.level` makes no sense.
    #[error("log.level {level:?} is neither a level (error, warn, info, debug, trace) nor directives: {fault}")]
    Level {
        /// As configured.
        level: String,
        /// What is wrong with it.
        fault: String,
    },
    /// Somebody was faster.
    #[error("the log is already set up")]
    Twice,
}

/// Starts the log and sends panics there. Once per process, before anything is logged.
pub fn init(config: &LogConfig) -> Result<(), ObserveError> {
    let subscriber = subscriber(config, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| ObserveError::Twice)?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn subscriber<W>(config: &LogConfig, to: W) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, ObserveError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    use std::io::IsTerminal as _;
    let builder = tracing_subscriber::fmt().with_env_filter(filter(&config.level)?).with_writer(to);
    Ok(match config.format {
        LogFormat::Text => Box::new(builder.with_ansi(std::io::stderr().is_terminal()).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

/// One word is the level of trunkline alone; anything longer is taken as tracing's directives.
fn filter(level: &str) -> Result<EnvFilter, ObserveError> {
    let wrong = |fault: &dyn ToString| ObserveError::Level { level: level.to_owned(), fault: fault.to_string() };
    if level.trim().is_empty() {
        return Err(wrong(&"it is empty"));
    }
    let directives = match level.parse::<tracing::level_filters::LevelFilter>() {
        Ok(level) => format!("{LIBRARIES},trunkline={level}"),
        Err(_) if level.contains('=') => format!("{LIBRARIES},{level}"),
        Err(error) => return Err(wrong(&error)),
    };
    EnvFilter::builder().parse(directives).map_err(|error| wrong(&error))
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or_default();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    tracing::error!(%place, thread, promise = unquoted(message), "panicked: a bug of trunkline, please report it");
    tracing::debug!(message, "panicked with");
}

fn unquoted(message: &str) -> &str {
    message.split(QUOTES).next().unwrap_or_default().trim()
}

/// A log that stays in memory.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Page(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Page {
    /// What has been logged so far.
    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().expect("nobody panics while logging").clone();
        String::from_utf8(bytes).expect("logs are text")
    }
}

#[cfg(test)]
impl std::io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics while logging").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything logged by this thread from now on, at `level`, until the guard is dropped.
#[cfg(test)]
pub(crate) fn captured(level: &str, format: LogFormat) -> (Page, tracing::subscriber::DefaultGuard) {
    /// While a process has one subscriber only, tracing lets whichever thread comes by first decide whether a line is
    /// ever logged, also a thread of another test that has none. A second one, which wants everything, ends that.
    static ANOTHER: std::sync::LazyLock<tracing::Dispatch> = std::sync::LazyLock::new(|| {
        tracing::Dispatch::new(tracing_subscriber::fmt().with_env_filter("trace").with_writer(std::io::sink).finish())
    });
    std::sync::LazyLock::force(&ANOTHER);
    let page = Page::default();
    let to = page.clone();
    let config = LogConfig { level: level.to_owned(), format };
    let subscriber = subscriber(&config, move || to.clone()).expect("tests name a level");
    (page, tracing::subscriber::set_default(subscriber))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::TimelineEvent;
    use crate::pii::Pii;
    use crate::store::conformance::full_record;

    fn logged(level: &str, format: LogFormat, write: impl FnOnce()) -> String {
        let (page, _guard) = captured(level, format);
        write();
        page.text()
    }

    #[test]
    fn numbers_digits_and_words_of_a_person_never_print() {
        let record = full_record(1);
        let said = TimelineEvent::CallerSaid {
            heard: Pii::new("how much is in my account".to_owned()),
            confidence: 0.8,
            meaning: Some("balance".to_owned()),
            barge_in: false,
        };
        for format in [LogFormat::Text, LogFormat::Json] {
            let log = logged("trace", format, || {
                tracing::info!(caller = %record.caller, called = ?record.called, "call");
                tracing::info!(?record, ?said, "everything at once");
            });
            assert!(log.contains("«pii»") && log.contains("everything at once"), "{log}");
            for secret in ["2025550123", "1000\"", "1234#", "how much", "my account"] {
                assert!(!log.contains(secret), "{secret} in {log}");
            }
        }
    }

    #[test]
    fn a_level_is_ours_and_libraries_stay_at_warn() {
        let log = logged("info", LogFormat::Text, || {
            tracing::info!(target: "sqlx::query", "INSERT INTO call");
            tracing::warn!(target: "sqlx::query", "of a library");
            tracing::info!(target: "trunkline::call", "of ours");
            tracing::debug!(target: "trunkline::call", "too much");
        });
        assert!(log.contains("of a library") && log.contains("of ours"), "{log}");
        assert!(!log.contains("INSERT") && !log.contains("too much"), "{log}");
    }

    #[test]
    fn directives_are_taken_as_they_are() {
        let log = logged("trunkline::call=debug,sqlx=info", LogFormat::Text, || {
            tracing::info!(target: "sqlx::query", "asked for");
            tracing::debug!(target: "trunkline::call", "deep");
            tracing::info!(target: "trunkline::sip", "not asked for");
        });
        assert!(log.contains("asked for") && log.contains("deep") && !log.contains("not asked for"), "{log}");
    }

    #[test]
    fn the_directives_the_example_settings_show_are_valid_and_name_libraries_we_have() {
        let example = include_str!("../config.example.toml");
        let shown = example.split('"').find(|quoted| quoted.starts_with("trunkline=")).unwrap();
        assert!(filter(shown).is_ok(), "{shown}");
        let manifest = include_str!("../Cargo.toml");
        for (target, _) in shown.split(',').filter_map(|directive| directive.split_once('=')) {
            let known = target == "trunkline" || manifest.contains(&format!("\n{target} = "));
            assert!(known, "{target} is no library of ours");
        }
    }

    #[test]
    fn a_level_that_is_none_is_an_error_that_names_the_key() {
        for level in ["loud", "", "trunkline=loud"] {
            let error = filter(level).err().unwrap().to_string();
            assert!(error.starts_with("log.level"), "{error}");
        }
    }

    #[test]
    fn lines_for_machines_are_json() {
        let log = logged("info", LogFormat::Json, || tracing::info!(target: "trunkline", turns = 3, "call ended"));
        let line = serde_json::from_str::<serde_json::Value>(&log).unwrap();
        assert_eq!((&line["turns"], &line["message"]), (&3.into(), &"call ended".into()));
    }

    #[test]
    fn what_a_panic_quotes_stays_out_of_its_line() {
        let rows = [
            ("capture always holds its pre-roll", "capture always holds its pre-roll"),
            (
                "byte index 1 is not a char boundary; it is inside 'é' of `my pin is é`",
                "byte index 1 is not a char boundary; it is inside",
            ),
            ("called `Result::unwrap()` on an `Err` value: \"+12025550123\"", "called"),
            ("begin <= end (4 <= 2) when slicing `+1202`", "begin <= end (4 <= 2) when slicing"),
            ("the store answers: \"1234\"", "the store answers"),
        ];
        for (message, expect) in rows {
            assert_eq!(unquoted(message), expect);
        }
    }
}
