//! What the compiler says that it read: the file of `--emit=dep-info`. Pure.
//!
//! Files stand in lines as for `make`, `target: file file`, with backslashes before spaces; variables stand in lines
//! `# env-dep:NAME=value`.

use std::path::{Component, Path, PathBuf};

use super::MASKED;
use super::call::within;

/// Whether everything that it says was read is known to whoever made the unit's digest: files lie in one of these
/// directories, and none of the masked variables is among the variables.
pub fn all_known(text: &str, directory: &str, known: &[&str]) -> bool {
    text.lines().all(|line| match line.strip_prefix("# env-dep:") {
        Some(variable) => !MASKED.contains(&variable.split('=').next().unwrap_or(variable)),
        None if line.is_empty() || line.starts_with('#') => true,
        None => files(line).iter().all(|file| is_known(file, directory, known)),
    })
}

/// The files after the colon.
fn files(line: &str) -> Vec<String> {
    let Some((_, files)) = line.split_once(": ") else { return Vec::new() };
    let (mut all, mut file, mut rest) = (Vec::new(), String::new(), files.chars());
    while let Some(c) = rest.next() {
        match c {
            ' ' => all.push(std::mem::take(&mut file)),
            '\\' => file.extend(rest.next()),
            c => file.push(c),
        }
    }
    all.push(file);
    all.retain(|file| !file.is_empty());
    all
}

fn is_known(file: &str, directory: &str, known: &[&str]) -> bool {
    let mut path = PathBuf::new();
    for part in Path::new(directory).join(file).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path.to_str().is_some_and(|path| known.iter().any(|outer| within(path, outer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> bool {
        all_known(text, "/envy/crates/a-1.0.0", &["/envy/crates/a-1.0.0", "/envy/build/out"])
    }

    #[test]
    fn files_of_the_crate_and_of_its_build_script_are_known() {
        assert!(check(concat!(
            "/envy/build/target/release/deps/a-1.d: /envy/crates/a-1.0.0/src/lib.rs build.rs /envy/build/out/x\\ y.rs\n",
            "\n",
            "/envy/crates/a-1.0.0/src/lib.rs:\n",
            "# env-dep:CARGO_PKG_VERSION=1.0.0\n",
        )));
        assert!(check("a.d: /envy/crates/a-1.0.0/src/../README.md\n"));
    }

    #[test]
    fn other_files_and_variables_of_one_build_are_not() {
        for text in [
            "a.d: src/lib.rs /envy/src/config.toml\n",
            "a.d: ../b-1.0.0/src/lib.rs\n",
            "a.d: /envy/crates/a-1.0.00/src/lib.rs\n",
            "# env-dep:SOURCE_DATE_EPOCH=1\n",
            "# env-dep:MAKEFLAGS\n",
        ] {
            assert!(!check(text), "{text}");
        }
    }
}
