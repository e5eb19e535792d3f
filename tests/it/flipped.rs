//! One bit flipped, wherever envy keeps something: it is found by who would use it or by `verify`, named, healed, and never
//! installed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::packed::{Files, Tar};
use crate::registry::{Crate, Registry};
use crate::repository::{GitServer, Repository};
use crate::scratch::Scratch;
use crate::verify::{flip, prefix};

/// A built site of four packages: an archive, a commit, a recipe's own, and where it matters a crate.
struct World {
    scratch: Scratch,
    packages: Vec<&'static str>,
    registry: Registry,
    _files: Files,
    _upstream: GitServer,
}

const RECIPE: &str = r#"
summary = "Says where it is"
license = "MIT"

[versions."1.0.0"]

[[step]]
name = "install"
run = "mkdir -p {{ destdir }}{{ prefix }}/etc && echo 'home={{ prefix }}' >{{ destdir }}{{ prefix }}/etc/home"
"#;

/// What the programs of the packages say.
const SAID: [(&str, &str); 3] = [("hello", "hello 1.0.0\n"), ("tool", "tool\n"), ("data", "data\n")];

impl World {
    fn new() -> Self {
        Self::of(&["data", "hello", "home", "tool"])
    }

    fn of(packages: &[&'static str]) -> Self {
        let (registry, files) = (Registry::new(), Files::new());
        registry.publish(Crate::new("name", "1.0.0").lib());
        registry.publish(Crate::new("hello", "1.0.0").dep("name", "1").bin("hello"));
        let scratch = Scratch::with(&registry);
        let upstream = Repository::new(&scratch, "tool");
        let commit = upstream.write("tool", "#!/bin/sh\necho tool\n").commit();
        let upstream = upstream.serve();
        let data = files.put("/data.tar", Tar::new().program("data-1/bin/data", "#!/bin/sh\necho data\n").done());
        let install = r#"params = { run = ["install -D -m 755 tool $OUT/bin/tool"] }"#;
        let tool = format!("{{ git = \"{}\", rev = \"{commit}\", recipe = \"script\", {install} }}", upstream.url());
        let line = |name: &&str| match *name {
            "hello" => "hello = \"1\"\n".to_owned(),
            "data" => format!("data = {{ version = \"1\", {data} }}\n"),
            "tool" => format!("tool = {tool}\n"),
            _ => "home = { recipe = \"home\", version = \"1\" }\n".to_owned(),
        };
        let lines: String = packages.iter().map(line).collect();
        scratch.write("recipes/home.toml", RECIPE).write("envy.toml", format!("[sites.api.dependencies]\n{lines}"));
        scratch.envy("build").succeeds();
        Self { scratch, packages: packages.to_vec(), registry, _files: files, _upstream: upstream }
    }

    fn store(&self) -> PathBuf {
        self.scratch.store()
    }

    /// The programs of the site, and what they say.
    fn said(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        SAID.iter().filter(|(name, _)| self.packages.contains(name))
    }

    /// A file of the store, by kind and digest.
    fn stored(&self, kind: &str, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.store().join(kind).join(&hex[..2]).join(&hex[2..])
    }

    fn lockfile(&self) -> toml::Table {
        self.scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML")
    }

    /// Something that the lockfile records of a package.
    fn locked(&self, package: &str, what: &str) -> String {
        let lockfile = self.lockfile();
        let packages = lockfile["package"].as_array().expect("a list");
        let found = packages.iter().find(|one| one["name"].as_str() == Some(package)).expect("it is locked");
        let value = match what {
            "output" => &found["output"][0]["tree"],
            "action" => &found["output"][0]["action"],
            other => &found[other],
        };
        value.as_str().expect("a text").to_owned()
    }

    fn remove(&self, paths: &str) {
        self.scratch
            .shell()
            .sh(&format!("for it in {paths}; do find $it -type d -exec chmod u+w {{}} +; rm -rf $it; done"))
            .succeeds();
    }

    /// Everything that was installed and built is gone, and what was fetched is here.
    fn forget_outputs(&self) {
        for name in &self.packages {
            fs::remove_file(self.stored("trees", &self.locked(name, "output"))).expect("it is there");
        }
        self.remove(".envy ../data/envy/store/prefixes");
    }

    /// The site works, and is what the lockfile says.
    fn is_right(&self) {
        for (program, said) in self.said() {
            assert_eq!(self.scratch.envy(&format!("run api -- {program}")).succeeds().stdout(), *said);
        }
        self.scratch.envy("verify api").succeeds().never_says("note:");
    }
}

/// Where a bit is flipped, what is gone before that, and who finds it.
struct Case {
    what: &'static str,
    /// What is made ready, so that what is damaged is needed.
    ready: fn(&World),
    damaged: fn(&World) -> PathBuf,
    /// What finds it.
    found_by: &'static str,
    /// A part of what that says, beside the path.
    says: &'static str,
    /// What heals it.
    healed_by: &'static [&'static str],
}

