//! Archives as upstream publishes them, patches as Debian keeps them, programs as their vendors build them.
//!
//! `.ci/bring` puts them into `target/real-input`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Fault, Response, Server};
use crate::{World, text};

/// What a Debian package is made of: the archive of upstream, and Debian's changes.
struct Upstream {
    name: String,
    version: String,
    /// The file name of upstream's archive.
    archive: String,
    /// Its sum, as the package's description says.
    sum: String,
    /// The file name of Debian's changes.
    changes: Option<String>,
}

fn input(kind: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real-input").join(kind);
    assert!(directory.join("whole").exists(), "`.ci/bring` has to bring what belongs into {}", directory.display());
    directory
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn upstreams() -> Vec<Upstream> {
    let directory = input("debian");
    let descriptions = files(&directory).into_iter().filter(|name| name.ends_with(".dsc"));
    let read = |name: String| upstream(&std::fs::read_to_string(directory.join(name)).unwrap());
    let found: Vec<_> = descriptions.map(read).collect();
    assert!(found.len() >= 8, "only {} packages are there", found.len());
    found
}

/// What a `.dsc` says.
fn upstream(description: &str) -> Upstream {
    let sums = description.split("\nChecksums-Sha256:").nth(1).unwrap().lines().skip(1);
    let sums: Vec<Vec<&str>> =
        sums.take_while(|line| line.starts_with(' ')).map(|line| line.split_whitespace().collect()).collect();
    let named = |is: &dyn Fn(&str) -> bool| sums.iter().find(|sum| is(sum[2]));
    let archive = named(&|file| file.contains(".orig.tar.") && !file.ends_with(".asc")).unwrap();
    let changes = named(&|file| file.contains(".debian.tar.") || file.ends_with(".diff.gz"));
    let (name, rest) = archive[2].split_once('_').unwrap();
    Upstream {
        name: name.to_owned(),
        version: rest.split_once(".orig.tar.").unwrap().0.to_owned(),
        archive: archive[2].to_owned(),
        sum: archive[0].to_owned(),
        changes: changes.map(|changes| changes[2].to_owned()),
    }
}

impl Upstream {
    /// The table of `envy.toml` that installs all of it, from below an address.
    fn table(&self, base: &str, more: &str) -> String {
        let Self { name, version, archive, sum, .. } = self;
        let file = archive.replace(version.as_str(), "{version}");
        let install = format!("install = {{ \"share/src/{{name}}\" = \".\" }}\n{more}");
        format!(
            "[sites.all.dependencies.{name}]\nurl = \"{base}/{file}\"\nversion = \"{version}\"\nsha256 = \"{sum}\"\n{install}\n"
        )
    }

    /// What `tar` makes of it.
    fn unpacked(&self, into: &Path) -> PathBuf {
        let into = into.join(&self.name);
        std::fs::create_dir_all(&into).unwrap();
        let archive = input("debian").join(&self.archive);
        run(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&into).arg("--strip-components=1"));
        into
    }

    /// Debian's patches of it, in their order, as names of files below a directory.
    fn patches(&self, into: &Path) -> Vec<String> {
        let Some(changes) = &self.changes else { return Vec::new() };
        let file = input("debian").join(changes);
        let into = into.join(&self.name);
        std::fs::create_dir_all(&into).unwrap();
        if changes.ends_with(".diff.gz") {
            let diff = run(Command::new("gzip").arg("-dc").arg(file));
            std::fs::write(into.join("all.diff"), diff).unwrap();
            return vec!["all.diff".to_owned()];
        }
        run(Command::new("tar").arg("-xf").arg(file).arg("-C").arg(&into).arg("--strip-components=1"));
        let series = std::fs::read_to_string(into.join("patches/series")).unwrap_or_default();
        let lines = series.lines().map(|line| line.split('#').next().unwrap().trim());
        lines.filter(|line| !line.is_empty()).map(|line| format!("patches/{line}")).collect()
    }
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{}{said}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

/// The files of a directory: what each holds, and whether it is executable.
fn contents(directory: &Path) -> BTreeMap<PathBuf, (bool, Vec<u8>)> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::metadata(&path).unwrap();
            if metadata.is_dir() {
                todo.push(path);
            } else {
                let executable = metadata.permissions().mode() & 0o100 != 0;
                let name = path.strip_prefix(directory).unwrap().to_owned();
                found.insert(name, (executable, std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn assert_same(found: &Path, expected: &Path) {
    let (found_files, expected_files) = (contents(found), contents(expected));
    let names = |all: &BTreeMap<PathBuf, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found_files), names(&expected_files), "{} and {}", found.display(), expected.display());
    let differ = |(name, file): (&PathBuf, &_)| (expected_files[name] != *file).then(|| name.clone());
    let different: Vec<_> = found_files.iter().filter_map(differ).collect();
    assert!(different.is_empty(), "{different:?} differ in {} and {}", found.display(), expected.display());
}

/// A project with these packages in its one site, `all`.
fn project(world: &World, text: &str) {
    std::fs::write(world.path("project/envy.toml"), format!("[project]\nname = \"archives\"\n\n{text}")).unwrap();
}

fn tables(upstreams: &[Upstream], base: &str) -> String {
    upstreams.iter().map(|upstream| upstream.table(base, "")).collect()
}

fn installed(world: &World, name: &str) -> PathBuf {
    world.path("project/.envy/sites/all/current/share/src").join(name)
}

/// What the lockfile pins of each package.
fn pinned(world: &World) -> BTreeMap<String, String> {
    let lockfile: toml::Table = world.lockfile("all").parse().unwrap();
    let packages = lockfile["package"].as_array().unwrap();
    let pin = |package: &toml::Value| {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        (text("name"), text("archive"))
    };
    packages.iter().map(pin).collect()
}

fn sums(upstreams: &[Upstream]) -> BTreeMap<String, String> {
    upstreams.iter().map(|one| (one.name.clone(), format!("sha256:{}", one.sum))).collect()
}

#[test]
fn upstream_archives_are_what_tar_makes_of_them() {
    let Some(world) = World::new() else { return };
    let upstreams = upstreams();
    for format in ["gz", "bz2", "xz"] {
        assert!(upstreams.iter().any(|one| one.archive.ends_with(format)), "none is packed by {format}");
    }
    project(&world, &tables(&upstreams, &format!("file://{}", input("debian").display())));

    world.envy("build");

    world.envy("lock --check");
    assert_eq!(pinned(&world), sums(&upstreams));
    for upstream in &upstreams {
        assert_same(&installed(&world, &upstream.name), &upstream.unpacked(&world.path("unpacked")));
    }
}

/// A server of the files that Debian's packages are made of.
fn mirror() -> Server {
    let directory = input("debian");
    Server::start(move |request| match std::fs::read(directory.join(request.path.trim_start_matches('/'))) {
        Ok(bytes) => Response::ok(bytes),
        Err(_) => Response::status(404),
    })
}

/// Those that are unpacked in no time.
fn small_ones() -> Vec<Upstream> {
    let mut found = upstreams();
    found.retain(|one| !["curl", "openssl"].contains(&one.name.as_str()));
    found
}

fn mirrored(server: &Server, upstreams: &[Upstream]) -> String {
    let mirrors = format!("[mirrors]\n\"https://download.example.org/\" = \"http://{}/\"\n\n", server.address());
    mirrors + &tables(upstreams, "https://download.example.org")
}

/// A world with the same project, whose store and cache are its own.
fn elsewhere(world: &World) -> World {
    let other = World::new().expect("this is asked for");
    run(Command::new("cp")
        .arg("-r")
        .args(["envy.toml", "lockfiles"])
        .arg(other.path("project"))
        .current_dir(world.path("project")));
    other
}

#[test]
fn what_a_mirror_sent_is_built_where_no_network_is() {
    let Some(world) = World::new() else { return };
    let (upstreams, server) = (small_ones(), mirror());
    project(&world, &mirrored(&server, &upstreams));
    world.envy("lock");
    let locked = world.lockfile("all");
    assert!(!locked.contains("127.0.0.1"), "{locked}");
    assert_eq!(pinned(&world), sums(&upstreams));

    let other = elsewhere(&world);
    other.envy("fetch");
    server.go_away();
    let mut fenced = other.command(Path::new("unshare"), "-rn");
    text("unshare", &fenced.arg(env!("CARGO_BIN_EXE_envy")).args(["build", "--frozen"]).output().unwrap());

    for upstream in &upstreams {
        assert_same(&installed(&other, &upstream.name), &upstream.unpacked(&other.path("unpacked")));
    }
}

#[test]
fn a_mirror_that_sends_something_else_is_found_out() {
    let Some(world) = World::new() else { return };
    let (upstreams, server) = (small_ones(), mirror());
    project(&world, &mirrored(&server, &upstreams));
    world.envy("lock");

    let other = elsewhere(&world);
    server.misbehave("/lz4_", Fault::WrongBytes);
    for command in ["fetch", "build --locked"] {
        let output = other.output(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((command, output.status.code()), (command, Some(4)), "{said}");
        assert!(said.contains("lz4"), "{said}");
    }
    assert!(!other.path("project/.envy/sites/all/current/share").exists());
    server.heal();
    other.envy("build --locked");
    assert_same(&installed(&other, "lz4"), &installed_by_tar(&other, &upstreams, "lz4"));
}

fn installed_by_tar(world: &World, upstreams: &[Upstream], name: &str) -> PathBuf {
    upstreams.iter().find(|upstream| upstream.name == name).unwrap().unpacked(&world.path("unpacked"))
}

#[test]
fn patches_of_debian_do_what_patch_does() {
    let Some(world) = World::new() else { return };
    let base = format!("file://{}", input("debian").display());
    let (mut manifest, mut count, mut patched) = (String::new(), 0, Vec::new());
    for upstream in upstreams() {
        let patches = upstream.patches(&world.path("project/debian"));
        if patches.is_empty() {
            continue;
        }
        let mut list = "patches = [\n".to_owned();
        patches.iter().for_each(|patch| writeln!(list, "  \"debian/{}/{patch}\",", upstream.name).unwrap());
        manifest += &upstream.table(&base, &(list + "]"));
        count += patches.len();
        patched.push((upstream, patches));
    }
    assert!(count > 100, "{count} patches are few");
    project(&world, &manifest);

    world.envy("build");

    world.envy("lock --check");
    for (upstream, patches) in patched {
        let expected = upstream.unpacked(&world.path("unpacked"));
        for patch in patches {
            let file = std::fs::File::open(world.path("project/debian").join(&upstream.name).join(patch)).unwrap();
            let quietly = ["-p1", "-F0", "--quiet", "--no-backup-if-mismatch"];
            run(Command::new("patch").args(quietly).arg("-d").arg(&expected).stdin(file));
        }
        assert_same(&installed(&world, &upstream.name), &expected);
    }
}

#[test]
fn programs_of_vendors_are_installed_and_run() {
    let Some(world) = World::new() else { return };
    let directory = input("prebuilt");
    let file = |end: &str| files(&directory).into_iter().find(|name| name.ends_with(end)).unwrap();
    let (zip, tar) = (file(".whl"), file(".tgz"));
    let address = |file: &str| format!("file://{}/{file}", directory.display());
    let table = |name: &str, url: String, more: &str| {
        format!("[sites.all.dependencies.{name}]\nurl = \"{url}\"\nversion = \"1.0\"\n{more}\n")
    };
    let from_zip = table("ruff", address(&zip), "");
    project(&world, &(from_zip + &table("esbuild", address(&tar), "")));

    world.envy("build");

    assert!(world.envy("run all -- ruff --version").starts_with("ruff 0."));
    assert!(world.envy("run all -- esbuild --version").starts_with("0."));
    let lockfile: toml::Table = world.lockfile("all").parse().unwrap();
    let needs = |name: &str| {
        let packages = lockfile["package"].as_array().unwrap();
        let package = packages.iter().find(|package| package["name"].as_str() == Some(name)).unwrap();
        package["output"][0].get("needs").cloned()
    };
    assert!(needs("ruff").unwrap()["glibc"].is_str(), "{:?}", needs("ruff"));
    assert_eq!(needs("esbuild"), None);
}
