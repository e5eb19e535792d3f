//! Holds the order of the rooms: a room uses only rooms that stand before it.

#![allow(clippy::disallowed_methods, reason = "this reads the project's own sources")]

use std::path::{Path, PathBuf};

/// Ground floor first. Values that stand on one floor know each other only downwards too.
const ROOMS: &[&str] = &[
    "digest",
    "package",
    "platform",
    "placeholder",
    "tree",
    "progress",
    "disk",
    "process",
    "download",
    "store",
    "manifest",
    "source",
    "recipe",
    "resolve",
    "index",
    "lock",
    "build",
    "remote",
    "bundle",
    "export",
    "site",
    "failure",
    "ui",
    "cmd",
    "cli",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn room(path: &Path) -> String {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that a source file names by `crate::`.
fn uses(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for piece in text.split("crate::").skip(1) {
        if let Some(inner) = piece.strip_prefix('{') {
            // A braced list names a room at each part that is not nested further.
            let mut depth = 0;
            let list: String = inner
                .chars()
                .take_while(|&c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth >= 0
                })
                .collect();
            let mut depth = 0;
            for part in list.split(|c: char| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                c == ',' && depth == 0
            }) {
                rooms.push(part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        } else {
            rooms.push(piece.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
}

#[test]
fn rooms_use_only_rooms_before_them() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = Vec::new();
    for file in files {
        let here = room(&file);
        if matches!(here.as_str(), "main" | "lib") {
            continue;
        }
        let own = place(&here).unwrap_or_else(|| panic!("`{here}` is a room that the list does not know"));
        for used in uses(&std::fs::read_to_string(&file).unwrap()) {
            let Some(other) = place(&used) else { continue };
            if other > own {
                wrong.push(format!("{}: `{here}` uses `{used}`, which stands after it", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let lines = |file: &PathBuf| std::fs::read_to_string(file).unwrap().lines().count();
    let long: Vec<_> = files.iter().filter(|file| lines(file) > 500).collect();
    assert!(long.is_empty(), "a noun may be hiding in {long:?}");
}

#[test]
fn uses_are_found() {
    assert_eq!(uses("use crate::disk;"), ["disk"]);
    assert_eq!(uses("use crate::{disk, store::{self, Store}, ui};"), ["disk", "store", "ui"]);
}
