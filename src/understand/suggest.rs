//! Which phrases a question should learn, from what callers said that it did not understand.
//!
//! ```text
//!   kept utterances ──▶ the same wording counted once ──▶ groups of near wordings ──▶ the option each should reach
//!                                                                                        │ known, or near it
//!                                                            nobody else's? ◀────────────┘
//!                                                                  │ yes
//!                                                             proposal, with why
//! ```
//!
//! A person decides: a proposal is a line of a plan to accept or throw away. Nothing is proposed that a rival option
//! would claim, or that the option understands already.

use std::collections::{BTreeMap, BTreeSet};

use super::{Matcher, Meaning, Universal, eval};
use crate::grammar::normalize;
use crate::language::Language;
use crate::pii::Pii;

/// Longer utterances are stories, not phrases.
const LONGEST: usize = 12;
/// In Mandarin, in characters.
const LONGEST_CHARACTERS: usize = 20;
/// Without anybody's word on what was meant, an option must be this near…
const NEAR: f32 = 0.25;
/// …and this much nearer than its nearest rival.
const AHEAD: f32 = 0.1;
/// Above this confidence it is understood already.
const UNDERSTOOD: f32 = 0.85;
/// A rival this sure of a wording claims it, unless callers have shown that they mean something else: then only one that
/// knows it by heart does.
const CLAIMED: f32 = 0.5;
/// Wordings that share this much (of their words or pairs of characters) are of one group.
const ALIKE: f32 = 0.5;

/// Something a caller said that was not understood, or understood wrongly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// As it was heard.
    pub text: Pii<String>,
    /// The option the caller reached in the end, where that is known.
    pub meant: Option<usize>,
    /// In which call, by any number of it: one caller who says it twice is still one.
    pub call: usize,
}

/// A phrase an option might learn.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Place of the option.
    pub option: usize,
    /// The commonest wording of its group.
    pub phrase: Pii<String>,
    /// Near wordings in the group, the phrase's own included, commonest first.
    pub wordings: Vec<Pii<String>>,
    /// How often anything in the group was said.
    pub count: usize,
    /// In how many calls.
    pub calls: usize,
    /// Why this option.
    pub why: Why,
}

/// What speaks for an option.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// So many times it was reached in the end, of those where anything was.
    Reached(usize, usize),
    /// Nobody knows, but it is the nearest, with this confidence.
    Nearest(f32),
}

/// Proposes phrases for the options of a question, the most often said first. `options` are its phrases, `universals`
/// the wishes in force there; what was said in fewer than `least` calls is not looked at.
pub fn propose(
    options: &[Vec<String>],
    universals: &[Universal],
    language: &Language,
    kept: &[Kept],
    least: usize,
) -> Vec<Proposal> {
    let matcher = Matcher::compile(options, universals, language);
    let longest = if normalize::is_mandarin(language) { LONGEST_CHARACTERS } else { LONGEST };
    let mut proposals: Vec<Proposal> = groups(wordings(kept, longest, language))
        .into_iter()
        .filter_map(|group| judged(&group, options.len(), &matcher))
        .filter(|proposal| proposal.calls >= least)
        .collect();
    proposals.sort_by(|a, b| (b.count, a.option).cmp(&(a.count, b.option)).then_with(|| a.phrase.cmp(&b.phrase)));
    without_quarrels(proposals, options, universals, language)
}

/// One wording, however often it was said.
struct Wording<'a> {
    words: Vec<String>,
    text: &'a str,
    count: usize,
    calls: BTreeSet<usize>,
    /// By option, how many of those who said it reached that option.
    reached: BTreeMap<usize, usize>,
}

/// Sayings of callers with near wordings put together, each with how often it was said; the commonest first. For what
/// no option stands for, such as questions nobody has answered.
pub fn alike_said<'a>(said: impl IntoIterator<Item = &'a str>, language: &Language) -> Vec<(Vec<String>, usize)> {
    let kept = |text: &str| Kept { text: Pii::new(text.to_owned()), meant: None, call: 0 };
    let kept: Vec<Kept> = said.into_iter().map(kept).collect();
    let mut together: Vec<(Vec<String>, usize)> = Vec::new();
    for group in groups(wordings(&kept, usize::MAX, language)) {
        let count = group.iter().map(|wording| wording.count).sum();
        together.push((group.iter().map(|wording| wording.text.to_owned()).collect(), count));
    }
    together.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    together
}

/// Utterances of up to `longest` words by their wording, politeness aside; the commonest first.
fn wordings<'a>(kept: &'a [Kept], longest: usize, language: &Language) -> Vec<Wording<'a>> {
    let mut all: BTreeMap<Vec<String>, Wording<'a>> = BTreeMap::new();
    for one in kept {
        let text = one.text.reveal();
        let words = normalize::words(text, language);
        let core = normalize::unframed(&words, language).to_vec();
        if core.is_empty() || core.len() > longest {
            continue;
        }
        let new = || Wording {
            words: core.clone(),
            text: text.trim(),
            count: 0,
            calls: BTreeSet::new(),
            reached: BTreeMap::new(),
        };
        let wording = all.entry(core.clone()).or_insert_with(new);
        wording.count += 1;
        wording.calls.insert(one.call);
        if let Some(option) = one.meant {
            *wording.reached.entry(option).or_default() += 1;
        }
    }
    let mut all: Vec<Wording<'a>> = all.into_values().collect();
    all.sort_by_key(|wording| std::cmp::Reverse(wording.count));
    all
}

