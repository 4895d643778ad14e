//! Whole plans within a compilation: the one asked for, and those it runs as parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Compiler, RESERVED};
use crate::dialplan::diagnostic::{Findings, Span, Spanned, listed};
use crate::dialplan::load::Files;
use crate::dialplan::plan::{Calendars, HousePhrases, Plan, PlanInput, Step, StepIx, Target};
use crate::dialplan::schema;
use crate::dialplan::scope::readable;
use crate::language::Language;
use crate::understand::Matcher;

/// Most steps of a plan and all it runs.
const MAX_STEPS: usize = 20_000;

/// What all plans of one compilation share.
pub struct Workshop {
    hash: Sha256,
    /// `None` until they are compiled.
    steps: Vec<Option<Step>>,
    /// Plans compiled, or being compiled, by file.
    units: Vec<(PathBuf, Unit)>,
    pub(in crate::dialplan) files: Files,
    /// What the engine says by itself in the plans that are run, each from its first step on.
    parts: Vec<(StepIx, HousePhrases)>,
    /// When somebody is there, in each of the plans from its first step on.
    calendars: Vec<(StepIx, Calendars)>,
    /// Everything that understands speech.
    pub(super) matchers: Vec<Matcher>,
}

/// A plan within a compilation.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its first step.
    pub start: StepIx,
    /// What it takes.
    pub inputs: Vec<PlanInput>,
    /// What it speaks.
    pub languages: Vec<Language>,
    /// Names under which it keeps values, with whether they are secret; empty while it is open.
    pub kept: Vec<(String, bool)>,
    /// Its steps are not all compiled yet.
    open: bool,
}

/// Compiles `written`, which was read from the first of `files` and what it includes. Gives the files back.
pub(in crate::dialplan) fn compile(written: &schema::Plan, files: Files, findings: &mut Findings) -> (Plan, Files) {
    let mut shop = Workshop {
        hash: Sha256::new(),
        steps: Vec::new(),
        units: Vec::new(),
        files,
        parts: Vec::new(),
        calendars: Vec::new(),
        matchers: Vec::new(),
    };
    shop.hash.update(shop.files.text(0));
    let (unit, phrases) = shop.unit(written, 0, "", findings);
    // What was read besides: other words under the same name are another plan.
    for place in 1..shop.files.len() {
        shop.hash.update((shop.files.text(place).len() as u64).to_be_bytes());
        shop.hash.update(shop.files.text(place));
    }
    let file = shop.files.path(0).to_owned();
    let stem = || file.file_stem().map_or_else(|| "plan".into(), |stem| stem.to_string_lossy().into_owned());
    let digest = shop.hash.finalize();
    let plan = Plan {
        name: written.name.as_ref().map_or_else(stem, |name| name.value.clone()),
        version: digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        sources: shop.files.sources(),
        file: file.clone(),
        languages: unit.languages,
        zone: written.zone.clone(),
        inputs: unit.inputs,
        start: unit.start,
        steps: shop.steps.into_iter().map(|step| step.expect("every step of every unit was compiled")).collect(),
        matchers: shop.matchers,
        phrases,
        parts: {
            shop.parts.sort_by_key(|(first, _)| *first);
            shop.parts
        },
        calendars: {
            shop.calendars.sort_by_key(|(first, _)| *first);
            shop.calendars
        },
    };
    (plan, shop.files)
}

