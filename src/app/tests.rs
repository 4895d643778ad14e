//! What is settled before the first call: the data folder, the plans and their prompts.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::audio::{Pcm, TELEPHONE_HZ, tone};
use crate::config::LogFormat;
use crate::dialplan::diagnostic::Severity;
use crate::dialplan::scope::Variables;
use crate::language::Language;
use crate::observe::captured;
use crate::speech::prompts::Prompts;
use crate::speech::{SynthesizeError, Synthesizer};

const GREETING: &str = "Welcome aboard.";
/// Sound, but nothing tells the caller of key 1: a note.
const NOTED: &str = r#"
dialplan: 1
start: ask
defaults: { question: { go: $end } }
steps:
  ask:
    menu:
      prompt: Balance?
      options:
        balance: { key: 1, phrases: [balance], go: bye }
  bye: { hangup: }
"#;

/// Speaks texts that begin so, and nothing else.
struct Speaks(&'static str);

impl Synthesizer for Speaks {
    fn synthesize(&self, text: &str, _: &Language) -> Result<Pcm, SynthesizeError> {
        if text.starts_with(self.0) {
            return Ok(tone::sine(400.0, -20.0, 300, TELEPHONE_HZ));
        }
        Err(SynthesizeError::Unavailable("flite is not installed: install it with `apt install flite`".to_owned()))
    }

    fn voice(&self, _: &Language) -> String {
        format!("speaks {}", self.0)
    }
}

/// Loads this plan with that voice; gives what was logged at `info` and above too.
async fn loaded(plan: &str, voice: Speaks) -> (Result<LivePlan, AppError>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ship.yaml");
    std::fs::write(&file, plan).unwrap();
    let (page, _guard) = captured("info", LogFormat::Text);
    let prompts = Prompts::new(folder.path().join("prompts"), TELEPHONE_HZ, Arc::new(voice));
    (plans::loaded(&file, prompts).await, page.text())
}

fn plan(more: &str) -> String {
    format!(
        "dialplan: 1\nstart: hi\nsteps:\n  hi: {{ say: {{ text: \"{GREETING}\", go: bye }} }}\n  bye: {{ hangup: }}\n{more}"
    )
}

#[tokio::test]
async fn a_plan_whose_every_prompt_is_silent_does_not_go_into_service() {
    let (refused, _) = loaded(&plan(""), Speaks("nothing at all")).await;
    let sentence = refused.unwrap_err().to_string();
    assert!(sentence.contains("prompts of plan ship are silent: flite is not installed"), "{sentence}");
    assert!(sentence.contains("apt install flite") && sentence.ends_with("does not start"), "{sentence}");
    assert_eq!(sentence.matches("apt install").count(), 1, "one cause is told once: {sentence}");
}

#[tokio::test]
async fn some_silent_prompts_are_one_error_in_the_log() {
    let (live, log) = loaded(&plan(""), Speaks(GREETING)).await;
    assert_eq!(live.unwrap().prompts.len(), 1);
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.len() == 1 && errors[0].contains("prompts of plan ship are silent: flite"), "{log}");
}

#[tokio::test]
async fn only_warnings_of_a_plan_are_warned_of() {
    let unreached = plan("  lost: { hangup: }\n");
    let (_, log) = loaded(&unreached, Speaks("")).await;
    assert!(log.contains("the plan has warnings"), "{log}");
    let (_, log) = loaded(&plan(""), Speaks("")).await;
    assert!(!log.contains("WARN"), "{log}");
    let noted = crate::dialplan::load::load_str("noted.yaml", NOTED).unwrap().warnings;
    assert!(noted.count(Severity::Note) > 0 && noted.count(Severity::Warning) == 0, "{noted}");
    let (_, log) = loaded(NOTED, Speaks("")).await;
    assert!(!log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn a_plan_that_is_not_there_says_how_to_name_another() {
    let config = Config { routes: Config::default().routes, ..Config::default() };
    let config = Config {
        routes: vec![crate::config::RouteConfig { plan: "nowhere/ship.yaml".into(), ..config.routes[0].clone() }],
        data_dir: std::env::temp_dir(),
        ..config
    };
    let clock = Arc::new(crate::time::SystemClock);
    let sentence = Plans::routed(&config, clock).await.unwrap_err().to_string();
    assert!(sentence.starts_with("the dial plan nowhere/ship.yaml does not exist; set `plan` of"), "{sentence}");
    assert!(sentence.contains("[[route]] in trunkline.toml") && sentence.contains("`-c FILE`"), "{sentence}");
}

#[tokio::test]
async fn a_plan_of_our_own_is_made_once_unless_it_speaks_of_somebody() {
    let home = tempfile::tempdir().unwrap();
    let config = Config { data_dir: home.path().to_owned(), ..Config::default() };
    let voice = Prompts::new(home.path().join("prompts"), TELEPHONE_HZ, Arc::new(Speaks("")));
    let plans = Plans::none(&config, Arc::new(crate::time::SystemClock)).voiced(voice);
    let text = crate::agents::briefing::plan(&Language::english());
    let spoken = async |variables: &Variables| plans.spoken("briefing", &text, variables).await.unwrap().plan;
    let nobody = Variables::new();
    assert!(Arc::ptr_eq(&spoken(&nobody).await, &spoken(&nobody).await), "no ring waits for it to be compiled again");
    let somebody: Variables =
        [(crate::agents::briefing::SENTENCE.to_owned(), crate::pii::Pii::new("A caller.".to_owned()))].into();
    assert!(!Arc::ptr_eq(&spoken(&somebody).await, &spoken(&somebody).await), "their words are nobody else's");
}

#[test]
fn the_data_folder_is_private_also_when_it_was_not() {
    let home = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (new, old) = (home.path().join("new"), home.path().join("old"));
    std::fs::create_dir(&old).unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    for folder in [&new, &old] {
        prepare_data_folder(folder).unwrap();
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(prepare_data_folder(&file), Err(AppError::DataFolder { .. })));
}

#[test]
fn a_text_with_a_gap_in_it_is_not_rendered_ahead() {
    let plan = "dialplan: 1\ninputs: { name: text }\nstart: hi\nsteps:\n  hi: { say: { text: \"{{ name }}, it is {{ later }}.\", \
                go: name } }\n  name: { say: { text: \"Hello, {{ name }}.\", go: bye } }\n  bye: { hangup: }\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ship.yaml");
    std::fs::write(&file, plan).unwrap();
    let plan = crate::dialplan::load::load(&file).unwrap().plan;
    let texts = |known: &Variables| plans::utters(&plan, known).into_iter().map(|utter| utter.text).collect::<Vec<_>>();
    let of_the_plan =
        |known: &Variables| texts(known).into_iter().filter(|text| text.contains("Ada") || text.contains("it is"));
    assert_eq!(of_the_plan(&Variables::new()).count(), 0);
    let ada = [("name".to_owned(), crate::pii::Pii::new("Ada".to_owned()))].into_iter().collect();
    assert_eq!(of_the_plan(&ada).collect::<Vec<_>>(), ["Hello, Ada."]);
}
