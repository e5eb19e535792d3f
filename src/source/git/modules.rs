//! The file `.gitmodules`: which repositories the submodules of a commit are of. Pure.

use std::collections::BTreeMap;

/// What a section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) url: String,
    /// Whether it is to be left out (`update = none`).
    pub(super) left_out: bool,
}

/// Modules by their paths. Where two sections name one path, nobody could say which counts.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Module>, &'static str> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut current = None;
    for line in joined_lines(text) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let (title, _) = rest.rsplit_once(']').ok_or("cannot be read")?;
            let name = title.trim().strip_prefix("submodule").map(|name| value(name.trim()));
            current = name;
        } else if let (Some(name), Some((key, text))) = (&current, line.split_once('='))
            && !line.starts_with(['#', ';'])
        {
            let section = sections.entry(name.clone()).or_default();
            section.insert(key.trim().to_ascii_lowercase(), value(text.trim()));
        }
    }
    let mut modules = BTreeMap::new();
    for section in sections.into_values() {
        let (Some(path), Some(url)) = (section.get("path"), section.get("url")) else { continue };
        let left_out = section.get("update").is_some_and(|update| update == "none");
        let module = Module { url: url.clone(), left_out };
        if modules.insert(path.trim_end_matches('/').to_owned(), module).is_some() {
            return Err("names one path twice");
        }
    }
    Ok(modules)
}

/// A line that ends with `\` goes on in the next.
fn joined_lines(text: &str) -> Vec<String> {
    text.replace("\r\n", "\n").replace("\\\n", "").lines().map(str::to_owned).collect()
}

/// A value as git reads it: quotes taken off, escapes read, comments left out.
fn value(text: &str) -> String {
    let (mut value, mut quoted, mut letters) = (String::new(), false, text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' => value.extend(letters.next().map(|escaped| match escaped {
                'n' => '\n',
                't' => '\t',
                other => other,
            })),
            '#' | ';' if !quoted => break,
            other => value.push(other),
        }
    }
    if text.ends_with('"') { value } else { value.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, bool)]) {
        let found: Vec<_> =
            parse(text).unwrap().into_iter().map(|(path, module)| (path, module.url, module.left_out)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(path, url, left_out)| ((*path).into(), (*url).into(), *left_out)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn sections_name_paths_and_addresses() {
        let text = "[submodule \"a b\"]\n\tpath = x/a ; why\n\turl = ../a.git\n# c = d\n[other]\npath = no\nurl = no\n\
            [submodule \"c\"]\r\n  Path = \"c d\"\r\n  url = \"https://a.example/#x\"\r\n update = none\r\n";
        check(text, &[("c d", "https://a.example/#x", true), ("x/a", "../a.git", false)]);
        check("[submodule \"a\"]\npath = a\n", &[]);
    }

    #[test]
    fn one_path_has_one_address() {
        let text = "[submodule \"a\"]\npath = x\nurl = u\n[submodule \"b\"]\npath = x/\nurl = v\n";
        assert_eq!(parse(text), Err("names one path twice"));
        assert_eq!(parse("[submodule \"a\"\n"), Err("cannot be read"));
    }
}
