//! A repository with a real project's history: a commit and a tag for each of its published versions.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{World, text};

/// A project whose crates carry their Cargo.lock, and which is quickly built.
const NAME: &str = "titlecase";

/// One published version.
struct Release {
    version: String,
    /// When that was, as its index says.
    time: String,
    archive: PathBuf,
}

/// Their versions from 3.0 to this one, the oldest first, with the world in whose store they are.
fn releases(world: &World) -> Vec<Release> {
    let newest = "[sites.newest.dependencies]\ntitlecase = \"=3.6.0\"\n";
    manifest(world, newest);
    world.envy("lock");
    let index = find(&world.path("cache"), NAME);
    let lines = std::fs::read_to_string(index).unwrap();
    let entries = lines
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let field = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let wanted = |entry: &serde_json::Value| {
        let version: semver::Version = field(entry, "vers").parse().unwrap();
        version.major == 3 && version.minor <= 6 && entry["yanked"] == false
    };
    let entries: Vec<_> = entries.filter(wanted).collect();
    assert!(entries.len() >= 6, "{} versions are few", entries.len());

    // One site each, so that all of them are fetched.
    let site = |(number, entry): (usize, &serde_json::Value)| {
        format!("[sites.s{number}.dependencies]\n{NAME} = \"={}\"\n", field(entry, "vers"))
    };
    manifest(world, &entries.iter().enumerate().map(site).collect::<String>());
    world.envy("lock");
    world.envy("fetch");
    let release = |entry: &serde_json::Value| Release {
        version: field(entry, "vers"),
        time: field(entry, "pubtime"),
        archive: find(&world.path("store"), &field(entry, "cksum")[2..]),
    };
    entries.iter().map(release).collect()
}

fn find(directory: &Path, name: &str) -> PathBuf {
    let output = Command::new("find").arg(directory).args(["-type", "f", "-name", name]).output().unwrap();
    let found = text("find", &output);
    found.lines().next().unwrap_or_else(|| panic!("there is no `{name}` in {}", directory.display())).into()
}

fn manifest(world: &World, text: &str) {
    std::fs::write(world.path("project/envy.toml"), text).unwrap();
}

/// The repository, whose releases come one after the other.
struct Repository {
    world: World,
    releases: Vec<Release>,
    daemon: Option<Child>,
}

impl Repository {
    /// One with all releases but the newest.
    fn new() -> Option<Self> {
        let world = World::new()?;
        let releases = releases(&world);
        let repository = Self { world, releases, daemon: None };
        std::fs::create_dir(repository.path()).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"], None);
        for release in &repository.releases[..repository.releases.len() - 1] {
            repository.publish(release);
        }
        Some(repository)
    }

    fn path(&self) -> PathBuf {
        self.world.path("titlecase")
    }

