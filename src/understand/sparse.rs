//! Texts as rows of numbers: which features a text has, and how much each tells.
//!
//! A feature is known by a hash of its view and its spelling, so nothing but numbers is kept of a vocabulary. Each
//! view (words, pairs, pieces of words…) is weighed by tf-idf and brought to its own length, so that a view with many
//! features does not drown one with few.

/// Views a row may have.
pub const VIEWS: usize = 12;

/// A feature that more rows have is passed over when looking for what is alike.
const COMMONEST: usize = 600;

/// One feature of a text: what it is, which view it belongs to, and how often it stands there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    /// [`hash`] of the view and the spelling.
    pub key: u64,
    /// Place of its view, below [`VIEWS`].
    pub view: u8,
    /// How often, or how much.
    pub count: f32,
}

/// FNV-1a over the parts, with a separator no text holds between them.
pub fn hash(view: u8, parts: &[&str]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(view).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for part in parts {
        for byte in part.bytes().chain([0xFF]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    hash
}

/// Merges features that are the same; sorts by key.
pub fn gathered(mut features: Vec<Feature>) -> Vec<Feature> {
    features.sort_unstable_by_key(|feature| feature.key);
    features.dedup_by(|next, kept| {
        let same = next.key == kept.key;
        if same {
            kept.count += next.count;
        }
        same
    });
    features
}

/// A row: places in the dictionary, rising, and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Place and value.
    pub cells: Vec<(u32, f32)>,
    /// Share of the text's weight that is known, 0..1, by view.
    pub known: [f32; VIEWS],
}

/// The features seen in training, and what each tells.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    /// Rising.
    keys: Vec<u64>,
    /// Of the keys whose upper bits are `b`: `keys[begins[b]..begins[b + 1]]`. Hashes are spread evenly, so that hardly
    /// more than one key stands there.
    begins: Vec<u32>,
    rarity: Vec<f32>,
    /// What an unseen feature tells.
    unseen: f32,
    scale: [f32; VIEWS],
}

impl Dictionary {
    /// Learns from the gathered features of every training text; `scale` is what each view counts. A feature must
    /// stand in `least` texts to be kept.
    pub fn learn<'a>(texts: impl Iterator<Item = &'a [Feature]>, scale: [f32; VIEWS], least: usize) -> Self {
        let mut count = 0;
        let mut all: Vec<u64> = Vec::new();
        for text in texts {
            count += 1;
            all.extend(text.iter().map(|feature| feature.key));
        }
        all.sort_unstable();
        let rarity = |seen: usize| (1.0 + (count as f32 + 1.0) / (seen as f32 + 1.0)).ln();
        let (mut keys, mut rarities) = (Vec::new(), Vec::new());
        for run in all.chunk_by(|a, b| a == b).filter(|run| run.len() >= least) {
            keys.push(run[0]);
            rarities.push(rarity(run.len()));
        }
        let mut begins = vec![0_u32; keys.len().next_power_of_two() + 1];
        let shift = shift(&begins);
        for key in &keys {
            begins[upper(*key, shift) + 1] += 1;
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        Self { keys, begins, rarity: rarities, unseen: rarity(0), scale }
    }

    fn place(&self, key: u64) -> Option<usize> {
        let upper = upper(key, shift(&self.begins));
        let begin = *self.begins.get(upper)? as usize;
        let end = *self.begins.get(upper + 1)? as usize;
        Some(begin + self.keys[begin..end].binary_search(&key).ok()?)
    }

    /// How many features are known.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Reads gathered features as a row. Unseen ones count towards the length of their view, so that a text the
    /// training knows little of comes out short.
    pub fn row(&self, features: &[Feature]) -> Row {
        let mut row = Row { cells: Vec::with_capacity(features.len()), known: [0.0; VIEWS] };
        let mut all = [0.0_f32; VIEWS];
        let mut seen = [0.0_f32; VIEWS];
        let mut views: Vec<u8> = Vec::with_capacity(features.len());
        for feature in features {
            let view = usize::from(feature.view);
            let said = 1.0 + feature.count.ln().max(-1.0);
            match self.place(feature.key) {
                Some(place) => {
                    let value = said * self.rarity[place];
                    all[view] += value * value;
                    seen[view] += value * value;
                    row.cells.push((place as u32, value));
                    views.push(feature.view);
                }
                None => {
                    let value = said * self.unseen;
                    all[view] += value * value;
                }
            }
        }
        for ((_, value), view) in row.cells.iter_mut().zip(views) {
            let view = usize::from(view);
            *value *= self.scale[view] / seen[view].sqrt().max(1e-6);
        }
        for view in 0..VIEWS {
            row.known[view] = if all[view] > 0.0 { seen[view] / all[view] } else { 0.0 };
        }
        row
    }
}

