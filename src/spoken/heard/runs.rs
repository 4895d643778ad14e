//! Digits and letters said one after another.

/// A run of digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The digits.
    pub digits: String,
    /// "plus" stood before them.
    pub plus: bool,
    /// Where its words end.
    pub end: usize,
}

/// A word spelled out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelled {
    /// Letters in capitals, Mandarin characters as they are.
    pub text: String,
    /// Where its words end.
    pub end: usize,
    /// How many pieces can mean nothing but a letter.
    pub certain: usize,
}