    fn git(&self, arguments: &[&str], time: Option<&str>) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path()).args(["-c", "user.name=A", "-c", "user.email=a@example.org"]);
        command.args(["-c", "core.autocrlf=false"]).args(arguments);
        command.envs(time.into_iter().flat_map(|time| [("GIT_AUTHOR_DATE", time), ("GIT_COMMITTER_DATE", time)]));
        text("git", &command.output().unwrap())
    }

    /// Commit what a release has, and tag it.
    fn publish(&self, release: &Release) {
        self.git(&["rm", "-r", "-q", "--ignore-unmatch", "."], None);
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&release.archive).arg("-C").arg(self.path()).arg("--strip-components=1");
        text("tar", &tar.output().unwrap());
        // As its authors wrote it, and as it never was in their repository.
        std::fs::rename(self.path().join("Cargo.toml.orig"), self.path().join("Cargo.toml")).unwrap();
        let _ = std::fs::remove_file(self.path().join(".cargo_vcs_info.json"));
        assert!(self.path().join("Cargo.lock").exists(), "{} has no Cargo.lock", release.version);
        self.git(&["add", "--all", "--force"], None);
        self.git(&["commit", "--quiet", "-m", &release.version], Some(&release.time));
        self.git(&["tag", &format!("v{}", release.version)], None);
    }

    fn newest(&self) -> &Release {
        self.releases.last().unwrap()
    }

    /// Serve it by git's own server, and give its address.
    fn served(&mut self) -> String {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let programs = text("git", &Command::new("git").arg("--exec-path").output().unwrap());
        // Not by way of `git`, which would leave it behind.
        let mut daemon = Command::new(Path::new(programs.trim()).join("git-daemon"));
        daemon.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1", &format!("--port={port}")]);
        daemon.arg(format!("--base-path={}", self.world.path("").display()));
        daemon.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        self.daemon = Some(daemon.spawn().unwrap());
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return format!("git://127.0.0.1:{port}/titlecase");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("git daemon does not listen");
    }

    /// What a site's program says of itself.
    fn says(&self, site: &str) -> String {
        self.world.envy(&format!("run {site} -- {NAME} --version")).trim().to_owned()
    }

    /// The version that a site has locked.
    fn locked(&self, site: &str) -> String {
        let lockfile: toml::Table = self.world.lockfile(site).parse().unwrap();
        lockfile["package"][0]["version"].as_str().unwrap().to_owned()
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

#[test]
fn sites_are_at_different_tags_and_move_when_asked_to() {
    let Some(mut repository) = Repository::new() else { return };
    let url = repository.served();
    let releases = &repository.releases;
    let (first, before) = (releases[1].version.clone(), releases[releases.len() - 2].version.clone());
    let newest = repository.newest().version.clone();
    let world = &repository.world;
    let dependency =
        |site: &str, version: &str| format!("[sites.{site}.dependencies]\n{NAME} = {{ git = \"{url}\", {version} }}\n");
    let text = dependency("a", &format!("tag = \"v{first}\"")) + &dependency("b", "version = \"3\"");
    manifest(world, &text);

    world.envy("build");

    assert_eq!((repository.locked("a"), repository.locked("b")), (first.clone(), before.clone()));
    let said = (repository.says("a"), repository.says("b"));
    assert!(said.0.contains(&first) && said.1.contains(&before), "{said:?}");

    // What comes later is taken when it is asked for, and not before.
    repository.publish(repository.newest());
    world.envy("lock");
    assert_eq!(repository.locked("b"), before);
    world.envy("update");
    assert_eq!((repository.locked("a"), repository.locked("b")), (first.clone(), newest.clone()));
    world.envy("build --locked");
    assert!(repository.says("b").contains(&newest) && repository.says("a").contains(&first));

    // Somebody moves the tag that a site is at.
    let locked = world.lockfile("a");
    repository.git(&["tag", "--force", &format!("v{first}"), &format!("v{newest}")], None);
    let output = world.output("update");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("tag `v{first}`")) && said.contains("was moved from"), "{said}");
    assert_eq!(world.lockfile("a"), locked);
    world.envy("build --locked");
    assert!(repository.says("a").contains(&first));
}

#[test]
fn a_version_from_git_is_the_same_as_from_crates_io() {
    let Some(repository) = Repository::new() else { return };
    let world = &repository.world;
    let url = format!("file://{}", repository.path().display());
    let middle = &repository.releases[repository.releases.len() / 2];
    let settings = format!("[settings]\nexclude-newer = \"{}\"\n\n", middle.time);
    let sites = |more: &str| {
        let git = format!(
            "[sites.git.dependencies]\n{NAME} = {{ git = \"{url}\", version = \"<={}\"{more} }}\n",
            middle.version
        );
        format!("{settings}{git}\n[sites.registry.dependencies]\n{NAME} = \"3\"\n")
    };
    // The time of a commit is no proof of anything, whatever it is.
    manifest(world, &sites(""));
    let output = world.output("lock git");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(6) && said.contains("has no publish time"), "{said}");
    manifest(world, &sites(", exclude-newer = false"));

    world.envy("build");

    assert_eq!(repository.locked("git"), middle.version);
    assert_eq!(repository.locked("registry"), middle.version);
    assert_eq!(repository.says("git"), repository.says("registry"));
    assert!(repository.says("git").contains(&middle.version), "{}", repository.says("git"));
    let title = |site: &str| {
        let mut child = world
            .command(Path::new("sh"), "-c")
            .arg(format!("echo 'a tale of two sites' | {} run {site} -- {NAME}", env!("CARGO_BIN_EXE_envy")))
            .output();
        text("run", child.as_mut().unwrap())
    };
    assert_eq!((title("git"), title("registry")), ("A Tale of Two Sites\n".into(), "A Tale of Two Sites\n".into()));
}