/// How far a key is shifted so that its upper bits are a place among so many beginnings, but for the last.
fn shift(begins: &[u32]) -> u32 {
    64 - begins.len().saturating_sub(1).max(1).trailing_zeros()
}

fn upper(key: u64, shift: u32) -> usize {
    key.checked_shr(shift).unwrap_or(0) as usize
}

/// Rows by the features they have, to find what is like a row without looking at every one.
#[derive(Clone, Debug, Default)]
pub struct Postings {
    rows: usize,
    /// Of feature `f`: `postings[begins[f]..begins[f + 1]]`.
    begins: Vec<u32>,
    /// Row, and the feature's value there.
    postings: Vec<(u32, f32)>,
}

impl Postings {
    /// Files `rows` over a dictionary of `features`.
    pub fn of(rows: &[Row], features: usize) -> Self {
        let mut begins = vec![0_u32; features + 1];
        for (feature, _) in rows.iter().flat_map(|row| &row.cells) {
            begins[*feature as usize + 1] += 1;
        }
        for at in 0..features {
            begins[at + 1] += begins[at];
        }
        let mut next = begins.clone();
        let mut postings = vec![(0, 0.0); begins[features] as usize];
        for (place, row) in rows.iter().enumerate() {
            for (feature, value) in &row.cells {
                let at = &mut next[*feature as usize];
                postings[*at as usize] = (place as u32, *value);
                *at += 1;
            }
        }
        Self { rows: rows.len(), begins, postings }
    }

    /// The product of `row` with every row, but for the commonest features, which tell little and cost most.
    pub fn products(&self, row: &Row) -> Vec<f32> {
        let mut products = vec![0.0_f32; self.rows];
        for (feature, value) in &row.cells {
            let at = *feature as usize;
            let having = &self.postings[self.begins[at] as usize..self.begins[at + 1] as usize];
            if having.len() > COMMONEST {
                continue;
            }
            for (row, other) in having {
                products[*row as usize] += value * other;
            }
        }
        products
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[&str]) -> Vec<Feature> {
        gathered(words.iter().map(|word| Feature { key: hash(0, &[word]), view: 0, count: 1.0 }).collect())
    }

    #[test]
    fn a_rare_feature_tells_more_and_the_length_of_a_view_is_its_scale() {
        let texts = [text(&["the", "card"]), text(&["the", "bill"]), text(&["the", "card"])];
        let mut scale = [0.0; VIEWS];
        scale[0] = 2.0;
        let dictionary = Dictionary::learn(texts.iter().map(Vec::as_slice), scale, 1);
        assert_eq!(dictionary.len(), 3);
        let row = dictionary.row(&text(&["the", "bill"]));
        let value = |word: &str| {
            let place = dictionary.keys.binary_search(&hash(0, &[word])).unwrap() as u32;
            row.cells.iter().find(|(feature, _)| *feature == place).map(|(_, value)| *value)
        };
        assert!(value("bill") > value("the"), "{row:?}");
        assert_eq!(value("card"), None);
        let length: f32 = row.cells.iter().map(|(_, value)| value * value).sum();
        assert!((length - 4.0).abs() < 1e-4);
        assert_eq!(row.known[0], 1.0);
    }

    #[test]
    fn what_was_never_seen_is_not_known() {
        let texts = [text(&["a", "b"])];
        let dictionary = Dictionary::learn(texts.iter().map(Vec::as_slice), [1.0; VIEWS], 1);
        let row = dictionary.row(&text(&["a", "z"]));
        assert!(row.known[0] > 0.0 && row.known[0] < 0.5, "{row:?}");
        let row = dictionary.row(&text(&["z"]));
        assert_eq!((row.cells.len(), row.known[0]), (0, 0.0));
    }

    #[test]
    fn the_parts_of_a_key_are_kept_apart() {
        assert_ne!(hash(0, &["ab", "c"]), hash(0, &["a", "bc"]));
        assert_ne!(hash(0, &["a"]), hash(1, &["a"]));
        assert_eq!(text(&["a", "a"])[0].count, 2.0);
    }
}