/// Near wordings together: each joins the first group whose first wording it is like.
fn groups(wordings: Vec<Wording<'_>>) -> Vec<Vec<Wording<'_>>> {
    let mut groups: Vec<Vec<Wording<'_>>> = Vec::new();
    for wording in wordings {
        match groups.iter_mut().find(|group| alike(&group[0].words, &wording.words) >= ALIKE) {
            Some(group) => group.push(wording),
            None => groups.push(vec![wording]),
        }
    }
    groups
}

/// Share of the words of either that both have.
fn alike(one: &[String], two: &[String]) -> f32 {
    let both = one.iter().filter(|word| two.contains(word)).count();
    let either = one.len() + two.iter().filter(|word| !one.contains(word)).count();
    both as f32 / either.max(1) as f32
}

/// The option a group speaks for, unless the question understands it already or somebody else claims it.
fn judged(group: &[Wording<'_>], options: usize, matcher: &Matcher) -> Option<Proposal> {
    let mut reached: BTreeMap<usize, usize> = BTreeMap::new();
    for (option, count) in group.iter().flat_map(|wording| &wording.reached) {
        *reached.entry(*option).or_default() += count;
    }
    let first = group.first()?;
    let found = matcher.understand(&eval::heard_clearly(first.text)).candidates;
    let near = |option: usize| {
        let of = found.iter().find(|(meaning, _)| *meaning == Meaning::Option(option));
        of.map_or(0.0, |(_, confidence)| *confidence)
    };
    let rival = |option: usize| {
        let others = found.iter().filter(|(meaning, _)| *meaning != Meaning::Option(option));
        others.map(|(_, confidence)| *confidence).fold(0.0, f32::max)
    };
    let votes: usize = reached.values().sum();
    let (option, why) = match reached.into_iter().max_by_key(|(_, count)| *count) {
        // They must agree: what leads here and there is no phrase of either.
        Some((option, count)) if 2 * count > votes => (option, Why::Reached(count, votes)),
        Some(_) => return None,
        None => {
            let nearest = (0..options).max_by(|a, b| near(*a).total_cmp(&near(*b)))?;
            let is_near = near(nearest) >= NEAR && near(nearest) - rival(nearest) >= AHEAD;
            is_near.then(|| (nearest, Why::Nearest(near(nearest))))?
        }
    };
    let claimed = match why {
        Why::Reached(..) => matcher.knows(first.text),
        Why::Nearest(_) => rival(option) >= CLAIMED,
    };
    if option >= options || near(option) >= UNDERSTOOD || claimed {
        return None;
    }
    let pii = |wording: &Wording<'_>| Pii::new(wording.text.to_owned());
    Some(Proposal {
        option,
        phrase: pii(first),
        wordings: group.iter().map(pii).collect(),
        count: group.iter().map(|wording| wording.count).sum(),
        calls: group.iter().flat_map(|wording| &wording.calls).collect::<BTreeSet<_>>().len(),
        why,
    })
}

/// Leaves out what would make a phrase of another option be misunderstood once it is learned.
fn without_quarrels(
    proposals: Vec<Proposal>,
    options: &[Vec<String>],
    universals: &[Universal],
    language: &Language,
) -> Vec<Proposal> {
    let mut learned = options.to_vec();
    let mut kept = Vec::new();
    for proposal in proposals {
        let phrase = proposal.phrase.reveal().clone();
        let mut tried = learned.clone();
        tried[proposal.option].push(phrase.clone());
        let matcher = Matcher::compile(&tried, universals, language);
        let means = |text: &str| matcher.understand(&eval::heard_clearly(text)).candidates.into_iter().next();
        let is_own =
            |place: usize, text: &str| means(text).is_some_and(|(meaning, _)| meaning == Meaning::Option(place));
        let unhurt = learned.iter().enumerate().all(|(place, phrases)| phrases.iter().all(|text| is_own(place, text)));
        if unhurt && is_own(proposal.option, &phrase) {
            learned = tried;
            kept.push(proposal);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Vec<Vec<String>> {
        [
            &["my balance", "how much is in my account"][..],
            &["pay my card", "make a payment"],
            &["lost my card", "my card was stolen"],
        ]
        .map(|phrases| phrases.iter().map(|phrase| (*phrase).to_owned()).collect())
        .to_vec()
    }

    fn kept(said: &[(&str, Option<usize>)]) -> Vec<Kept> {
        let kept = |(call, (text, meant)): (usize, &(&str, Option<usize>))| Kept {
            text: Pii::new((*text).to_owned()),
            meant: *meant,
            call,
        };
        said.iter().enumerate().map(kept).collect()
    }

    fn proposed(said: &[(&str, Option<usize>)]) -> Vec<Proposal> {
        propose(&options(), &[Universal::Operator], &Language::english(), &kept(said), 1)
    }

    #[test]
    fn what_callers_reached_in_the_end_is_proposed_the_commonest_first() {
        let found = proposed(&[
            ("the dog ate my plastic", Some(2)),
            ("I'm skint aren't I", Some(0)),
            ("am I skint", Some(0)),
            ("Am I skint?", Some(0)),
        ]);
        let told: Vec<(usize, &str, usize)> =
            found.iter().map(|one| (one.option, one.phrase.reveal().as_str(), one.count)).collect();
        assert_eq!(told[0].0, 0, "{told:?}");
        assert!(told[0].2 >= 2 && told[0].1.contains("skint"), "{told:?}");
        assert_eq!(found[0].why, Why::Reached(found[0].count, found[0].count));
        assert!(told.iter().any(|(option, phrase, _)| *option == 2 && phrase.contains("dog")), "{told:?}");
    }

    #[test]
    fn one_caller_who_says_it_often_is_still_one() {
        let said = |call| Kept { text: Pii::new("am I skint".to_owned()), meant: Some(0), call };
        let least = |calls: &[usize]| {
            let kept: Vec<Kept> = calls.iter().copied().map(said).collect();
            propose(&options(), &[], &Language::english(), &kept, 2).len()
        };
        assert_eq!((least(&[7, 7, 7]), least(&[7, 8])), (0, 1));
    }

    #[test]
    fn what_callers_have_corrected_is_learned_though_a_rival_had_it_by_resemblance() {
        let said = ("has my payment arrived", Some(0));
        let matcher = Matcher::compile(&options(), &[Universal::Operator], &Language::english());
        let now = matcher.understand(&eval::heard_clearly(said.0)).candidates;
        assert_eq!(now[0].0, Meaning::Option(1), "nearest to `pay my card`, before anybody says otherwise");
        let found = proposed(&[said, said]);
        assert_eq!(found.iter().map(|one| one.option).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn questions_are_put_together_by_likeness_however_long_they_are() {
        let long = "can you please tell me whether it is possible to deliver the big wardrobe up to the fourth floor";
        let said = ["do you deliver to the moon", "do you deliver on the moon", "what is love", long];
        let together = alike_said(said, &Language::english());
        assert_eq!(together.len(), 3);
        assert_eq!((together[0].0.len(), together[0].1), (2, 2));
    }

    #[test]
    fn near_wordings_are_one_proposal() {
        let found = proposed(&[
            ("top up my grocery tab", Some(1)),
            ("top up the grocery tab", Some(1)),
            ("top up my grocery tab please", Some(1)),
        ]);
        assert_eq!(found.len(), 1, "{} proposals", found.len());
        assert_eq!((found[0].count, found[0].wordings.len()), (3, 2));
    }

    #[test]
    fn what_another_option_claims_is_never_proposed() {
        assert_eq!(proposed(&[("I lost my card", Some(1)), ("my card was stolen", Some(0))]), []);
        assert_eq!(proposed(&[("operator please", Some(0))]), []);
    }

    #[test]
    fn what_is_understood_already_and_what_callers_disagree_on_is_not_proposed() {
        assert_eq!(proposed(&[("my balance", Some(0)), ("my balance please", Some(0))]), []);
        assert_eq!(proposed(&[("do the thing", Some(0)), ("do the thing", Some(1))]), []);
    }

    #[test]
    fn without_anybodys_word_only_a_near_option_is_proposed() {
        let found = proposed(&[("purple zebras in the garden", None), ("whole amount of money in there", None)]);
        assert!(found.iter().all(|one| matches!(one.why, Why::Nearest(_)) && one.option == 0), "{}", found.len());
        assert!(found.iter().all(|one| !one.phrase.reveal().contains("zebra")));
    }

    #[test]
    fn stories_silence_and_options_that_are_no_more_are_survived() {
        let story = "well you see it all began when ".repeat(5);
        assert_eq!(proposed(&[(story.as_str(), Some(0)), ("", Some(0)), ("um", Some(1)), ("skint", Some(9))]), []);
        assert_eq!(propose(&[], &[], &Language::english(), &kept(&[("skint", None)]), 1), []);
    }

    #[test]
    fn mandarin_is_grouped_by_characters() {
        let options = [vec!["查余额".to_owned()], vec!["挂失银行卡".to_owned()]];
        let said = kept(&[("卡里还剩几毛", Some(0)), ("我卡里还剩几毛", Some(0)), ("卡里还剩几毛啊", Some(0))]);
        let found = propose(&options, &[], &Language::parse("zh-CN").unwrap(), &said, 1);
        assert_eq!(found.len(), 1, "{} proposals", found.len());
        assert_eq!((found[0].option, found[0].count), (0, 3));
    }
}
