//! Cuts T-SQL into tokens as the server does, to judge statements that the store wrote. It knows quoting and comments, nothing more.

/// A token. Words and quoted identifiers keep what they say, without their quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A bare word: keyword, identifier, `@variable`.
    Word(String),
    /// `[x]` or `"x"`.
    Quoted(String),
    /// `'x'` or `N'x'`.
    Literal(String),
    /// Any other character.
    Sign(char),
}

/// The tokens, or `None` where a quote or comment is not closed.
pub fn tokens(sql: &str) -> Option<Vec<Token>> {
    placed(sql).map(|(tokens, _)| tokens)
}

/// The statement with every `?` as SQL Server calls its parameters: `@P1`, `@P2`… `None` where a quote or comment is not closed.
pub fn numbered(sql: &str) -> Option<String> {
    let (tokens, places) = placed(sql)?;
    let (mut text, mut from) = (String::new(), 0);
    let marks = tokens.iter().zip(places).filter(|(token, _)| **token == Token::Sign('?'));
    for (number, (_, at)) in (1..).zip(marks) {
        text.push_str(&sql[from..at]);
        text.push_str(&format!("@P{number}"));
        from = at + 1;
    }
    text.push_str(&sql[from..]);
    Some(text)
}

/// The tokens, and where each begins.
fn placed(sql: &str) -> Option<(Vec<Token>, Vec<usize>)> {
    let (mut found, mut places) = (Vec::new(), Vec::new());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let at = sql.len() - rest.len();
        let second = rest[first.len_utf8()..].chars().next();
        rest = match (first, second) {
            (c, _) if c.is_whitespace() || c == '\u{feff}' => &rest[c.len_utf8()..],
            ('-', Some('-')) => rest.find('\n').map_or("", |end| &rest[end..]),
            ('/', Some('*')) => comment(rest)?,
            ('[', _) => quoted(&rest[1..], ']', &mut found, Token::Quoted)?,
            ('"', _) => quoted(&rest[1..], '"', &mut found, Token::Quoted)?,
            ('\'', _) => quoted(&rest[1..], '\'', &mut found, Token::Literal)?,
            ('N' | 'n', Some('\'')) => quoted(&rest[2..], '\'', &mut found, Token::Literal)?,
            (c, _) if part(c) => {
                let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
                found.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
            (c, _) => {
                found.push(Token::Sign(c));
                &rest[c.len_utf8()..]
            }
        };
        places.resize(found.len(), at); // a comment or a blank is no token
    }
    Some((found, places))
}

fn part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '$')
}

/// Comments nest.
fn comment(text: &str) -> Option<&str> {
    let (mut depth, mut at) = (0, 0);
    loop {
        let open = text[at..].find("/*");
        let close = text[at..].find("*/")?;
        match open {
            Some(open) if open < close => (depth, at) = (depth + 1, at + open + 2),
            _ if depth == 1 => return Some(&text[at + close + 2..]),
            _ => (depth, at) = (depth - 1, at + close + 2),
        }
    }
}

fn quoted<'a>(text: &'a str, close: char, found: &mut Vec<Token>, make: fn(String) -> Token) -> Option<&'a str> {
    let (mut said, mut rest) = (String::new(), text);
    loop {
        let end = rest.find(close)?;
        said.push_str(&rest[..end]);
        rest = &rest[end + close.len_utf8()..];
        if !rest.starts_with(close) {
            found.push(make(said));
            return Some(rest);
        }
        said.push(close);
        rest = &rest[close.len_utf8()..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_comments() {
        let sql = "SELECT [a]]b], \"c\"\"d\", N'e''f' /* x /* y */ z */ FROM t -- tail\n;";
        let [word, quoted, literal] = [Token::Word, Token::Quoted, Token::Literal];
        let sign = Token::Sign;
        let expected = [
            word("SELECT".into()),
            quoted("a]b".into()),
            sign(','),
            quoted("c\"d".into()),
            sign(','),
            literal("e'f".into()),
            word("FROM".into()),
            word("t".into()),
            sign(';'),
        ];
        assert_eq!(tokens(sql).unwrap(), expected);
        for open in ["'a", "[a", "\"a", "/* a", "N'a''", "/* /* */"] {
            assert_eq!(tokens(open), None, "{open}");
        }
    }

    #[test]
    fn marks_are_numbered_where_they_stand_for_a_value() {
        for (sql, expected) in [
            ("SELECT 1", "SELECT 1"),
            ("SELECT ? /* ? */, '?' -- ?\n, [?], \"?\" WHERE ñ=?", "SELECT @P1 /* ? */, '?' -- ?\n, [?], \"?\" WHERE ñ=@P2"),
            ("VALUES (?,?,?)", "VALUES (@P1,@P2,@P3)"),
        ] {
            assert_eq!(numbered(sql).as_deref(), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(sql in "\\PC{0,60}", like in "['\\[\\]\"N/*\\- a;]{0,30}") {
            let _ = (tokens(&sql), tokens(&like));
            let marks = |sql: &str| tokens(sql).map_or(0, |tokens| tokens.iter().filter(|t| **t == Token::Sign('?')).count());
            prop_assert_eq!(numbered(&sql).map_or(0, |text| marks(&text)), 0);
        }
    }
}
