//! Reads the `files` of a site. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::parse::{Text, entries};
use super::problem::{Findings, listed};
use super::source::place;
use super::{FileContent, SiteFile};

/// Names that a generation has for itself.
const RESERVED: [&str; 2] = ["generation.json", "lockfile"];

/// Keys that each say what is in a file.
const CONTENTS: [&str; 3] = ["template", "text", "file"];

/// The mode of a file that says nothing of it.
const USUAL_MODE: u32 = 0o644;

/// The site's files, by their paths in a generation.
pub(super) fn files(site: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, SiteFile> {
    let mut files = BTreeMap::new();
    for (key, value) in entries(site, "files") {
        let Some(entry) = value.get_ref().as_table() else { continue };
        target(key, findings);
        let (content, mode) = (content(key, entry, findings), mode(entry, findings));
        let span = findings.span(key.span().start);
        files.extend(content.map(|content| (key.get_ref().to_string(), SiteFile { content, mode, span })));
    }
    for (key, _) in entries(site, "files") {
        let above = key.get_ref().match_indices('/').map(|(end, _)| &key.get_ref()[..end]);
        if let Some(above) = above.into_iter().find(|above| files.contains_key(*above)) {
            findings.add(key.span(), format!("`{above}` is a file too, so that nothing can lie below it"));
        }
    }
    files
}

fn target(key: &Text<'_>, findings: &mut Findings<'_>) {
    let path = key.get_ref();
    if let Some(problem) = outside(path) {
        let hint = "write a path from the generation's directory, as in `etc/app.toml`";
        findings.add_with_hint(key.span(), format!("`{path}` {problem}"), hint);
    } else if let Some(name) = RESERVED.into_iter().find(|name| path.split('/').next() == Some(name)) {
        findings.add(key.span(), format!("`{name}` is a name that every generation has for itself"));
    }
}

fn content(key: &Text<'_>, entry: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<FileContent> {
    let given: Vec<&str> = CONTENTS.into_iter().filter(|key| entry.contains_key(*key)).collect();
    match given[..] {
        [] => {
            let message = format!("file `{}` does not say what is in it", key.get_ref());
            findings.add_with_hint(key.span(), message, format!("add one of {}", listed(CONTENTS)));
            None
        }
        [only] => {
            let text = entry.get(only)?.get_ref().as_str()?.to_owned();
            if only != "text" {
                in_project(only, &text, place(entry, only), findings);
            }
            Some(match only {
                "template" => FileContent::Template(text),
                "text" => FileContent::Text(text),
                _ => FileContent::Copy(text),
            })
        }
        [first, second, ..] => {
            let message = format!("file `{}` has two contents, `{first}` and `{second}`", key.get_ref());
            findings.add_with_hint(place(entry, second), message, "keep one of them");
            None
        }
    }
}

fn in_project(key: &str, path: &str, at: Range<usize>, findings: &mut Findings<'_>) {
    if let Some(problem) = outside(path) {
        let hint = "write a path from the project's directory, so that every checkout has it";
        findings.add_with_hint(at, format!("`{key}` is `{path}`, which {problem}"), hint);
    }
}

/// What is wrong with a path that has to lie below a directory.
fn outside(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("is no path")
    } else if path.starts_with('/') {
        Some("is an absolute path")
    } else if path.split('/').any(|part| part == "..") {
        Some("leads outside by `..`")
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        Some("has a part that is empty or `.`")
    } else if path.chars().any(char::is_control) {
        Some("holds a control character")
    } else {
        None
    }
}

