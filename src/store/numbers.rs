//! How much of a telephone number the record keeps, and by what a number is recognised that must not be called again.
//!
//! A number that somebody has closed must stay closed whatever the record keeps of it. Where records hold full numbers
//! the list of closed ones does too, in E.164 as far as the call told it so; else it holds the keyed hash. The setting may
//! change: a number is sought in every form in which it may have been kept ([`NumberPolicy::sought`]).

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::suppression::Sought;
use crate::dialplan::outcome::{number_in, tidy_number};
use crate::files;
use crate::pii::Pii;

/// Name of the file in the data directory that makes hashes unguessable.
pub const SALT_FILE: &str = "numbers.salt";
/// Bytes in it.
const SALT_BYTES: usize = 32;
/// Block of SHA-256, RFC 6234.
const BLOCK_BYTES: usize = 64;
/// Bytes of the hash that are kept: 2^64 numbers before two are likely to meet.
const KEPT_BYTES: usize = 16;

/// `privacy.numbers` of the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepNumbers {
    /// As they came.
    #[default]
    Full,
    /// The last four digits.
    Last4,
    /// A keyed hash: the same number is recognised again, the number itself cannot be read back without the salt.
    Hashed,
}

/// The setting, ready to be applied.
#[derive(Clone)]
pub struct NumberPolicy {
    keep: Keep,
    /// Absent where no number has ever been hashed.
    salt: Option<[u8; SALT_BYTES]>,
}

#[derive(Clone)]
enum Keep {
    Full,
    Last4,
    Hashed,
}

/// The salt could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SaltError {
    /// The file is there but is not a salt.
    #[error(
        "{file} should hold {SALT_BYTES} bytes and holds {found}; restore it from a backup, or remove it and \
             accept that numbers hashed so far are not recognised again"
    )]
    Torn {
        /// Which.
        file: PathBuf,
        /// Its length.
        found: usize,
    },
    /// The system refused.
    #[error("cannot read or make {file}: {cause}")]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl NumberPolicy {
    /// Numbers as they came.
    pub const FULL: Self = Self { keep: Keep::Full, salt: None };

    /// Makes the setting ready: reads the salt in `data_dir`. `Last4` and `Hashed` make it, when it is missing, from
    /// `fresh_salt`, which must come from a good source of randomness.
    pub fn open(keep: KeepNumbers, data_dir: &Path, fresh_salt: [u8; SALT_BYTES]) -> Result<Self, SaltError> {
        let file = data_dir.join(SALT_FILE);
        let (keep, fresh) = match keep {
            KeepNumbers::Full => (Keep::Full, None),
            KeepNumbers::Last4 => (Keep::Last4, Some(fresh_salt)),
            KeepNumbers::Hashed => (Keep::Hashed, Some(fresh_salt)),
        };
        Ok(Self { keep, salt: salt(&file, fresh)? })
    }

    /// What the record keeps of `number`.
    pub fn apply(&self, number: &Pii<String>) -> Pii<String> {
        let whole = number.reveal();
        Pii::new(match &self.keep {
            Keep::Full => whole.clone(),
            Keep::Last4 => last4(whole),
            Keep::Hashed if whole.is_empty() => String::new(),
            Keep::Hashed => self.hash(whole),
        })
    }

    /// By what a number that is closed is kept: itself, tidied, or its hash. Empty for one that was withheld.
    pub fn key(&self, number: &Pii<String>) -> Pii<String> {
        let tidy = tidy_number(number.reveal());
        Pii::new(match &self.keep {
            Keep::Full => tidy,
            Keep::Last4 | Keep::Hashed if tidy.is_empty() => tidy,
            Keep::Last4 | Keep::Hashed => self.hash(&tidy),
        })
    }

    /// A number, to be looked for among the closed ones: with and without its `+`, plain and hashed. In `region`
    /// (`US`), that of the plan that would call it, its country may be left out, here and where it was closed.
    pub fn sought(&self, number: &Pii<String>, region: Option<&str>) -> Sought {
        let tidy = tidy_number(number.reveal());
        if tidy.is_empty() {
            return Sought(Pii::new(Vec::new()));
        }
        let complete = number_in(&tidy, region);
        let mut forms = vec![tidy];
        forms.extend(region.into_iter().flat_map(|region| without_country(&complete, region)));
        forms.push(complete);
        let others: Vec<String> =
            forms.iter().map(|form| form.strip_prefix('+').map_or_else(|| format!("+{form}"), str::to_owned)).collect();
        forms.extend(others);
        forms.sort();
        forms.dedup();
        if self.salt.is_some() {
            let hashes: Vec<String> = forms.iter().map(|form| self.hash(form)).collect();
            forms.extend(hashes);
        }
        Sought(Pii::new(forms))
    }

    fn hash(&self, text: &str) -> String {
        hashed(text, self.salt.as_ref().expect("a policy that hashes has its salt"))
    }

    /// What the record keeps of the SIP Call-ID of a call between `people`: as it came, unless it tells what is not
    /// kept of one of them.
    pub fn call_id(&self, call_id: &str, people: [&Pii<String>; 2]) -> String {
        let told = people.into_iter().any(|number| tells(call_id, number.reveal()));
        match &self.keep {
            Keep::Last4 if told => "…".to_owned(),
            Keep::Hashed if told => self.hash(call_id),
            _ => call_id.to_owned(),
        }
    }
}

