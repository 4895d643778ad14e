//! The questions of one language, ready to be searched.
//!
//! ```text
//!   question ─▶ terms ─ alike: synonyms, sounds ─▶ coverage both ways, for each wording ─┐
//!        │         └──────────────────────────────▶ BM25 over the whole entry ───────────┼─ weighed ─▶ 0..1
//!        ├────▶ letters or syllables ─────────────▶ likeness of spelling, each wording ──┤
//!        └────▶ the views of `understand` ────────▶ cosine, each wording ────────────────┘
//! ```
//!
//! Everything goes through inverted lists, so that a thousand entries cost little more than thirty.

use std::collections::BTreeMap;

use super::Entry;
use super::terms::{Pieces, pieces};
use super::weigh::{self, Evidence, Weights};
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::understand::features::{features, scale};
use crate::understand::lexicon::{Lexicon, alike};
use crate::understand::looked_at;
use crate::understand::model::Example;
use crate::understand::phonetic::{Sound, misheard};
use crate::understand::sparse::{Dictionary, Postings};
use crate::understand::strangers;

/// Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework": how soon a word repeated tells nothing new…
const K1: f32 = 1.2;
/// …and how much a long entry is held against its words.
const B: f32 = 0.6;
/// A word of an answer counts so much of one in a question.
const IN_ANSWER: f32 = 0.4;
/// Confidence in a wording that stands in the file just so.
const EXACT: f32 = 0.98;
/// Less alike than this is not alike.
const LEAST_ALIKE: f32 = 0.4;

/// Entries of one language with their index.
#[derive(Debug)]
pub struct Shelf {
    language: Language,
    /// In the order of the file.
    pub entries: Vec<Entry>,
    wordings: Vec<Wording>,
    vocabulary: Vec<Word>,
    ids: BTreeMap<String, usize>,
    /// The entry of each wording as it stands.
    exact: BTreeMap<String, usize>,
    /// Words on each synonym line, and by their first five letters, and by the first letter of their sound.
    by_line: BTreeMap<u16, Vec<usize>>,
    by_family: BTreeMap<String, Vec<usize>>,
    by_sound: BTreeMap<char, Vec<usize>>,
    grams: BTreeMap<String, Gram>,
    average_length: f32,
    lengths: Vec<f32>,
    views: Dictionary,
    /// Every wording, then sentences about something else altogether.
    kin: Postings,
}

#[derive(Debug)]
struct Wording {
    entry: usize,
    /// Weights of its words, added up.
    mass: f32,
    /// The same of its letters.
    gram_mass: f32,
}

#[derive(Debug)]
struct Word {
    text: String,
    /// By its nature and its rarity.
    worth: f32,
    sound: Option<Sound>,
    /// Wordings it stands in.
    wordings: Vec<usize>,
    /// Entries it stands in, with how often: an answer counts less.
    entries: Vec<(usize, f32)>,
}

#[derive(Debug, Default)]
struct Gram {
    rarity: f32,
    wordings: Vec<usize>,
}

