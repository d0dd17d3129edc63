//! The word a person probably meant. Used by option maps, lint and relevo.toml.

/// The one of `known` that is nearest to `word`, when it is near enough to be worth proposing.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = ((word.chars().count() + 1) / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(apart, candidate)| *apart <= limit && *apart < candidate.chars().count())
        .min_by_key(|(apart, _)| *apart)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, apart) in
            [("", "abc", 3), ("kitten", "sitting", 3), ("full", "full", 0), ("ful", "full", 1), ("año", "ano", 1)]
        {
            assert_eq!(distance(a, b), apart, "{a} {b}");
        }
    }

    #[test]
    fn only_near_words_are_proposed() {
        assert_eq!(nearest("acept_loss", ["accept_loss", "reason"]), Some("accept_loss"));
        assert_eq!(nearest("FULL", ["apply", "full"]), Some("full"));
        assert_eq!(nearest("colour", ["accept_loss", "reason"]), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("gone", ["some", "x"]), None);
    }
}