/// As people of `region` dial a number of theirs: without its country, with the `0` of its area where they have one.
fn without_country(complete: &str, region: &str) -> Vec<String> {
    let code = match region {
        "US" | "CA" => "+1",
        "CN" => "+86",
        "GB" => "+44",
        _ => return Vec::new(),
    };
    let Some(national) = complete.strip_prefix(code) else { return Vec::new() };
    let forms = [national.to_owned(), format!("0{national}")];
    // Only those that are this very number, dialled there.
    forms.into_iter().filter(|form| number_in(form, Some(region)) == complete).collect()
}

/// A number shorter than this may stand in a Call-ID by chance.
const SHORTEST_TOLD: usize = 3;
/// So many digits at the end of a number tell it, with or without its country and area.
const TELLING_DIGITS: usize = 7;

/// Does `call_id` tell `number`? Some telephones write who calls whom into it.
fn tells(call_id: &str, number: &str) -> bool {
    let bare = number.trim_start_matches('+');
    let start = bare.char_indices().rev().nth(TELLING_DIGITS - 1).map_or(0, |(start, _)| start);
    bare.len() >= SHORTEST_TOLD && call_id.contains(&bare[start..])
}

/// `+12025550123` → `…0123`. A short number never shows more than half of itself.
fn last4(number: &str) -> String {
    let length = number.chars().count();
    if length == 0 {
        return String::new();
    }
    let shown = (length / 2).min(4);
    std::iter::once('…').chain(number.chars().skip(length - shown)).collect()
}

/// `#` and 32 hex digits. Keyed, because ten digits are few enough to try them all against a plain hash.
fn hashed(number: &str, salt: &[u8; SALT_BYTES]) -> String {
    let kept = &hmac_sha256(salt, number.as_bytes())[..KEPT_BYTES];
    std::iter::once("#".to_owned()).chain(kept.iter().map(|byte| format!("{byte:02x}"))).collect()
}

