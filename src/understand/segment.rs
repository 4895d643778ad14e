//! Mandarin words, cut by jieba's dictionary; read from the binary on first use.

use std::sync::LazyLock;

use jieba_rs::Jieba;

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// The segmenter every Mandarin question shares.
pub fn jieba() -> &'static Jieba {
    &JIEBA
}
