//! Licences as SPDX expressions. Pure.

/// What somebody wrote as a licence, as an SPDX expression; nothing where it cannot be one.
pub fn expression(written: &str) -> Option<String> {
    // Crates of before 2015 wrote a slash for "or".
    let spaced = written.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut expects_name = true;
    let mut open = 0_i32;
    for word in &words {
        let fits = match *word {
            "(" => {
                open += 1;
                expects_name
            }
            ")" => {
                open -= 1;
                !expects_name && open >= 0
            }
            "AND" | "OR" | "WITH" => !std::mem::replace(&mut expects_name, true),
            name => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b':');
                name.bytes().all(plain) && std::mem::replace(&mut expects_name, false)
            }
        };
        if !fits {
            return None;
        }
    }
    let whole = !expects_name && open == 0;
    whole.then(|| words.join(" ").replace("( ", "(").replace(" )", ")"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_become_expressions_where_they_can() {
        let check =
            |written: &str, expected: Option<&str>| assert_eq!(expression(written).as_deref(), expected, "{written}");
        check("MIT", Some("MIT"));
        check("MIT/Apache-2.0", Some("MIT OR Apache-2.0"));
        check("(MIT OR Apache-2.0) AND Unicode-3.0", Some("(MIT OR Apache-2.0) AND Unicode-3.0"));
        check("GPL-2.0-only WITH Classpath-exception-2.0", Some("GPL-2.0-only WITH Classpath-exception-2.0"));
        for nonsense in ["", "see LICENSE", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "MIT, BSD"] {
            check(nonsense, None);
        }
    }
}