impl Shelf {
    /// Builds the index.
    pub fn new(language: Language, entries: Vec<Entry>) -> Self {
        let mut shelf = Self {
            language,
            entries: Vec::new(),
            wordings: Vec::new(),
            vocabulary: Vec::new(),
            ids: BTreeMap::new(),
            exact: BTreeMap::new(),
            by_line: BTreeMap::new(),
            by_family: BTreeMap::new(),
            by_sound: BTreeMap::new(),
            grams: BTreeMap::new(),
            average_length: 0.0,
            lengths: Vec::new(),
            views: Dictionary::default(),
            kin: Postings::default(),
        };
        let mut masses: Vec<Pieces> = Vec::new();
        let mut weights: Vec<f32> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let mut length = 0.0;
            for (wording, _) in &entry.wordings {
                let pieces = pieces(wording, &shelf.language);
                let id = masses.len();
                for term in &pieces.terms {
                    let word = shelf.word(&term.text, term.weight, &mut weights);
                    shelf.vocabulary[word].wordings.push(id);
                    shelf.count(word, place, 1.0);
                    length += 1.0;
                }
                for gram in &pieces.grams {
                    shelf.grams.entry(gram.clone()).or_default().wordings.push(id);
                }
                shelf.exact.insert(pieces.words.clone(), place);
                shelf.wordings.push(Wording { entry: place, mass: 0.0, gram_mass: 0.0 });
                masses.push(pieces);
            }
            for term in pieces(&entry.answer, &shelf.language).terms {
                let word = shelf.word(&term.text, term.weight, &mut weights);
                shelf.count(word, place, IN_ANSWER);
                length += IN_ANSWER;
            }
            shelf.lengths.push(length);
        }
        shelf.entries = entries;
        shelf.average_length = shelf.lengths.iter().sum::<f32>() / shelf.lengths.len().max(1) as f32;
        shelf.settle(&masses, &weights);
        shelf.learn_views(&masses);
        shelf
    }

    fn learn_views(&mut self, wordings: &[Pieces]) {
        let scale = scale(&self.language);
        let ours: Vec<_> = wordings.iter().map(|pieces| Example::new(&pieces.text, None, &self.language)).collect();
        let strange = strangers::apart_from(&ours, &self.language, scale);
        let all = || ours.iter().chain(&strange).map(|example| example.features.as_slice());
        self.views = Dictionary::learn(all(), scale, 1);
        let rows: Vec<_> = all().map(|features| self.views.row(features)).collect();
        self.kin = Postings::of(&rows, self.views.len());
    }

    /// Cosine of the question and each wording, and the highest to a sentence about something else. Not all views have
    /// something to say of each, so it is rarely 1.
    fn kinship(&self, text: &str) -> (Vec<f32>, f32) {
        let whole: f32 = scale(&self.language).iter().map(|scale| scale * scale).sum();
        let row = self.views.row(&features(text, &self.language));
        let mut kinship: Vec<f32> = self.kin.products(&row).into_iter().map(|product| product / whole).collect();
        let strange = kinship.split_off(self.wordings.len());
        (kinship, strange.into_iter().fold(0.0, f32::max))
    }

    fn word(&mut self, text: &str, weight: f32, weights: &mut Vec<f32>) -> usize {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.vocabulary.len();
        let lexicon = Lexicon::of(&self.language);
        for (line, _) in lexicon.lines(text) {
            self.by_line.entry(*line).or_default().push(id);
        }
        if let Some(family) = family(text) {
            self.by_family.entry(family.to_owned()).or_default().push(id);
        }
        let sound = self.sound(text);
        if let Some(first) = sound.as_ref().and_then(first_letter) {
            self.by_sound.entry(first).or_default().push(id);
        }
        let (wordings, entries) = (Vec::new(), Vec::new());
        self.vocabulary.push(Word { text: text.to_owned(), worth: 0.0, sound, wordings, entries });
        self.ids.insert(text.to_owned(), id);
        weights.push(weight);
        id
    }

    fn count(&mut self, word: usize, entry: usize, by: f32) {
        let entries = &mut self.vocabulary[word].entries;
        match entries.last_mut() {
            Some((last, count)) if *last == entry => *count += by,
            _ => entries.push((entry, by)),
        }
    }

    /// English words are mistaken for others that sound like them; syllables of Mandarin are compared as such.
    fn sound(&self, text: &str) -> Option<Sound> {
        (self.language.primary() == "en").then(|| Sound::of(text))?
    }

    /// Once all is known: what each word is worth, and how much each wording holds.
    fn settle(&mut self, masses: &[Pieces], weights: &[f32]) {
        let count = self.entries.len();
        for (word, weight) in self.vocabulary.iter_mut().zip(weights) {
            // Words that stand in answers only are rare among questions.
            let asked = word.entries.iter().filter(|(_, times)| *times >= 1.0).count();
            word.worth = weight * rarity(asked, count);
        }
        for gram in self.grams.values_mut() {
            let mut entries: Vec<usize> = gram.wordings.iter().map(|wording| self.wordings[*wording].entry).collect();
            entries.dedup();
            gram.rarity = rarity(entries.len(), count);
        }
        for (wording, pieces) in self.wordings.iter_mut().zip(masses) {
            wording.mass = pieces.terms.iter().map(|term| self.vocabulary[self.ids[&term.text]].worth).sum();
            wording.gram_mass = pieces.grams.iter().map(|gram| self.grams[gram].rarity).sum();
        }
    }

    /// Evidence for each entry that has any, in no particular order, and how like the question is to what has nothing
    /// to do with any of them.
    pub fn weigh(&self, question: &str) -> (Vec<(usize, Evidence)>, f32) {
        let question = looked_at(question);
        let asked = pieces(question, &self.language);
        let mut evidence: BTreeMap<usize, Evidence> = BTreeMap::new();
        let unknown = rarity(0, self.entries.len());
        let mut mass = 0.0;
        // For each wording, how much of the question it covers; for each word, how much of it was asked.
        let mut covers = vec![0.0_f32; self.wordings.len()];
        let mut relevance: BTreeMap<usize, f32> = BTreeMap::new();
        let mut all_covered: BTreeMap<usize, f32> = BTreeMap::new();
        let mut said: BTreeMap<usize, f32> = BTreeMap::new();
        for term in &asked.terms {
            let known = self.ids.get(&term.text).map(|id| &self.vocabulary[*id]);
            let worth = known.map_or(term.weight * unknown, |word| word.worth);
            mass += worth;
            let mut best: BTreeMap<usize, f32> = BTreeMap::new();
            let mut found: BTreeMap<usize, f32> = BTreeMap::new();
            for (id, likeness) in self.alike(&term.text) {
                let word = &self.vocabulary[id];
                let most = said.entry(id).or_default();
                *most = most.max(likeness);
                for wording in &word.wordings {
                    let most = best.entry(*wording).or_default();
                    *most = most.max(likeness);
                }
                for (entry, times) in &word.entries {
                    let length = 1.0 - B + B * self.lengths[*entry] / self.average_length;
                    let saturated = times / (times + K1 * length) * (K1 + 1.0);
                    let most = found.entry(*entry).or_default();
                    *most = most.max(likeness * saturated);
                }
            }
            let mut most: BTreeMap<usize, f32> = BTreeMap::new();
            for (wording, likeness) in best {
                covers[wording] += worth * likeness;
                let most = most.entry(self.wordings[wording].entry).or_default();
                *most = most.max(likeness);
            }
            most.into_iter().for_each(|(entry, likeness)| *all_covered.entry(entry).or_default() += worth * likeness);
            for (entry, score) in found {
                *relevance.entry(entry).or_default() += worth * score;
            }
        }
        if mass <= f32::EPSILON {
            return (Vec::new(), 0.0);
        }
        let mut covered = vec![0.0_f32; self.wordings.len()];
        for (id, likeness) in said {
            let word = &self.vocabulary[id];
            word.wordings.iter().for_each(|wording| covered[*wording] += word.worth * likeness);
        }
        let mut spelled = vec![0.0_f32; self.wordings.len()];
        let mut gram_mass = 0.0;
        for gram in &asked.grams {
            let known = self.grams.get(gram);
            gram_mass += known.map_or(unknown, |gram| gram.rarity);
            if let Some(gram) = known {
                gram.wordings.iter().for_each(|wording| spelled[*wording] += gram.rarity);
            }
        }
        let (kinship, strange) = self.kinship(&asked.text);
        for (place, wording) in self.wordings.iter().enumerate() {
            if covers[place] <= 0.0 && spelled[place] <= 0.0 {
                continue;
            }
            let of_question = covers[place] / mass;
            let of_wording = if wording.mass > 0.0 { covered[place] / wording.mass } else { 0.0 };
            let spelling = ratio(2.0 * spelled[place], gram_mass + wording.gram_mass);
            evidence.entry(wording.entry).or_default().keep(of_question, of_wording, spelling, kinship[place]);
        }
        for (entry, score) in relevance {
            evidence.entry(entry).or_default().relevance = score / (mass * (K1 + 1.0));
        }
        for (entry, score) in all_covered {
            evidence.entry(entry).or_default().covered = score / mass;
        }
        (evidence.into_iter().collect(), strange)
    }

    /// The best entries with their confidences, best first, at most `most`.
    pub fn find(&self, question: &str, most: usize) -> Vec<(usize, f32)> {
        let (found, strange) = self.weigh(question);
        let (entries, evidence): (Vec<usize>, Vec<Evidence>) = found.into_iter().unzip();
        let confidences = weigh::confidences(&evidence, strange, self.weights());
        let mut found: Vec<(usize, f32)> = entries.into_iter().zip(confidences).collect();
        if let Some(entry) = self.exact.get(&pieces(looked_at(question), &self.language).words) {
            found.retain(|(other, _)| other != entry);
            found.iter_mut().for_each(|(_, confidence)| *confidence *= 1.0 - EXACT);
            found.push((*entry, EXACT));
        }
        found.sort_by(|(one, a), (other, b)| b.total_cmp(a).then(one.cmp(other)));
        found.truncate(most);
        found
    }

    fn weights(&self) -> &'static Weights {
        if is_mandarin(&self.language) { &weigh::MANDARIN } else { &weigh::ENGLISH }
    }

    /// Words of ours like `text`, each with its likeness.
    fn alike(&self, text: &str) -> BTreeMap<usize, f32> {
        let lexicon = Lexicon::of(&self.language);
        let lines = lexicon.lines(text);
        let mut found: BTreeMap<usize, f32> = BTreeMap::new();
        let known = self.ids.get(text).copied();
        if let Some(id) = known {
            found.insert(id, 1.0);
        }
        let relatives = lines.iter().filter_map(|(line, _)| self.by_line.get(line));
        let family = family(text).and_then(|family| self.by_family.get(family));
        for id in relatives.chain(family).flatten() {
            let word = &self.vocabulary[*id];
            let likeness = alike((text, lines), (&word.text, lexicon.lines(&word.text)));
            if likeness >= LEAST_ALIKE {
                found.entry(*id).or_insert(likeness);
            }
        }
        // What a recogniser may have misheard: a word that is none of ours, or of everyday life.
        if let Some(sound) = self.sound(text).filter(|_| known.is_none() && !lexicon.is_common(text)) {
            let candidates = first_letter(&sound).and_then(|first| self.by_sound.get(&first));
            for id in candidates.into_iter().flatten() {
                let word = &self.vocabulary[*id];
                let Some(other) = &word.sound else { continue };
                let likeness = misheard((text, &sound), (&word.text, other));
                if likeness >= LEAST_ALIKE {
                    let most = found.entry(*id).or_default();
                    *most = most.max(likeness);
                }
            }
        }
        found
    }
}

/// The first five letters, by which the families of the lexicon are told.
fn family(text: &str) -> Option<&str> {
    (text.is_ascii() && !text.contains('_')).then(|| text.get(..5))?
}

/// BM25's weight of a word that stands in `with` of `count` entries, between 0 and about 1.
fn rarity(with: usize, count: usize) -> f32 {
    let (with, count) = (with as f32, count as f32);
    let idf = |with: f32| (1.0 + (count - with + 0.5) / (with + 0.5)).ln();
    idf(with) / idf(0.0)
}

fn ratio(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Of its code, by which words that may be confused are found.
fn first_letter(sound: &Sound) -> Option<char> {
    sound.primary().chars().next()
}
