//! The dial plan language: files in, an immutable checked [`plan::Plan`] out, or diagnostics a person can act on.
//!
//! ```text
//! bytes ──load──▶ text ──yaml──▶ tree ──schema──▶ what was written ──compile──▶ Plan ──lint──▶ warnings
//!                         (read: single values; key: what may stand where)  └─▶ step/*: each compiles itself
//! ```
//!
//! and at run time
//!
//! ```text
//! interpreter ─▶ step/* ─▶ scope (values) ─▶ template (prompts) · condition (branches) ─▶ outcome (what came of it)
//! ```
//!
//! Every arrow may add findings, each with its line, its column and what to do about it, and goes on.

pub mod ahead;
pub mod compile;
pub mod condition;
pub mod diagnostic;
pub mod edit;
pub mod explain;
#[cfg(test)]
pub(crate) mod fixture;
pub mod handover;
pub mod house;
pub mod interpreter;
pub mod json_schema;
pub mod key;
mod lint;
pub mod load;
pub mod outcome;
pub mod plan;
pub(crate) mod read;
#[cfg(test)]
mod rehearsal;
mod schema;
pub mod scope;
pub mod step;
pub mod template;
pub(crate) mod yaml;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::load;

    /// `tests/plans/*.yaml`, each beside the `.expected` that `trunkline check --plain` must print about it.
    /// `UPDATE=1` rewrites those; read what changed before it is committed.
    #[test]
    fn every_broken_plan_is_explained_as_expected() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut plans: Vec<PathBuf> = std::fs::read_dir(root.join("tests/plans"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .collect();
        plans.sort();
        assert!(plans.len() >= 15, "only {} broken plans are left", plans.len());
        let mut wrong = String::new();
        for path in plans {
            let found = match load::load(&path) {
                Ok(loaded) => loaded.warnings,
                Err(found) => found,
            };
            let said = found.to_string().replace(&format!("{}/", root.display()), "");
            found.drawn();
            let expected = path.with_extension("expected");
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&expected, &said).unwrap();
            }
            let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
            if said != wanted || said.is_empty() {
                wrong += &format!("{}\n--- expected\n{wanted}--- said\n{said}\n", path.display());
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// The ```yaml blocks of a document. Steps without a plan around them get one, with the targets they lead to.
    fn examples(document: &str) -> Vec<String> {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
        let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
        let whole = |block: String| {
            if block.starts_with("dialplan:") {
                return block;
            }
            let first = block.split(':').next().unwrap();
            let mut plan =
                format!("dialplan: 1\nstart: {first}\ndefaults: {{ question: {{ go: goodbye }} }}\nsteps:\n");
            block.lines().for_each(|line| plan += &format!("  {line}\n"));
            for (name, step) in [("main", "{ goto: goodbye }"), ("agent", "{ hangup: }"), ("goodbye", "{ hangup: }")] {
                if !block.lines().any(|line| line.starts_with(&format!("{name}:"))) {
                    plan += &format!("  {name}: {step}\n");
                }
            }
            plan
        };
        blocks.map(whole).collect()
    }

    #[test]
    fn every_example_in_the_documents_is_sound() {
        for (document, least) in [("dialplans/README.md", 7), ("grammars/README.md", 1)] {
            let examples = examples(document);
            assert!(examples.len() >= least, "{document} has only {} examples", examples.len());
            for example in examples {
                let loaded = load::load_str(document, &example).unwrap_or_else(|found| panic!("{example}\n{found}"));
                assert_eq!(loaded.warnings.count(super::diagnostic::Severity::Error), 0);
            }
        }
    }

    #[test]
    fn every_key_of_the_language_stands_in_its_reference() {
        let reference = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/README.md"));
        let reference = reference.unwrap();
        for key in super::schema::all_keys() {
            let row = reference.contains(&format!("| `{key}` |"));
            let example = reference.contains(&format!(" {key}:")) || reference.contains(&format!("\n{key}:"));
            assert!(row || example, "`{key}` is not explained");
        }
    }
}