/// RFC 2104 with SHA-256, for keys no longer than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// The salt of `file`; where there is none, `fresh` from now on.
fn salt(file: &Path, fresh: Option<[u8; SALT_BYTES]>) -> Result<Option<[u8; SALT_BYTES]>, SaltError> {
    let refused = |cause| SaltError::Io { file: file.to_owned(), cause };
    match std::fs::read(file) {
        Ok(bytes) => {
            let found = bytes.len();
            bytes.try_into().map(Some).map_err(|_| SaltError::Torn { file: file.to_owned(), found })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(fresh) = fresh else { return Ok(None) };
            file.parent().map_or(Ok(()), files::create_private_folder).map_err(refused)?;
            files::write_private_file(file, &fresh).map_err(refused)?;
            Ok(Some(fresh))
        }
        Err(error) => Err(refused(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "+12025550123";

    fn kept(keep: KeepNumbers, number: &str) -> String {
        let home = tempfile::tempdir().unwrap();
        let policy = NumberPolicy::open(keep, home.path(), [7; SALT_BYTES]).unwrap();
        policy.apply(&Pii::new(number.to_owned())).into_inner()
    }

    #[test]
    fn full_keeps_all_and_last4_keeps_four() {
        assert_eq!(kept(KeepNumbers::Full, NUMBER), NUMBER);
        assert_eq!(kept(KeepNumbers::Last4, NUMBER), "…0123");
    }

    #[test]
    fn a_short_number_never_shows_more_than_half_of_itself() {
        let rows = [("1000", "…00"), ("100", "…0"), ("7", "…"), ("", ""), ("电话号码是一", "…码是一")];
        for (number, expect) in rows {
            assert_eq!(kept(KeepNumbers::Last4, number), expect);
        }
    }

    #[test]
    fn a_hashed_number_is_recognised_again_after_a_restart_and_cannot_be_read() {
        let home = tempfile::tempdir().unwrap();
        let number = Pii::new(NUMBER.to_owned());
        let hash = |fresh| NumberPolicy::open(KeepNumbers::Hashed, home.path(), fresh).unwrap().apply(&number);
        let first = hash([1; SALT_BYTES]);
        assert_eq!(hash([2; SALT_BYTES]), first, "the salt on disk wins");
        assert!(first.reveal().starts_with('#') && first.reveal().len() == 33);
        assert!(!first.reveal().contains("0123"));
        let other = NumberPolicy { keep: Keep::Hashed, salt: Some([2; SALT_BYTES]) };
        assert_ne!(other.apply(&number), first, "another house, another hash");
        assert_eq!(other.apply(&Pii::new(String::new())).reveal(), "", "nothing stays nothing");
    }

    #[test]
    fn a_closed_number_is_found_in_every_way_it_may_be_written_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let open = |keep| NumberPolicy::open(keep, home.path(), [7; SALT_BYTES]).unwrap();
        let pii = |number: &str| Pii::new(number.to_owned());
        let full = open(KeepNumbers::Full);
        assert!(!home.path().join(SALT_FILE).exists(), "nothing is hashed");
        assert_eq!(full.key(&pii("tel:+1 (202) 555-0123")).reveal(), NUMBER);
        let written = [NUMBER, "12025550123", "0012025550123", "+1-202-555-0123", " +1.202.555.0123;user=phone"];
        let kept = full.key(&pii(NUMBER));
        for number in written {
            assert!(full.sought(&pii(number), None).0.reveal().contains(kept.reveal()), "{number}");
        }
        let hashing = open(KeepNumbers::Last4);
        let hash = hashing.key(&pii(NUMBER));
        assert!(
            hash.reveal().starts_with('#') && !hash.reveal().contains("0123"),
            "not the last four: {}",
            hash.reveal()
        );
        for number in written {
            // Kept before the setting changed, or after; looked for after it has changed back.
            for policy in [&hashing, &open(KeepNumbers::Hashed), &open(KeepNumbers::Full)] {
                let forms = policy.sought(&pii(number), None).0;
                assert!(forms.reveal().contains(kept.reveal()) && forms.reveal().contains(hash.reveal()), "{number}");
            }
        }
        let sought = full.sought(&pii("+12025550124"), None).0;
        assert!(!sought.reveal().contains(kept.reveal()));
    }

    #[test]
    fn a_number_closed_without_its_country_is_found_with_it_and_the_other_way_round() {
        let home = tempfile::tempdir().unwrap();
        let pii = |number: &str| Pii::new(number.to_owned());
        for policy in
            [NumberPolicy::FULL, NumberPolicy::open(KeepNumbers::Hashed, home.path(), [7; SALT_BYTES]).unwrap()]
        {
            for (region, whole, bare) in [
                ("US", NUMBER, "(202) 555-0123"),
                ("CN", "+8613800138000", "138 0013 8000"),
                ("CN", "+861065529988", "01065529988"),
            ] {
                let finds = |sought: &str, region, closed: &str| {
                    policy.sought(&pii(sought), region).0.reveal().contains(policy.key(&pii(closed)).reveal())
                };
                assert!(finds(bare, Some(region), whole), "{bare} in {region}");
                assert!(finds(whole, Some(region), bare), "{whole} in {region}");
                assert!(!finds(bare, Some("GB"), whole), "elsewhere it is another number");
            }
        }
    }

    #[test]
    fn a_number_that_was_withheld_closes_nothing() {
        for number in ["", " ", "anonymous", "Anonymous@anonymous.invalid", "Restricted"] {
            assert_eq!(NumberPolicy::FULL.key(&Pii::new(number.to_owned())).reveal(), "", "{number}");
            assert_eq!(NumberPolicy::FULL.sought(&Pii::new(number.to_owned()), None).0.reveal().len(), 0, "{number}");
        }
        assert_eq!(NumberPolicy::FULL.key(&Pii::new("Alice@example.com".to_owned())).reveal(), "alice");
    }

    #[test]
    fn a_torn_salt_is_an_error_that_names_the_file_instead_of_a_new_salt() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(SALT_FILE), b"short").unwrap();
        let error = NumberPolicy::open(KeepNumbers::Hashed, home.path(), [0; SALT_BYTES]).err().unwrap();
        assert!(error.to_string().contains("numbers.salt should hold 32 bytes and holds 5"), "{error}");
    }

    #[test]
    fn the_keyed_hash_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        let hex = mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_call_id_that_tells_a_number_is_kept_as_the_number_is() {
        let folder = tempfile::tempdir().unwrap();
        let open = |keep| NumberPolicy::open(keep, folder.path(), [7; SALT_BYTES]).unwrap();
        let (caller, called) = (Pii::new("+12025550143".to_owned()), Pii::new("42".to_owned()));
        let kept = |keep, id: &str| open(keep).call_id(id, [&caller, &called]);
        for telling in ["12025550143-17@h", "x+12025550143", "2025550143.9@192.0.2.7", "5550143@h"] {
            assert_eq!(kept(KeepNumbers::Full, telling), telling);
            assert_eq!(kept(KeepNumbers::Last4, telling), "…");
            assert!(kept(KeepNumbers::Hashed, telling).starts_with('#'), "{telling}");
        }
        // Too short to be told by: it stands there by chance.
        for silent in ["a84b4c42e66710@h", "0143@h", ""] {
            assert_eq!(kept(KeepNumbers::Last4, silent), silent);
            assert_eq!(kept(KeepNumbers::Hashed, silent), silent);
        }
    }
}
