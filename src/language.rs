//! Language tags, as plans write them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A BCP 47 tag in canonical case, such as `en-US` or `zh-CN`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(Arc<str>);

/// Not a language tag.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a language tag; write it like `en-US` or `zh-CN`")]
pub struct NotALanguage(pub String);

impl Language {
    /// Reads `en`, `en-US`, `zh_CN`; fixes the case of both parts.
    pub fn parse(text: &str) -> Result<Self, NotALanguage> {
        let wrong = || NotALanguage(text.to_owned());
        let mut parts = text.split(['-', '_']);
        let primary = parts.next().unwrap_or_default();
        if !(2..=3).contains(&primary.len()) || !primary.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(wrong());
        }
        let mut tag = primary.to_ascii_lowercase();
        for part in parts {
            if part.is_empty() || part.len() > 8 || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(wrong());
            }
            tag.push('-');
            match part.len() {
                2 => tag.push_str(&part.to_ascii_uppercase()),
                4 => tag.extend(part[..1].to_ascii_uppercase().chars().chain(part[1..].to_ascii_lowercase().chars())),
                _ => tag.push_str(&part.to_ascii_lowercase()),
            }
        }
        Ok(Self(tag.into()))
    }

    /// American English, the language of a plan that names none.
    pub fn english() -> Self {
        Self("en-US".into())
    }

    /// The first part: `en` of `en-US`. Engines are chosen by it.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// The whole tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Language {
    type Error = NotALanguage;

    fn try_from(text: String) -> Result<Self, NotALanguage> {
        Self::parse(&text)
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_put_in_canonical_case() {
        assert_eq!(Language::parse("EN_us").map(|tag| tag.to_string()), Ok("en-US".into()));
        assert_eq!(Language::parse("zh-hans-cn").map(|tag| tag.to_string()), Ok("zh-Hans-CN".into()));
        assert_eq!(Language::parse("zh-CN").map(|tag| tag.primary().to_owned()), Ok("zh".into()));
        assert!(Language::parse("english").is_err());
        assert!(Language::parse("en-").is_err());
    }
}