const REPAIR_AND_BUILD: &[&str] = &["store verify --repair", "build --locked"];

const CASES: &[Case] = &[
    Case {
        what: "a file of the prefix, which is a blob too",
        ready: |_| {},
        damaged: |world| prefix(&world.scratch).join("bin/data"),
        found_by: "verify api",
        says: "changed `bin/data`",
        healed_by: &["verify api --repair"],
    },
    Case {
        what: "a file of the prefix that holds its path",
        ready: |_| {},
        damaged: |world| prefix(&world.scratch).join("etc/home"),
        found_by: "verify api",
        says: "changed `etc/home`",
        healed_by: &["verify api --repair"],
    },
    Case {
        what: "the list of what was put where",
        ready: |_| {},
        damaged: |world| prefix(&world.scratch).with_added_extension("patches"),
        found_by: "verify api",
        says: "the prefix `",
        healed_by: &["verify api --repair"],
    },
    Case {
        what: "the blob of an output",
        ready: |world| world.remove(".envy ../data/envy/store/prefixes"),
        damaged: |world| world.stored("blobs", &format!("{}.x", checksum_of("#!/bin/sh\necho data\n"))),
        found_by: "build --locked",
        says: "in the store is damaged",
        healed_by: REPAIR_AND_BUILD,
    },
    Case {
        what: "the tree of an output",
        ready: |world| world.remove(".envy ../data/envy/store/prefixes"),
        damaged: |world| world.stored("trees", &world.locked("tool", "output")),
        found_by: "build --locked",
        says: "in the store is damaged",
        healed_by: REPAIR_AND_BUILD,
    },
    Case {
        what: "the result of an action",
        ready: |_| {},
        damaged: |world| world.stored("results", &world.locked("tool", "action")),
        found_by: "store verify",
        says: "expected the result of an action",
        healed_by: REPAIR_AND_BUILD,
    },
    Case {
        what: "a crate's archive",
        ready: World::forget_outputs,
        damaged: |world| world.stored("blobs", &world.locked("hello", "archive")),
        found_by: "build --locked",
        says: "in the store is damaged",
        healed_by: REPAIR_AND_BUILD,
    },
    Case {
        what: "an archive",
        ready: |world| {
            world.forget_outputs();
            world.remove("../data/envy/store/sources");
        },
        damaged: |world| world.stored("blobs", &world.locked("data", "archive")),
        found_by: "build --locked",
        says: "in the store is damaged",
        healed_by: REPAIR_AND_BUILD,
    },
    Case {
        what: "a file of a source",
        ready: World::forget_outputs,
        damaged: |world| world.stored("blobs", &checksum_of("#!/bin/sh\necho tool\n")),
        found_by: "build --locked",
        says: "in the store is damaged",
        healed_by: REPAIR_AND_BUILD,
    },
    Case {
        what: "an unpacked crate",
        ready: World::forget_outputs,
        damaged: |world| {
            let mut unpacked = Vec::new();
            files(&world.store().join("checkouts"), &mut unpacked);
            unpacked.into_iter().find(|path| path.ends_with("src/lib.rs")).expect("a crate was unpacked")
        },
        found_by: "store verify",
        says: "`checkouts/",
        healed_by: REPAIR_AND_BUILD,
    },
    Case {
        what: "a generation's description",
        ready: |_| {},
        damaged: |world| world.scratch.path(".envy/sites/api/current/generation.json"),
        found_by: "verify api",
        says: "changed `generations/2/generation.json`",
        healed_by: &["verify api --repair"],
    },
    Case {
        what: "a generation's lockfile",
        ready: |_| {},
        damaged: |world| world.scratch.path(".envy/sites/api/current/lockfile"),
        found_by: "verify api",
        says: "changed `generations/2/lockfile`",
        healed_by: &["verify api --repair"],
    },
];

fn checksum_of(text: &str) -> String {
    crate::registry::checksum(text.as_bytes())
}

#[test]
fn a_flipped_bit_is_found_named_and_healed_and_never_installed() {
    for case in CASES {
        let world =
            if case.what.contains("crate") { World::of(&["hello"]) } else { World::of(&["data", "home", "tool"]) };
        let damaged = (case.damaged)(&world);
        (case.ready)(&world);
        flip(&damaged);
        let found = world.scratch.envy(case.found_by);
        assert!(found.code() == 4, "{}: {found}", case.what);
        let name = damaged.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let text = found.text();
        assert!(text.contains(case.says), "{}: {text}", case.what);
        let is_named = text.contains(&name[..7.min(name.len())]) || text.contains("[DIGEST]");
        assert!(is_named || case.says.contains("checkouts"), "{}: {text}", case.what);
        assert!(!text.contains("switched"), "{}: {text}", case.what);
        for command in case.healed_by {
            let healed = world.scratch.envy(command);
            assert!(healed.code() == 0, "{}: {healed}", case.what);
        }
        world.is_right();
        world.scratch.envy("store verify").succeeds();
    }
}

