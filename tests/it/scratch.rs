//! A world for one test: a home, a store, a project and an environment in which nothing else is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, io};

use tempfile::TempDir;

use crate::outcome::Outcome;
use crate::registry::{Registry, checksum};

/// The program that is tested.
pub const ENVY: &str = env!("CARGO_BIN_EXE_envy");

/// A temporary directory with all that a user has, and the ways to run programs in it.
///
/// ```text
/// project/    where programs start and what `path`, `read` and `write` are relative to
/// home/       with a .gitconfig
/// data/ cache/ config/ state/     the XDG directories; the store is data/envy/store
/// cargo/      CARGO_HOME, whose config.toml puts the test's registry in place of `crates-io`
/// tmp/        TMPDIR
/// ```
///
/// Of the environment there remain PATH and, of rustup, where its toolchains are and which one runs the tests.
pub struct Scratch {
    root: PathBuf,
    // Removes the directory, after `drop` below has made that possible.
    _directory: TempDir,
}

impl Scratch {
    /// A world without any registry: `crates-io` is a port on which nobody listens.
    pub fn new() -> Self {
        Self::on("sparse+http://127.0.0.1:9/index/")
    }

    /// A world in which a registry is what cargo calls `crates-io`.
    pub fn with(registry: &Registry) -> Self {
        Self::on(&registry.index())
    }

    fn on(index: &str) -> Self {
        let mut directory = tempfile::Builder::new().prefix("envy-").tempdir().expect("there is room for a directory");
        let root = directory.path().canonicalize().expect("it was just made");
        if env::var_os("ENVY_KEEP_SCRATCH").is_some() {
            directory.disable_cleanup(true);
            eprintln!("scratch is kept: {}", root.display());
        }
        let scratch = Self { root, _directory: directory };
        for name in ["project", "home", "data", "cache", "config", "state", "cargo", "tmp"] {
            scratch.directory(&scratch.root.join(name));
        }
        scratch.write("../home/.gitconfig", GITCONFIG);
        scratch.write(
            "../cargo/config.toml",
            format!("[source.crates-io]\nreplace-with = \"local\"\n\n[source.local]\nregistry = \"{index}\"\n"),
        );
        scratch.remember_compilers();
        scratch
    }

    /// To hash the compilers of this host takes a second, so tests tell each other what came of it: envy's memo is
    /// taken over from the test before. It holds for files that were not touched since, as in a user's cache.
    fn remember_compilers(&self) {
        let memo = self.root.join("cache/envy/identity.json");
        self.directory(memo.parent().expect("a file is in a directory"));
        // Without it, things are only slower.
        let _ = fs::copy(MEMO, &memo);
        // Copies of the tools of this host are the same for all tests, and large.
        self.directory(Path::new(COPIES));
        symlink(COPIES, memo.with_file_name("host")).expect("nothing is there yet");
    }

    fn share_memo(&self) {
        let Ok(memo) = fs::read_to_string(self.root.join("cache/envy/identity.json")) else { return };
        let of_this_test = self.root.to_str().is_none_or(|root| memo.contains(root));
        if !of_this_test && fs::read_to_string(MEMO).ok().as_ref() != Some(&memo) {
            let new = format!("{MEMO}.{}", self.root.file_name().unwrap_or_default().to_string_lossy());
            let _ = fs::write(&new, memo).and_then(|()| fs::rename(new, MEMO));
        }
    }

