//! Words as people mean them: without case, without accents, without punctuation.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The words of a text, folded. A word is a run of letters and digits. `ñ` folds to `n` as `á`
/// does to `a`: phones without the key write it that way.
pub(super) fn words(text: &str) -> Vec<String> {
    let folded: String = text
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .filter(|c| !is_combining_mark(*c))
        .collect();
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `phrase` occurs in `text`, word for word and in one piece. An empty phrase never does.
pub(super) fn contains(text: &[String], phrase: &[String]) -> bool {
    !phrase.is_empty() && text.windows(phrase.len()).any(|part| part == phrase)
}