#[test]
fn a_flipped_bit_of_any_digest_of_a_lockfile_is_found_and_healed() {
    let world = World::new();
    let right = world.scratch.read("lockfiles/api.lock");
    let digests: Vec<_> = right.match_indices("sha256:").map(|(at, text)| at + text.len()).collect();
    assert!(digests.len() > 12, "{right}");
    let commit = right.find("commit = \"").expect("one is a commit") + "commit = \"".len();
    for at in digests.into_iter().chain([commit]) {
        let mut flipped = right.clone().into_bytes();
        // 0 and 1, 2 and 3, …, a and c or b and c: one bit.
        flipped[at] ^= if flipped[at] == b'a' { 2 } else { 1 };
        if flipped[at] == b'`' {
            flipped[at] = b'e';
        }
        world.scratch.write("lockfiles/api.lock", &flipped);
        let line = right[..at].lines().count();
        let found = world.scratch.envy("verify api").ends(4).text();
        assert!(found.contains(&format!("found    line {line}: ")), "{found}");
        world.scratch.envy("verify api --repair").succeeds().says("healed `lockfiles/api.lock`");
        assert_eq!(world.scratch.read("lockfiles/api.lock"), right);
    }
    world.is_right();
}

#[test]
fn a_flipped_bit_of_a_lockfile_is_never_installed() {
    let world = World::of(&["data", "home", "tool"]);
    let right = world.scratch.read("lockfiles/api.lock");
    world.remove(".envy ../data/envy/store/prefixes");
    let digests: Vec<_> = right.match_indices("sha256:").map(|(at, text)| at + text.len()).collect();
    for at in digests {
        let mut flipped = right.clone().into_bytes();
        flipped[at] = if flipped[at] == b'4' { b'5' } else { b'4' };
        world.scratch.write("lockfiles/api.lock", &flipped);
        let built = world.scratch.envy("build --locked");
        // What it says of a source is not looked at where the output is here, and the output is the right one.
        assert!([0, 3, 4].contains(&built.code()), "{built}");
        if built.code() == 0 {
            for (program, said) in world.said() {
                let link = world.scratch.path(format!(".envy/sites/api/current/bin/{program}"));
                let outcome = world.scratch.shell().sh(&link.display().to_string());
                assert_eq!(outcome.succeeds().stdout(), *said);
            }
        }
        world.remove(".envy");
    }
    world.scratch.write("lockfiles/api.lock", &right).envy("build --locked").succeeds();
    world.is_right();
}

#[test]
fn a_flipped_bit_of_a_copy_of_an_index_counts_as_none() {
    let world = World::new();
    world.registry.publish(Crate::new("hello", "1.0.1").bin("hello"));
    let right = world.scratch.read("lockfiles/api.lock");
    let copies = only(&world.scratch.root().join("cache/envy/index")).join("crates/hello");
    flip(&copies);
    fs::remove_file(world.scratch.path("lockfiles/api.lock")).expect("it is there");
    world.scratch.envy("lock --offline").ends(5).says("hello");
    // It is asked for as if there were none, and not only for what is new.
    world.registry.forget_requests();
    world.scratch.envy("lock").succeeds().says("+ hello 1.0.1");
    assert!(world.scratch.read("lockfiles/api.lock").contains("1.0.1"));
    world.scratch.write("lockfiles/api.lock", right).envy("build --locked").succeeds();
    world.is_right();
}

#[test]
fn a_flipped_bit_of_a_copy_of_a_repository_is_found_and_the_copy_made_anew() {
    let world = World::of(&["tool"]);
    let mirror = only(&world.scratch.root().join("cache/envy/git"));
    let mut objects = Vec::new();
    files(&mirror.join("objects"), &mut objects);
    objects.retain(|path| path.extension().is_none_or(|it| it != "idx" && it != "rev"));
    assert!(!objects.is_empty());
    for object in objects {
        world.forget_outputs();
        world.remove("../data/envy/store/sources ../data/envy/store/blobs ../data/envy/store/results");
        flip(&object);
        world.scratch.envy("build --locked --offline").ends(1).says("could not read the repository");
        world.scratch.envy("build --locked").succeeds().says("is damaged, and made anew");
        world.is_right();
    }
}

/// The only directory in one.
fn only(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).expect("it is there").map(|entry| entry.expect("it can be read").path());
    entries
        .filter(|path| path.is_dir())
        .max_by_key(|path| fs::read_dir(path).map_or(0, Iterator::count))
        .expect("one is there")
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}
