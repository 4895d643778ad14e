//! Rule packs: who wrote them, which version, and what they hold.

use super::decide::Act;
use super::rule::Rule;

/// Rules that belong together: of one law, one supervisor, or one house.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// Its name: `us-regf`.
    pub name: String,
    /// Which edition: part of every decision.
    pub version: String,
    /// What it is about, in a sentence.
    pub title: String,
    /// What it asks before somebody is called.
    pub rules: Vec<Rule>,
    /// What it asks of the plan that then speaks.
    pub duties: Vec<super::duty::Duty>,
}

/// All packs of a campaign; together they are as strict as the strictest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packs(Vec<Pack>);

impl Packs {
    /// These.
    pub const fn new(packs: Vec<Pack>) -> Self {
        Self(packs)
    }

    /// Each.
    pub fn each(&self) -> &[Pack] {
        &self.0
    }

    /// Rules about this act, in the order of their packs.
    pub fn rules_for(&self, act: Act) -> impl Iterator<Item = (&Pack, &Rule)> {
        let rules = self.0.iter().flat_map(|pack| pack.rules.iter().map(move |rule| (pack, rule)));
        rules.filter(move |(_, rule)| rule.is_before(act))
    }
}
