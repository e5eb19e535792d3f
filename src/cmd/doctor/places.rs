//! Where envy keeps things: whether it may, whether the file system can, and whether there is room.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::cmd::context::Context;
use crate::cmd::project::Project;
use crate::disk::{self, Faculties, Room};
use crate::failure::Failure;
use crate::failure::in_one_line;
use crate::process;
use crate::store;
use crate::ui::bytes;

/// Less than this is no room to work in.
const LEAST: u64 = 100_000_000;
const LITTLE: u64 = 2_000_000_000;
const LEAST_FILES: u64 = 2_000;
const LITTLE_FILES: u64 = 50_000;

/// A directory that envy uses.
struct Use {
    name: &'static str,
    path: PathBuf,
    /// Whether programs are run from there.
    programs: bool,
    /// Whether much is kept there.
    much: bool,
}

/// The store, the cache, the sites, the project, and the place for temporary files.
pub fn look(context: &Context<'_>, project: Option<&Project>) -> Result<Vec<Finding>, Failure> {
    let store = context.store()?.root().to_owned();
    let mut uses = vec![
        Use { name: "store", path: store.clone(), programs: true, much: true },
        Use { name: "cache", path: context.cache()?, programs: true, much: true },
        Use { name: "temporary", path: process::temporary_directory(), programs: false, much: false },
    ];
    if let Some(project) = project {
        uses.push(Use { name: "sites", path: project.sites.clone(), programs: false, much: false });
        uses.push(Use { name: "project", path: project.root.clone(), programs: false, much: false });
    }
    let mut findings = Vec::new();
    for one in &uses {
        findings.extend(of(one));
    }
    findings.extend(path_of_store(&store));
    findings.extend(devices(&uses));
    Ok(findings)
}

fn of(one: &Use) -> Vec<Finding> {
    let there = disk::nearest_directory(&one.path);
    let (name, path) = (one.name, one.path.display());
    if disk::exists(&one.path) && !disk::is_directory(&one.path) {
        return vec![Finding::missing(name, format!("`{path}` is no directory")).hint(elsewhere(name))];
    }
    let room = match disk::room(&there) {
        Ok(room) => room,
        Err(error) => return vec![Finding::missing(name, in_one_line(&error)).hint(elsewhere(name))],
    };
    let unwritable = match (room.read_only, disk::may_write(&there)) {
        (true, _) => Some(format!("`{path}` is on a file system that is read-only")),
        (_, false) => Some(format!("`{}` may not be written to by this user", there.display())),
        (false, true) => None,
    };
    if let Some(text) = unwritable {
        // Nothing is written beside a lockfile that is used as it is.
        let finding = match name {
            "project" => Finding::note(name, format!("{text}: nothing can be locked; `envy build --locked` works")),
            _ => Finding::missing(name, text),
        };
        return vec![finding.hint(elsewhere(name))];
    }
    let faculties = match disk::faculties(&there) {
        Ok(faculties) => faculties,
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            return vec![Finding::missing(name, in_one_line(&error)).hint(FREE)];
        }
        Err(error) => return vec![Finding::missing(name, in_one_line(&error)).hint(elsewhere(name))],
    };
    let lacks = [lacks(one, &room, faculties), space(one, &room)].concat();
    let fine = || vec![Finding::ok(name, format!("`{path}`: {}", described(&room, faculties)))];
    if lacks.is_empty() { fine() } else { lacks }
}

fn elsewhere(name: &str) -> String {
    let hint = match name {
        "store" => "give it another place: `ENVY_STORE`",
        "cache" => "give it another place: `ENVY_CACHE`",
        "temporary" => "give temporary files another place: `TMPDIR`",
        "sites" => "give them another place: `--sites-dir` or `ENVY_SITES`",
        _ => "let this user write there",
    };
    hint.to_owned()
}

/// In what a file system is not what envy needs.
fn lacks(one: &Use, room: &Room, faculties: Faculties) -> Vec<Finding> {
    let (name, path) = (one.name, one.path.display());
    let mut lacks = Vec::new();
    let mut lack = |needed, what: &str| {
        lacks.push(Finding::lack(needed, name, format!("the file system of `{path}` {what}")).hint(elsewhere(name)));
    };
    if room.no_programs && one.programs {
        lack(true, "is mounted with `noexec`: nothing can be run from there");
    }
    if !faculties.symlinks {
        lack(true, "has no symlinks");
    }
    if !faculties.locks {
        lack(true, "has no locks, so that processes cannot keep out of each other's way");
    }
    if !faculties.tells_case {
        lack(name == "store", "does not tell `a` from `A`");
    }
    if !faculties.links && name == "store" {
        lack(false, "has no hard links: every prefix is a copy");
    }
    lacks
}

fn space(one: &Use, room: &Room) -> Vec<Finding> {
    let (name, path, free) = (one.name, one.path.display(), bytes(room.bytes));
    let mut findings = Vec::new();
    let (least, little) = if one.much { (LEAST, LITTLE) } else { (LEAST / 10, 0) };
    if room.bytes < little.max(least) {
        let text = format!("`{path}` has only {free} left");
        findings.push(Finding::lack(room.bytes < least, name, text).hint(FREE));
    }
    if let Some(files) = room.files.filter(|files| *files < if one.much { LITTLE_FILES } else { LEAST_FILES }) {
        let text = format!("`{path}` has room for only {files} more files (inodes)");
        findings.push(Finding::lack(files < LEAST_FILES, name, text).hint(FREE));
    }
    findings
}

const FREE: &str = "free some space; `envy gc --dry-run` says what the store could do without";

fn described(room: &Room, faculties: Faculties) -> String {
    let mut words = vec![format!("{} free", bytes(room.bytes))];
    words.extend(room.files.map(|files| format!("{files} files")));
    words.extend(faculties.links.then(|| "hard links".to_owned()));
    words.extend(faculties.clones.then(|| "clones of files".to_owned()));
    words.join(", ")
}

fn path_of_store(store: &Path) -> Option<Finding> {
    let length = store.as_os_str().len();
    (length > store::LONGEST_ROOT).then(|| {
        let text = format!(
            "its path has {length} bytes; packages that hold the path of their prefix need one of at most {}",
            store::LONGEST_ROOT
        );
        Finding::note("store", text).hint("name a shorter one: `ENVY_STORE=/srv/envy`")
    })
}

/// Things on other file systems are copied where they could be renamed.
fn devices(uses: &[Use]) -> Option<Finding> {
    let device = |name: &str| {
        let one = uses.iter().find(|one| one.name == name)?;
        disk::room(&disk::nearest_directory(&one.path)).ok().map(|room| room.device)
    };
    let (store, sites) = (device("store")?, device("sites")?);
    let text = "sites and store are on different file systems: if that of the store is not there, no site works";
    (store != sites).then(|| Finding::note("sites", text))
}
