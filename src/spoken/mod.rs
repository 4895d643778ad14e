//! Numbers, digits, amounts and dates as people say them, per language: said and heard.

pub mod digits;