    /// The directory of everything, `[SCRATCH]` in expectations.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the project.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join("project").join(path)
    }

    /// `$XDG_DATA_HOME/envy/store`
    pub fn store(&self) -> PathBuf {
        self.root.join("data/envy/store")
    }

    /// Writes a file of the project, and the directories above it.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        self.directory(path.parent().expect("a file is in a directory"));
        fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        self
    }

    /// A file of the project.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Runs envy in the project: `scratch.envy("lock api --check")`. Quotes as in a shell, nothing else is.
    #[track_caller]
    pub fn envy(&self, arguments: &str) -> Outcome {
        self.shell().envy(arguments)
    }

    /// envy ready to be started, for tests that watch it or kill it. Nothing is piped.
    #[track_caller]
    pub fn envy_command(&self, arguments: &str) -> Command {
        self.shell().envy_command(arguments)
    }

    /// Where programs start in the project; see [`Shell`] for what can be changed.
    pub fn shell(&self) -> Shell<'_> {
        Shell { scratch: self, directory: self.path(""), variables: self.environment() }
    }

    /// As [`Scratch::shell`], in a directory below the project.
    pub fn in_dir(&self, path: impl AsRef<Path>) -> Shell<'_> {
        self.shell().in_dir(path)
    }

    /// As [`Scratch::shell`], with a variable.
    pub fn env(&self, name: &str, value: impl Into<OsString>) -> Shell<'_> {
        self.shell().env(name, value)
    }

    /// As [`Scratch::shell`], on a host that has no Rust.
    pub fn without_rust(&self) -> Shell<'_> {
        self.shell().without_rust()
    }

    /// Everything below a directory (relative to the project, or absolute), to be compared with a later one. Where
    /// there is no directory, there is nothing in it.
    #[track_caller]
    pub fn snapshot(&self, directory: impl AsRef<Path>) -> Snapshot {
        let directory = self.path(directory);
        let mut entries = BTreeMap::new();
        if directory.exists() {
            survey(&directory, Path::new(""), &mut entries)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", directory.display()));
        }
        Snapshot(entries)
    }

    #[track_caller]
    fn directory(&self, path: &Path) {
        fs::create_dir_all(path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
    }

    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut variables: BTreeMap<OsString, OsString> = DIRECTORIES
            .into_iter()
            .map(|(variable, directory)| (variable.into(), self.root.join(directory).into()))
            .collect();
        variables.insert("PATH".into(), env::var_os("PATH").unwrap_or_default());
        variables.insert("LC_ALL".into(), "C.UTF-8".into());
        variables.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
        // No test is the reason that a toolchain is downloaded.
        variables.insert("RUSTUP_AUTO_INSTALL".into(), "0".into());
        if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
            variables.insert("RUSTUP_TOOLCHAIN".into(), toolchain);
        }
        if let Some(home) = rustup_home() {
            variables.insert("RUSTUP_HOME".into(), home.into());
        }
        variables
    }
}

/// What tells programs to stay in the scratch directory.
const DIRECTORIES: [(&str, &str); 7] = [
    ("HOME", "home"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_STATE_HOME", "state"),
    ("CARGO_HOME", "cargo"),
    ("TMPDIR", "tmp"),
];

/// The copies that envy makes of this host's tools, from test to test.
const COPIES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/host");

/// What envy knows of this host's compilers, from test to test.
const MEMO: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/identity.json");

const GITCONFIG: &str = "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n";

fn rustup_home() -> Option<PathBuf> {
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(".rustup"));
    env::var_os("RUSTUP_HOME").map(PathBuf::from).or_else(usual)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.share_memo();
        // What cannot be made removable is left to the system's own cleaning of temporary directories.
        let _ = make_removable(&self.root);
    }
}

fn make_removable(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_removable(&entry.path())?;
        }
    }
    Ok(())
}

/// Where and with which variables programs run.
#[derive(Clone)]
pub struct Shell<'a> {
    scratch: &'a Scratch,
    directory: PathBuf,
    variables: BTreeMap<OsString, OsString>,
}

