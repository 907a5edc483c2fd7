//! Words that somebody is likely to have meant.

/// How alike two words are at least of which one may be meant by the other: the Jaro-Winkler similarity, of 0 to 1.
const ALIKE: f64 = 0.75;

/// Which of the words that are known is likely to have been meant by whoever wrote another, if any is.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |name: &str| strsim::jaro_winkler(name, word);
    let best = known.max_by(|one, other| alike(one).total_cmp(&alike(other)))?;
    (alike(best) > ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_taken_for_one_that_is_like_it() {
        let known = || ["theme", "default_memory", "default_storage"].into_iter();
        assert_eq!(nearest("thme", known()), Some("theme"));
        assert_eq!(nearest("default_memroy", known()), Some("default_memory"));
        assert_eq!(nearest("colour", known()), None);
        assert_eq!(nearest("theme", std::iter::empty()), None);
    }
}
