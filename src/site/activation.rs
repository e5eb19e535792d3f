//! Activation: the variables that make a prefix usable, as values and as plain scripts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Generation, Place};
use crate::disk;
use crate::manifest::expand;

/// The variables that make a generation usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The directory that goes first on the PATH.
    pub bin: PathBuf,
    /// What is set beside the PATH, sorted.
    pub variables: BTreeMap<String, String>,
}

impl Activation {
    /// The variables for a generation of a site.
    pub fn of(place: &Place, generation: &Generation) -> Self {
        let prefix = place.generation_path(generation.number);
        let mut variables = expanded(place, generation, &prefix);
        let own = [
            ("ENVY_SITE", generation.site.clone()),
            ("ENVY_PREFIX", prefix.display().to_string()),
            ("ENVY_GENERATION", generation.number.to_string()),
        ];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        for (name, value) in for_compilers(&prefix) {
            variables.entry(name.to_owned()).or_insert(value);
        }
        Self { bin: prefix.join("bin"), variables }
    }

    /// An environment with these variables in it.
    pub fn environment(&self, mut inherited: BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
        let path = self.path(inherited.get(OsStr::new("PATH")).map(OsString::as_os_str));
        inherited.insert("PATH".into(), path);
        inherited.extend(self.variables.iter().map(|(name, value)| (name.into(), value.into())));
        inherited
    }

    /// A PATH with the prefix's programs first.
    pub fn path(&self, inherited: Option<&OsStr>) -> OsString {
        let mut path = self.bin.clone().into_os_string();
        if let Some(inherited) = inherited.filter(|inherited| !inherited.is_empty()) {
            path.push(":");
            path.push(inherited);
        }
        path
    }
}

/// What compilers and cargo's build scripts need to find the libraries of a prefix, where it has any to compile against.
/// They are the variables that builds of the site's own packages have.
fn for_compilers(prefix: &Path) -> Vec<(&'static str, String)> {
    if !disk::is_directory(&prefix.join("include")) {
        return Vec::new();
    }
    let below = |path: &str| prefix.join(path).display().to_string();
    vec![
        ("CMAKE_PREFIX_PATH", prefix.display().to_string()),
        ("CPLUS_INCLUDE_PATH", below("include")),
        ("C_INCLUDE_PATH", below("include")),
        ("LIBRARY_PATH", below("lib")),
        ("PKG_CONFIG_PATH", format!("{}:{}", below("lib/pkgconfig"), below("share/pkgconfig"))),
    ]
}

fn expanded(place: &Place, generation: &Generation, prefix: &Path) -> BTreeMap<String, String> {
    let known = |name: &str| match name {
        "prefix" => Some(prefix.display().to_string()),
        "site" => Some(generation.site.clone()),
        "var" => Some(place.var().display().to_string()),
        name => generation.vars.get(name).cloned(),
    };
    generation.env.iter().map(|(name, value)| (name.clone(), expand(value, known))).collect()
}

/// A text as one word of a POSIX shell, and of fish.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "'\\''"))
}

fn posix_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The names of the scripts.
pub(super) const SCRIPTS: [&str; 2] = ["activate", "activate.fish"];

/// The scripts that activate what a site shows, by their names. They follow `current`, so they need not be read
/// again after a switch, but for variables of the site's own, which are those of the generation given.
pub fn scripts(place: &Place, generation: &Generation) -> Vec<(&'static str, String)> {
    let current = place.current_link();
    let mut variables = expanded(place, generation, &current);
    variables.insert("ENVY_SITE".to_owned(), generation.site.clone());
    variables.insert("ENVY_PREFIX".to_owned(), current.display().to_string());
    variables.insert("ENVY_GENERATION".to_owned(), generation.number.to_string());
    for (name, value) in for_compilers(&current) {
        variables.entry(name.to_owned()).or_insert(value);
    }
    let bin = current.join("bin").display().to_string();
    let [sh, fishy] = SCRIPTS;
    vec![(sh, posix(&bin, &variables)), (fishy, fish(&bin, &variables))]
}

/// Those of the scripts that are not what they should be, as they should be.
pub fn stale_scripts(place: &Place, generation: &Generation) -> Vec<(&'static str, String)> {
    let mut scripts = scripts(place, generation);
    scripts.retain(|(name, text)| {
        let there = disk::read_if_exists(&place.path().join(name)).ok().flatten();
        there.as_deref() != Some(text.as_bytes())
    });
    scripts
}

fn posix(bin: &str, variables: &BTreeMap<String, String>) -> String {
    let mut set = String::new();
    let mut restore = String::new();
    for (name, value) in variables {
        set.push_str(&format!(
            "_ENVY_OLD_{name}=\"${{{name}-}}\"; _ENVY_HAD_{name}=\"${{{name}+x}}\"\nexport {name}={}\n",
            posix_quote(value)
        ));
        restore.push_str(&format!(
            "    if [ -n \"$_ENVY_HAD_{name}\" ]; then export {name}=\"$_ENVY_OLD_{name}\"; else unset {name}; fi\n    unset _ENVY_OLD_{name} _ENVY_HAD_{name}\n"
        ));
    }
    format!(
        "# This file is generated by envy. Use it by `. activate`; `deactivate` undoes it.\n\
         if [ -n \"${{_ENVY_OLD_PATH-}}\" ]; then deactivate; fi\n\
         _ENVY_OLD_PATH=\"$PATH\"\nexport PATH={}:\"$PATH\"\n{set}\
         deactivate() {{\n    export PATH=\"$_ENVY_OLD_PATH\"; unset _ENVY_OLD_PATH\n{restore}    unset -f deactivate\n    hash -r 2>/dev/null || true\n}}\n\
         hash -r 2>/dev/null || true\n",
        posix_quote(bin)
    )
}

fn fish(bin: &str, variables: &BTreeMap<String, String>) -> String {
    let mut set = String::new();
    let mut restore = String::new();
    for (name, value) in variables {
        set.push_str(&format!("set -q {name}; and set -g _ENVY_OLD_{name} ${name}\nset -gx {name} {}\n", quote(value)));
        restore.push_str(&format!(
            "    if set -q _ENVY_OLD_{name}; set -gx {name} $_ENVY_OLD_{name}; set -e _ENVY_OLD_{name}; else; set -e {name}; end\n"
        ));
    }
    format!(
        "# This file is generated by envy. Use it by `source activate.fish`; `deactivate` undoes it.\n\
         functions -q deactivate; and set -q _ENVY_OLD_PATH; and deactivate\n\
         set -g _ENVY_OLD_PATH $PATH\nset -gx PATH {} $PATH\n{set}\
         function deactivate\n    set -gx PATH $_ENVY_OLD_PATH; set -e _ENVY_OLD_PATH\n{restore}    functions -e deactivate\nend\n",
        quote(bin)
    )
}