impl Workshop {
    /// Compiles one plan, read from the file at `place`; its steps are called `prefix` and their names.
    fn unit(
        &mut self,
        written: &schema::Plan,
        place: usize,
        prefix: &str,
        findings: &mut Findings,
    ) -> (Unit, HousePhrases) {
        let base = self.steps.len();
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for (offset, step) in written.steps.iter().enumerate() {
            match names.get(step.name.value.as_str()) {
                // Twice in one file is one key written twice, which has been reported.
                Some(other) if written.steps[other - base].name.at.file != step.name.at.file => {
                    let other = written.steps[other - base].name.at;
                    let help = format!("it is in {}:{}", self.files.name(other.file), other.line);
                    findings.error(step.name.at, format!("there is a step `{}` already", step.name.value)).help(help);
                }
                Some(_) => {}
                None => drop(names.insert(&step.name.value, base + offset)),
            }
        }
        let languages = match written.languages.as_slice() {
            [] => vec![Language::english()],
            listed => listed.iter().map(|language| language.value.clone()).collect(),
        };
        self.steps.extend(written.steps.iter().map(|_| None));
        let calendars = written.calendars.iter().map(|(name, calendar)| (readable(&name.value), calendar.clone()));
        self.calendars.push((StepIx(base), calendars.collect()));
        let path = self.files.path(place).to_owned();
        let inputs = written.inputs.clone();
        let unit = self.units.len();
        let kept = Vec::new();
        self.units.push((path, Unit { start: StepIx(base), inputs, languages: languages.clone(), kept, open: true }));
        let mut compiler = Compiler {
            findings,
            written,
            names,
            languages,
            name: Spanned { at: Span::default(), value: String::new() },
            word: "",
            hangup: None,
            shop: self,
            read_names: Vec::new(),
            for_system: false,
            unknown: BTreeSet::new(),
        };
        let phrases = compiler.house();
        let start = match written.start.as_ref().map(|start| (start, compiler.resolve(start))) {
            Some((_, Target::Step(place))) => place,
            Some((start, _)) if RESERVED.contains(&start.value.as_str()) => {
                compiler.findings.error(start.at, "a call cannot begin there").help("write the name of a step");
                StepIx(base)
            }
            _ => StepIx(base),
        };
        compiler.shop.units[unit].1.start = start;
        for (offset, step) in written.steps.iter().enumerate() {
            let step = compiler.step(step, prefix);
            compiler.shop.steps[base + offset] = Some(step);
        }
        let own = |(name, secret): (&str, bool)| (name.to_owned(), secret);
        let kept: Vec<(String, bool)> = compiler.shop.steps[base..base + written.steps.len()]
            .iter()
            .flatten()
            .flat_map(|step| step.kind.keeps().into_iter().map(own).collect::<Vec<_>>())
            .chain(written.inputs.iter().map(|input| (input.name.clone(), false)))
            .collect();
        compiler.judge_names(&kept);
        let unit = &mut self.units[unit].1;
        (unit.open, unit.kept) = (false, kept);
        (unit.clone(), phrases)
    }

    /// Recordings are part of the version: other sound under the same name is another plan.
    pub(super) fn recording(&mut self, written: &Spanned<String>, findings: &mut Findings) -> PathBuf {
        let path = self.files.beside(written.at.file, &written.value);
        match self.files.recording(&path) {
            Ok(bytes) => {
                self.hash.update((written.value.len() as u64).to_be_bytes());
                self.hash.update(&written.value);
                self.hash.update((bytes.len() as u64).to_be_bytes());
                self.hash.update(&bytes);
            }
            Err(reason) => {
                let help = format!("looked for {}; paths are relative to the plan's folder", path.display());
                findings.error(written.at, format!("recording `{}` {reason}", written.value)).help(help);
            }
        }
        path
    }
}

impl Compiler<'_> {
    /// Reads a text beside the file that names it; its place. `None` when that cannot be, as reported.
    pub(in crate::dialplan) fn read_beside(&mut self, named: &Spanned<String>) -> Option<usize> {
        self.shop.files.read(named, self.findings)
    }

    /// The text at that place.
    pub(in crate::dialplan) fn text_of(&self, place: usize) -> &str {
        self.shop.files.text(place)
    }

    /// The plan in a file beside this one, compiled as a part of it. `None` when that cannot be; why has been reported.
    pub(in crate::dialplan) fn sub_plan(&mut self, written: &Spanned<String>) -> Option<Unit> {
        let path = self.shop.files.beside(written.at.file, &written.value);
        let known = self.shop.units.iter().find(|(other, _)| *other == path).map(|(_, unit)| unit.clone());
        let unit = match known {
            Some(unit) if unit.open => {
                let help = "a plan cannot run itself, nor one that runs it: make the common part a plan of its own";
                self.findings.error(written.at, "these plans run each other in a circle").help(help);
                return None;
            }
            Some(unit) => unit,
            None => {
                let place = self.shop.files.read(written, self.findings)?;
                let plan = self.shop.files.plan(place, self.findings)?;
                if self.shop.steps.len() + plan.steps.len() > MAX_STEPS {
                    let message = format!("with this plan there are more than {MAX_STEPS} steps");
                    self.findings.error(written.at, message);
                    return None;
                }
                let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
                let first = StepIx(self.shop.steps.len());
                let (unit, phrases) = self.shop.unit(&plan, place, &format!("{stem}/"), self.findings);
                self.shop.parts.push((first, phrases));
                unit
            }
        };
        let missing: Vec<&str> =
            self.languages.iter().filter(|language| !unit.languages.contains(language)).map(Language::as_str).collect();
        if !missing.is_empty() {
            let message = format!("that plan does not speak {}, which this one does", listed(missing));
            self.findings.error(written.at, message).help("add the language to its `languages`, and its texts");
        }
        Some(unit)
    }
}
