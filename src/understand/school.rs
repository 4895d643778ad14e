//! Classifiers, each trained once, however many questions teach the same.
//!
//! A plan asks "yes or no" at twenty places, and when one step of it is edited, all other questions of the new version
//! are those of the old one. Whatever is taught the same in the same language is one school, for as long as some
//! question holds it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::classifier::Classifier;
use super::sparse::hash;
use crate::language::Language;

/// Schools that somebody holds, by a hash of what they teach. Those that nobody holds any more are forgotten when there
/// are twice as many as were held when that was last done.
static OPEN: Mutex<Register> = Mutex::new(Register { schools: BTreeMap::new(), entered: 0, next_look: LEAST });

/// Below so many entries nobody looks for those that are gone.
const LEAST: usize = 256;

struct Register {
    schools: BTreeMap<u64, Vec<Weak<School>>>,
    entered: usize,
    next_look: usize,
}

/// What the classifier is trained on, and the classifier once somebody said what is no phrase. Most questions of a
/// large plan never hear such a thing, and checking a plan or rehearsing it by its own phrases needs none.
#[derive(Debug)]
pub struct School {
    language: Language,
    /// Class and phrase.
    lessons: Vec<(usize, String)>,
    classes: usize,
    /// Is it trained on mishearings too?
    mishears: bool,
    classifier: OnceLock<Classifier>,
}

impl School {
    /// The school that teaches these phrases of `classes` classes, trained perhaps already.
    pub fn of(language: Language, lessons: Vec<(usize, String)>, classes: usize, mishears: bool) -> Arc<Self> {
        let school = Self { language, lessons, classes, mishears, classifier: OnceLock::new() };
        // A register that a panic has left halfway has entries missing at worst.
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).enter(school)
    }

    /// Class and phrase.
    pub fn lessons(&self) -> &[(usize, String)] {
        &self.lessons
    }

    /// The classifier; trained now if it is needed for the first time.
    pub fn classifier(&self) -> &Classifier {
        self.classifier
            .get_or_init(|| Classifier::train_with(&self.lessons, self.classes, &self.language, self.mishears))
    }

    fn teaches_the_same(&self, other: &Self) -> bool {
        (&self.language, self.classes, self.mishears) == (&other.language, other.classes, other.mishears)
            && self.lessons == other.lessons
    }

    fn hash(&self) -> u64 {
        self.lessons
            .iter()
            .fold(0, |sum, (class, phrase)| sum.rotate_left(5) ^ hash(0, &[phrase]).wrapping_mul(*class as u64 * 2 + 1))
    }
}

impl Register {
    fn enter(&mut self, school: School) -> Arc<School> {
        let hash = school.hash();
        let same = self.schools.get(&hash).into_iter().flatten().filter_map(Weak::upgrade);
        if let Some(same) = same.into_iter().find(|known| known.teaches_the_same(&school)) {
            return same;
        }
        if self.entered >= self.next_look {
            self.schools.values_mut().for_each(|alike| alike.retain(|school| school.strong_count() > 0));
            self.schools.retain(|_, alike| !alike.is_empty());
            self.entered = self.schools.values().map(Vec::len).sum();
            self.next_look = LEAST.max(2 * self.entered);
        }
        let school = Arc::new(school);
        self.schools.entry(hash).or_default().push(Arc::downgrade(&school));
        self.entered += 1;
        school
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lessons(said: &[(usize, &str)]) -> Vec<(usize, String)> {
        said.iter().map(|(class, phrase)| (*class, (*phrase).to_owned())).collect()
    }

    fn register() -> Register {
        Register { schools: BTreeMap::new(), entered: 0, next_look: LEAST }
    }

    fn school(tag: &str, said: &[(usize, &str)], mishears: bool) -> School {
        let language = Language::parse(tag).unwrap();
        School { language, lessons: lessons(said), classes: 2, mishears, classifier: OnceLock::new() }
    }

    #[test]
    fn what_teaches_the_same_is_one_school_and_what_differs_in_anything_is_another() {
        const SAID: &[(usize, &str)] = &[(0, "my order"), (1, "a bill")];
        let mut register = register();
        let first = register.enter(school("en-US", SAID, true));
        assert!(Arc::ptr_eq(&first, &register.enter(school("en-US", SAID, true))));
        let others = [
            school("en-GB", SAID, true),
            school("en-US", SAID, false),
            school("en-US", &[(1, "my order"), (0, "a bill")], true),
            school("en-US", &[(0, "a bill"), (1, "my order")], true),
            school("en-US", &SAID[..1], true),
        ];
        for other in others {
            let other = register.enter(other);
            assert!(!Arc::ptr_eq(&first, &other), "{other:?}");
        }
    }

    #[test]
    fn phrases_of_one_hash_are_kept_apart() {
        let mut register = register();
        let first = register.enter(school("en", &[(0, "my order")], true));
        let hash = first.hash();
        let forged = school("en", &[(0, "a bill")], true);
        let alike = register.schools.remove(&hash).unwrap();
        register.schools.insert(forged.hash(), alike);
        assert!(!Arc::ptr_eq(&first, &register.enter(forged)));
    }

    #[test]
    fn schools_that_nobody_holds_are_forgotten() {
        let mut register = register();
        let held = register.enter(school("en", &[(0, "my order")], true));
        for at in 0..10 * LEAST {
            drop(register.enter(school("en", &[(0, &format!("my order {at}"))], true)));
        }
        assert!(register.entered <= 2 * LEAST, "{}", register.entered);
        assert!(Arc::ptr_eq(&held, &register.enter(school("en", &[(0, "my order")], true))));
    }
}