impl Shell<'_> {
    /// In a directory of the project, which is made if it isn't there.
    #[track_caller]
    pub fn in_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.directory = self.directory.join(path);
        self.scratch.directory(&self.directory);
        self
    }

    /// With a variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Without a variable.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.variables.remove(&OsString::from(name));
        self
    }

    /// On a host that has no Rust: no rustc, cargo or rustup on PATH, nothing in the home, no toolchains. The store
    /// and cargo's configuration are what they were.
    #[track_caller]
    pub fn without_rust(mut self) -> Self {
        let root = self.scratch.root.join("without-rust");
        let path = self.variables.get(&OsString::from("PATH")).cloned().unwrap_or_default();
        let directories = env::split_paths(&path).enumerate();
        let kept: Vec<_> = directories.map(|(place, it)| hide_rust(&it, &root.join(format!("bin{place}")))).collect();
        self.variables.insert("PATH".into(), env::join_paths(kept).expect("they were joined before"));
        for (variable, name) in [("HOME", "home"), ("RUSTUP_HOME", "rustup")] {
            self.scratch.directory(&root.join(name));
            self.variables.insert(variable.into(), root.join(name).into());
        }
        self.env_remove("RUSTUP_TOOLCHAIN")
    }

    /// Puts a directory first on PATH.
    pub fn first_on_path(mut self, directory: &Path) -> Self {
        let path = self.variables.get(&OsString::from("PATH")).cloned().unwrap_or_default();
        let directories = [directory.to_owned()].into_iter().chain(env::split_paths(&path));
        self.variables.insert("PATH".into(), env::join_paths(directories).expect("they were joined before"));
        self
    }

    /// Runs envy.
    #[track_caller]
    pub fn envy(&self, arguments: &str) -> Outcome {
        self.outcome(self.envy_command(arguments), &format!("envy {arguments}"))
    }

    /// envy ready to be started.
    #[track_caller]
    pub fn envy_command(&self, arguments: &str) -> Command {
        self.command(ENVY, arguments)
    }

    /// Runs cargo.
    #[track_caller]
    pub fn cargo(&self, arguments: &str) -> Outcome {
        self.outcome(self.command("cargo", arguments), &format!("cargo {arguments}"))
    }

    /// Runs lines of shell.
    #[track_caller]
    pub fn sh(&self, script: &str) -> Outcome {
        let mut command = self.command("sh", "-c");
        command.arg(script);
        self.outcome(command, script)
    }

    #[track_caller]
    fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(words(arguments)).current_dir(&self.directory).env_clear().envs(&self.variables);
        command
    }

    #[track_caller]
    fn outcome(&self, command: Command, name: &str) -> Outcome {
        Outcome::of(command, name, &self.scratch.root)
    }
}

/// The directory itself, or where Rust is in it, another with links to all the rest.
fn hide_rust(directory: &Path, instead: &Path) -> PathBuf {
    const RUST: [&str; 3] = ["cargo", "rustc", "rustup"];
    if !RUST.iter().any(|program| directory.join(program).exists()) {
        return directory.to_owned();
    }
    let hide = || -> io::Result<()> {
        fs::create_dir_all(instead)?;
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let (name, link) = (entry.file_name(), instead.join(entry.file_name()));
            let of_rust = ["cargo", "rust", "clippy"].iter().any(|it| name.to_string_lossy().starts_with(it));
            if !of_rust && !link.is_symlink() {
                symlink(entry.path(), link)?;
            }
        }
        Ok(())
    };
    hide().unwrap_or_else(|error| panic!("cannot hide Rust in {}: {error}", directory.display()));
    instead.to_owned()
}

/// Words with spaces between them; `'…'` and `"…"` hold spaces.
#[track_caller]
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\n') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    assert!(quote.is_none(), "a quote is not closed in: {line}");
    words.extend(word);
    words
}

/// What was in a directory: path → mode and content.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, (u32, String)>);

impl Snapshot {
    /// One line for each entry that differs, `-` as it was and `+` as it is.
    pub fn differences(&self, now: &Self) -> String {
        let lost = self.iter().filter(|(path, entry)| now.get(*path) != Some(entry)).map(|it| ('-', it));
        let new = now.iter().filter(|(path, entry)| self.get(*path) != Some(entry)).map(|it| ('+', it));
        let mut all: Vec<_> = lost.chain(new).collect();
        all.sort_by_key(|(sign, (path, _))| (*path, *sign == '+'));
        let line = |(sign, (path, (mode, content))): &(_, (&PathBuf, &(u32, String)))| {
            format!("{sign} {mode:04o} {} {content}\n", path.display())
        };
        all.iter().map(line).collect()
    }

    /// Fails with the differences, if there are any.
    #[track_caller]
    pub fn is_still(&self, now: &Self) {
        assert!(self == now, "was to stay as it is, but:\n{}", self.differences(now));
    }
}

impl Deref for Snapshot {
    type Target = BTreeMap<PathBuf, (u32, String)>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self(BTreeMap::new()).differences(self))
    }
}

fn survey(root: &Path, below: &Path, entries: &mut BTreeMap<PathBuf, (u32, String)>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let path = below.join(entry?.file_name());
        let metadata = fs::symlink_metadata(root.join(&path))?;
        let content = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(root.join(&path))?.display())
        } else if metadata.is_dir() {
            survey(root, &path, entries)?;
            "directory".to_owned()
        } else if metadata.is_file() {
            format!("sha256:{}", checksum(&fs::read(root.join(&path))?))
        } else {
            "neither file, directory nor link".to_owned()
        };
        entries.insert(path, (metadata.mode() & 0o7777, content));
    }
    Ok(())
}
