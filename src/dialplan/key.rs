//! The keys of the language: each with what it may hold and a line about it. Reading, the nearest right word, the
//! JSON Schema for editors and the reference in `dialplans/README.md` all rest on these tables.

/// One key of a map.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it may hold.
    pub shape: Shape,
    /// What it does, for editors.
    pub about: &'static str,
}

/// A key, in a table.
pub const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, about }
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Words for a caller: a text, one for each language, or either with a recording.
    Text,
    /// A text, or one for each language, without a recording.
    Words,
    /// One or several of those.
    Texts,
    /// Phrases, or a list for each language.
    Phrases,
    /// A name, a path: one line.
    Line,
    /// Several lines, or one.
    Lines,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The name of a step, or `$repeat`, `$back`, `$end`.
    Target,
    /// A target, or `off`.
    Wish,
    /// `true` or `false`.
    Flag,
    /// `4s`, `300ms`, `1min`.
    Time,
    /// A whole number from, to.
    Count(usize, usize),
    /// 0 to 1.
    Fraction,
    /// A telephone key.
    Digit,
    /// A condition or calculation in CEL.
    Condition,
    /// A value: a text with `{{ … }}`, a number, `true`.
    Value,
    /// A map of these keys.
    Keys(&'static [Key]),
    /// A map of these keys, of which those named exclude each other, and one must be there.
    OneOf(&'static [Key], &'static [&'static str]),
    /// A map of the keys of all these tables.
    Tables(&'static [&'static [Key]]),
    /// A map of names that the author gives.
    Named(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
    /// Nothing at all.
    Nothing,
    /// Anything.
    Any,
}

/// The names in several tables, for messages.
pub fn names(tables: &[&[Key]]) -> Vec<&'static str> {
    tables.iter().flat_map(|table| table.iter()).map(|key| key.name).collect()
}
