//! Where it happens: a project with a site of ten packages, which are real, if tiny, crates of a registry on the loopback.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::krate::Crate;
use crate::registry::{Fault, Registry};
use crate::scratch::Scratch;

/// How many packages the site has.
const PACKAGES: usize = 10;

/// The programs that are measured.
#[derive(Clone)]
pub struct Programs {
    pub envy: PathBuf,
    pub against: Option<PathBuf>,
}

impl Programs {
    /// Both, with the names that they have in the report.
    pub fn named(&self) -> Vec<(&'static str, &Path)> {
        let other = self.against.as_deref().map(|other| ("the other envy", other));
        [("envy", self.envy.as_path())].into_iter().chain(other).collect()
    }
}

/// A project under version control with a site `first`, built.
pub struct Scene {
    pub programs: Programs,
    scratch: Scratch,
}

impl Scene {
    /// Publish the crates, and build them.
    pub fn new(programs: Programs) -> Self {
        let registry = Registry::new();
        let names: Vec<_> = (0..PACKAGES).map(|number| format!("tool-{number}")).collect();
        let mut manifest = "[project]\nname = \"scene\"\n\n[sites.first.dependencies]\n".to_owned();
        for name in &names {
            registry.publish(Crate::new(name, "1.0.0").bin(name));
            manifest += &format!("{name} = \"1\"\n");
        }
        let scene = Self { programs, scratch: Scratch::with(&registry) };
        scene.scratch.write("envy.toml", manifest);
        scene.done("git", &["init", "-q"]);
        scene.run("build first");
        scene.done("git", &["add", "."]);
        scene.done("git", &["commit", "-q", "-m", "all"]);
        // The registry goes away now: nothing that is measured needs it.
        scene
    }

    /// A site of so many packages, each made by a recipe of its own, of which each needs the one before; all built.
    pub fn of_recipes(programs: Programs, count: usize) -> Self {
        let scene = Self { programs, scratch: Scratch::new() };
        let mut manifest = "[sites.first.dependencies]\n".to_owned();
        for number in 0..count {
            let needs = number.checked_sub(1).map(|before| format!("part-{before} = \"1\"\n")).unwrap_or_default();
            scene.scratch.write(
                format!("recipes/part-{number}.toml"),
                format!(
                    "summary = \"A part\"\nextends = \"script\"\n[versions.\"1.0\"]\n[dependencies]\n{needs}\
                     [set]\nrun = [\"install -D /dev/null $OUT/share/part-{number}\"]\n"
                ),
            );
            manifest += &format!("part-{number} = {{ recipe = \"part-{number}\", version = \"1\" }}\n");
        }
        scene.scratch.write("envy.toml", manifest);
        scene.run("build first");
        scene
    }

    /// A site of one package of so many megabytes, each in so many files; no two files have the same content.
    pub fn of_one_large(programs: Programs, megabytes: usize, files: usize) -> Self {
        let scene = Self { programs, scratch: Scratch::new() };
        let (bytes, each) = (megabytes * 1_000_000, 1_000_000 / files);
        let run = format!(
            "mkdir -p $OUT/share && cd $OUT/share \
             && seq 100000000 999999999 | head -c {bytes} | split -b {each} -d -a 6 - file- \
             && for it in file-*00; do part=${{it%00}}; mkdir part-${{part#file-}} && mv $part?? part-${{part#file-}}/; done"
        );
        let recipe = "summary = \"Large\"\nextends = \"script\"\n[versions.\"1.0\"]\n[set]\n";
        scene.scratch.write("recipes/large.toml", format!("{recipe}run = ['''{run}''']\n"));
        let manifest = "[sites.first.dependencies]\nlarge = { recipe = \"large\", version = \"1\" }\n";
        scene.scratch.write("envy.toml", manifest);
        scene.run("build first");
        scene
    }

    /// A path of the project.
    pub fn path(&self, path: &str) -> PathBuf {
        self.scratch.path(path)
    }

    /// A site of so many crates of this registry, which is slow to answer; nothing is locked.
    pub fn unlocked(programs: Programs, registry: &Registry, count: usize, late: u64) -> Self {
        let mut manifest = "[sites.first.dependencies]\n".to_owned();
        for number in 0..count {
            let name = format!("tool-{number}");
            registry.publish(Crate::new(&name, "1.0.0").bin(&name));
            manifest += &format!("{name} = \"1\"\n");
        }
        let scene = Self { programs, scratch: Scratch::with(registry) };
        scene.scratch.write("envy.toml", manifest);
        registry.misbehave("", Fault::Late(late));
        scene
    }

    /// Put away the lockfile and all that was fetched, but not what is known of the host's own tools.
    pub fn forget(&self) {
        let grave = tempfile::Builder::new().tempdir_in(self.scratch.root()).expect("there is room").keep();
        let cache = std::fs::read_dir(self.scratch.root().join("cache/envy")).expect("a scene has one");
        let fetched = cache.flatten().map(|entry| entry.path());
        let fetched = fetched.filter(|path| !path.ends_with("identity.json") && !path.ends_with("host"));
        let rest = ["project/lockfiles", "data"].map(|name| self.scratch.root().join(name));
        for (number, path) in fetched.chain(rest).enumerate() {
            // What was never made is as good as gone.
            let _ = std::fs::rename(path, grave.join(number.to_string()));
        }
    }

    /// A program ready to be started in the project.
    pub fn command(&self, program: &Path, arguments: &str) -> Command {
        let like = self.scratch.envy_command(arguments);
        let mut command = Command::new(program);
        command.args(like.get_args()).current_dir(self.scratch.path("")).env_clear();
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Run envy to its end.
    pub fn run(&self, arguments: &str) {
        done(self.command(&self.programs.envy, arguments));
    }

    /// Put a site's directory aside. Whoever makes files just after many were deleted waits for the file system.
    pub fn bury(&self, site: &str) {
        let grave =
            tempfile::Builder::new().tempdir_in(self.scratch.root()).expect("there is room for a directory").keep();
        let sites = self.scratch.path(".envy/sites");
        std::fs::rename(sites.join(site), grave.join(site)).expect("the site was there");
    }

    fn done(&self, program: &str, arguments: &[&str]) {
        let mut command = self.command(Path::new(program), "");
        command.args(arguments);
        done(command);
    }
}

/// Run something that has to succeed.
pub fn done(mut command: Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}
