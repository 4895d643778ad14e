//! What is said and heard: codecs, dial plans, voices, recognisers.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::audio::codec::{Decoder, Encoder};
use crate::config::Config;
use crate::dialplan::diagnostic::Severity;
use crate::dialplan::load::load;
use crate::language::Language;
use crate::rtp::{Codec, OpusParams};
use crate::speech::Synthesizer as _;
use crate::speech::engines::Engines;
use crate::speech::voices::SystemVoices;

/// How long sound waits, where settings differ from peer to peer each of them.
pub(super) fn delays(config: &Config) -> Vec<Finding> {
    let peers = config.peers.iter().map(|peer| (&peer.name, peer.jitter));
    let trunks = config.trunks.iter().map(|trunk| (&trunk.name, trunk.jitter));
    let own = peers.chain(trunks).filter_map(|(name, own)| Some(format!("{name} {}", own?)));
    let all = std::iter::once(config.rtp.jitter.to_string()).chain(own);
    vec![Finding::fine("jitter buffer", all.collect::<Vec<_>>().join("; "))]
}

/// Each codec of the settings codes and decodes here.
pub(super) fn codecs(config: &Config) -> Vec<Finding> {
    let (mut usable, mut found) = (Vec::new(), Vec::new());
    for &codec in &config.rtp.codecs {
        let works = Decoder::new(codec).and_then(|_| Encoder::new(codec, &OpusParams::default()).map(|_| ()));
        match works {
            Ok(()) => usable.push(codec.name()),
            Err(error) => found.push(Finding::look(
                &format!("codec {}", codec.name()),
                format!("{error}; it is neither offered nor taken"),
                "install what it needs, or take it out of rtp.codecs",
            )),
        }
    }
    found.push(sum_of(&usable));
    found
}

fn sum_of(usable: &[&str]) -> Finding {
    let g711 = [Codec::Pcmu, Codec::Pcma].map(Codec::name);
    let result = usable.join(", ");
    if usable.is_empty() {
        return Finding::broken(
            "codecs",
            "none can be used: no call could be answered",
            "set rtp.codecs to pcmu, pcma",
        );
    }
    if !g711.iter().any(|codec| usable.contains(codec)) {
        let result = format!("{result}, but neither of G.711: plain telephone lines will be refused with 488");
        return Finding::look("codecs", result, "add pcmu and pcma to rtp.codecs");
    }
    Finding::fine("codecs", result)
}

/// Every route's plan, and whether its languages can be spoken and heard. Blocking, for a second or two.
pub(super) fn speech(config: &Config) -> Vec<Finding> {
    let (mut found, languages) = plans(config);
    found.extend(languages.iter().map(|language| voice(config, language)));
    let engines = Engines::auto(&config.model_dirs());
    found.extend(languages.iter().map(|language| ear(&engines, language)));
    found
}

fn plans(config: &Config) -> (Vec<Finding>, BTreeSet<Language>) {
    let mut languages = BTreeSet::new();
    let mut found = Vec::new();
    let files: BTreeSet<_> = config.routes.iter().map(|route| &route.plan).collect();
    if files.is_empty() {
        let remedy = "add a [[route]] with number and plan to the settings";
        found.push(Finding::broken("dial plans", "no number is answered", remedy));
    }
    for file in files {
        let shown = file.display();
        if !file.exists() {
            let result = format!("{shown} does not exist");
            found.push(Finding::broken("dial plan", result, "set `plan` of its [[route]] to one that does"));
            continue;
        }
        match load(file) {
            Ok(loaded) => {
                let (plan, warnings) = (&loaded.plan, loaded.warnings.count(Severity::Warning));
                let result = format!("{} ({shown})", plan.name);
                let note = if warnings > 0 { "; `trunkline check` has something to say about it" } else { "" };
                found.push(Finding::fine("dial plan", result + note));
                languages.extend(plan.languages.iter().cloned());
            }
            Err(_) => {
                let remedy = format!("`trunkline check {shown}` says what and where");
                found.push(Finding::broken("dial plan", format!("{shown} has errors"), remedy));
            }
        }
    }
    (found, languages)
}

fn voice(config: &Config, language: &Language) -> Finding {
    let check = format!("voice {language}");
    let voices = SystemVoices::speaking(&config.speech.voice);
    match voices.synthesize("one", language) {
        Ok(_) => Finding::fine(&check, voices.voice(language)),
        // The sentence says what to install.
        Err(error) => Finding::broken(&check, "prompts without a recording are silent", error.to_string()),
    }
}

fn ear(engines: &Engines, language: &Language) -> Finding {
    let check = format!("hearing {language}");
    match engines.choose(language) {
        Ok(place) => Finding::fine(&check, engines.installed()[place].name()),
        Err(error) => Finding::look(&check, "callers are served by keys only", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::config::RouteConfig;

    /// What is found about one route to this plan.
    fn about(plan: Option<&str>) -> (Vec<Finding>, BTreeSet<Language>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ship.yaml");
        if let Some(plan) = plan {
            std::fs::write(&file, plan).unwrap();
        }
        let config = Config::default();
        let routes = vec![RouteConfig { plan: file, ..config.routes[0].clone() }];
        plans(&Config { routes, ..config })
    }

    #[test]
    fn plans_that_cannot_be_run_are_faults_and_sound_ones_name_their_languages() {
        let sound = "dialplan: 1\nlanguages: [zh-CN]\nstart: a\nsteps: { a: { hangup: } }\n";
        let (found, languages) = about(Some(sound));
        assert_eq!(found[0].verdict, Verdict::Fine, "{found:?}");
        assert_eq!(languages.into_iter().map(|language| language.to_string()).collect::<Vec<_>>(), ["zh-CN"]);
        let (found, _) = about(Some("dialplan: 1\nstart: b\nsteps: { a: { hangup: } }\n"));
        assert_eq!(found[0].verdict, Verdict::Broken);
        assert!(found[0].remedy.as_ref().is_some_and(|remedy| remedy.contains("trunkline check")), "{found:?}");
        let (found, _) = about(None);
        assert!(found[0].result.ends_with("ship.yaml does not exist"), "{found:?}");
    }

    #[test]
    fn the_codecs_of_the_settings_work_and_plain_lines_want_g_711() {
        let found = codecs(&Config::default());
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Fine), "{found:?}");
        assert!(found[0].result.starts_with("PCMU, PCMA"), "{found:?}");
        assert_eq!(sum_of(&["opus"]).verdict, Verdict::Look);
        assert_eq!(sum_of(&[]).verdict, Verdict::Broken);
    }

    #[test]
    fn a_language_nobody_hears_is_worth_a_look_and_no_fault() {
        let finding = ear(&Engines::default(), &Language::english());
        assert_eq!((finding.check.as_str(), finding.verdict), ("hearing en-US", Verdict::Look));
    }
}