fn mode(entry: &DeTable<'_>, findings: &mut Findings<'_>) -> u32 {
    let Some(written) = entry.get("mode").and_then(|value| value.get_ref().as_str()) else { return USUAL_MODE };
    let digits = (3..=4).contains(&written.len()) && written.bytes().all(|byte| byte.is_ascii_digit());
    let at = place(entry, "mode");
    match u32::from_str_radix(written, 8).ok().filter(|_| digits) {
        None => {
            let message = format!("`{written}` is not a mode: that is three or four octal digits");
            findings.add_with_hint(at, message, "write it as `mode = \"0600\"`");
        }
        Some(mode) if mode > 0o777 => {
            let message = format!("mode `{written}` sets more than permissions");
            findings.add_with_hint(at, message, "no file of a site is setuid, setgid or sticky: begin with `0`");
        }
        Some(mode) if mode & 0o400 == 0 => {
            findings.add(at, format!("mode `{written}` does not let its owner read the file"));
        }
        Some(mode) => return mode,
    }
    USUAL_MODE
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::brief;
    use super::super::{FileContent, Manifest};

    #[test]
    fn files_are_read_with_their_contents_and_modes() {
        let text = "[sites.a.files]\n'etc/a' = { template = 't/a.j2' }\nb = { text = 'x', mode = '600' }\n\
                    [sites.a.files.'c/d']\nfile = 'd'\nmode = '0755'";
        let manifest = Manifest::parse("envy.toml", text).unwrap();
        let site = manifest.site(&"a".parse().unwrap()).unwrap();
        let line = |(path, file): (&String, &super::SiteFile)| {
            format!("{}:{} {path} {:04o} {:?}\n", file.span.line, file.span.column, file.mode, file.content)
        };
        expect![[r#"
            3:1 b 0600 Text("x")
            4:16 c/d 0755 Copy("d")
            2:1 etc/a 0644 Template("t/a.j2")
        "#]]
        .assert_eq(&site.files.iter().map(line).collect::<String>());
        assert_eq!(site.files["b"].content, FileContent::Text("x".into()));
    }

    #[test]
    fn a_file_lies_in_its_generation_and_says_one_content() {
        brief(
            r#"[sites.a.files]
            "/etc/passwd" = { text = "" }
            "../x" = { text = "" }
            "a//b" = { text = "" }
            "" = { text = "" }
            "generation.json" = { text = "" }
            "lockfile/x" = { text = "" }
            "etc" = { text = "" }
            "etc/x/y" = { text = "" }
            "c" = {}
            "d" = { text = "", file = "x" }
            "e" = { template = "/etc/passwd" }
            "f" = { file = "../x", mode = "0644" }
            "g" = { text = 1 }"#,
        )
        .is(expect![[r#"
            envy.toml:2:13: `/etc/passwd` is an absolute path
            envy.toml:2:13: `` is a file too, so that nothing can lie below it
            envy.toml:3:13: `../x` leads outside by `..`
            envy.toml:4:13: `a//b` has a part that is empty or `.`
            envy.toml:5:13: `` is no path
            envy.toml:6:13: `generation.json` is a name that every generation has for itself
            envy.toml:7:13: `lockfile` is a name that every generation has for itself
            envy.toml:9:13: `etc` is a file too, so that nothing can lie below it
            envy.toml:10:13: file `c` does not say what is in it
            envy.toml:11:39: file `d` has two contents, `text` and `file`
            envy.toml:12:32: `template` is `/etc/passwd`, which is an absolute path
            envy.toml:13:28: `file` is `../x`, which leads outside by `..`
            envy.toml:14:28: `text` must be a string, not an integer
        "#]]);
    }

    #[test]
    fn a_mode_is_permissions_in_octal() {
        let modes = ["4755", "1777", "0888", "rw-r--r--", "64", "00644", "+644", "0200"];
        let line = |(number, mode): (usize, &&str)| format!("f{number} = {{ text = '', mode = '{mode}' }}\n");
        let lines: String = modes.iter().enumerate().map(line).collect();
        brief(&format!("[sites.a.files]\n{lines}x = {{ text = '', mode = 644 }}")).is(expect![[r#"
            envy.toml:2:26: mode `4755` sets more than permissions
            envy.toml:3:26: mode `1777` sets more than permissions
            envy.toml:4:26: `0888` is not a mode: that is three or four octal digits
            envy.toml:5:26: `rw-r--r--` is not a mode: that is three or four octal digits
            envy.toml:6:26: `64` is not a mode: that is three or four octal digits
            envy.toml:7:26: `00644` is not a mode: that is three or four octal digits
            envy.toml:8:26: `+644` is not a mode: that is three or four octal digits
            envy.toml:9:26: mode `0200` does not let its owner read the file
            envy.toml:10:25: `mode` must be a string, not an integer
        "#]]);
    }
}
