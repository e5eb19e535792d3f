//! A registry for users alone, with a real crate of crates.io in it; and real cargo, which has to agree.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::server::{Request, Response, Server};
use crate::{World, text};

const TOKEN: &str = "sesame-of-the-tests";
const NAME: &str = "titlecase";

/// A crate as crates.io publishes it: its line of the index and its archive.
struct Published {
    entry: serde_json::Value,
    archive: Vec<u8>,
}

impl Published {
    /// The newest one that envy would take, by a project of its own.
    fn from_crates_io() -> Option<Self> {
        let world = World::new()?;
        std::fs::write(world.path("project/envy.toml"), format!("[sites.a.dependencies]\n{NAME} = \"3\"\n")).unwrap();
        world.envy("lock");
        world.envy("fetch");
        let lockfile: toml::Table = world.lockfile("a").parse().unwrap();
        let digest = lockfile["package"][0]["archive"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
        let index = below(&world.path("cache"), NAME);
        let lines = std::fs::read_to_string(index).unwrap();
        // The first lines are envy's own.
        let entries = lines
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut entry = entries.into_iter().find(|entry| entry["cksum"] == digest.as_str()).unwrap();
        // What crates need stays at crates.io, and the index of another registry has to say so.
        for dependency in entry["deps"].as_array_mut().unwrap() {
            dependency["registry"] = tame_index::CRATES_IO_INDEX.into();
        }
        Some(Self { entry, archive: std::fs::read(below(&world.path("store"), &digest[2..])).unwrap() })
    }

    fn version(&self) -> &str {
        self.entry["vers"].as_str().unwrap()
    }
}

/// The file of this name below a directory.
fn below(directory: &Path, name: &str) -> PathBuf {
    let output =
        Command::new("find").arg(directory).args(["-type", "f", "-name", &format!("*{name}")]).output().unwrap();
    let found = text("find", &output);
    found.lines().next().unwrap_or_else(|| panic!("there is no `{name}` in {}", directory.display())).into()
}

/// A registry that tells nothing to who does not know the token.
fn private() -> Option<(Server, String)> {
    let published = Published::from_crates_io()?;
    let version = published.version().to_owned();
    Some((Server::start(move |request| answer(&published, request)), version))
}

fn answer(published: &Published, request: &Request) -> Response {
    if request.header("authorization") != Some(TOKEN) {
        return Response::status(401);
    }
    let host = request.header("host").unwrap_or_default();
    let download = format!("/crates/{NAME}/{}/download", published.version());
    match request.path.as_str() {
        "/index/config.json" => Response::ok(format!(
            "{{\"dl\": \"http://{host}/crates\", \"api\": \"http://{host}\", \"auth-required\": true}}"
        )),
        "/index/ti/tl/titlecase" => Response::ok(format!("{}\n", published.entry)),
        path if path == download => Response::ok(published.archive.clone()),
        _ => Response::status(404),
    }
}

/// A world whose cargo has a home of its own and knows the registry as `private`.
struct Company {
    world: World,
    server: Server,
    version: String,
}

impl Company {
    fn new() -> Option<Self> {
        let (server, version) = private()?;
        let world = World::new()?;
        let home = world.path("cargo");
        std::fs::create_dir(&home).unwrap();
        std::fs::create_dir_all(world.path("project/.cargo")).unwrap();
        // cargo alone insists that a provider is named.
        let config = format!(
            "[registries.private]\nindex = \"sparse+http://{}/index/\"\ncredential-provider = \"cargo:token\"\n",
            server.address()
        );
        std::fs::write(world.path("project/.cargo/config.toml"), config).unwrap();
        std::fs::write(world.path("project/envy.toml"), "[sites.a]\n").unwrap();
        // Where crates.io is to be had by another way, it is so here.
        let usual = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let usual = usual.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let _ = std::fs::copy(usual.unwrap().join("config.toml"), home.join("config.toml"));
        Some(Self { world, server, version })
    }

    /// A program with the cargo home of this world, and with this token in the environment.
    fn run(&self, program: &str, arguments: &str, token: Option<&str>) -> Output {
        let mut command = self.world.command(Path::new(program), arguments);
        command.env("CARGO_HOME", self.world.path("cargo")).env_remove("CARGO_REGISTRIES_PRIVATE_TOKEN");
        command.envs(token.map(|token| ("CARGO_REGISTRIES_PRIVATE_TOKEN", token)));
        let output = command.output().unwrap();
        for said in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(said).contains(TOKEN), "`{program} {arguments}` tells the token");
        }
        output
    }

    fn envy(&self, arguments: &str, token: Option<&str>) -> Output {
        self.run(env!("CARGO_BIN_EXE_envy"), arguments, token)
    }

    /// What real cargo makes of a package that needs the same crate, by the same configuration.
    fn cargo_fetch(&self, token: Option<&str>) -> Output {
        let package = self.world.path("project/app");
        std::fs::create_dir_all(package.join("src")).unwrap();
        std::fs::write(package.join("src/main.rs"), "fn main() {}\n").unwrap();
        let manifest = format!(
            "[package]\nname = \"app\"\nedition = \"2021\"\n\n[dependencies]\n{NAME} = {{ version = \"3\", registry = \"private\" }}\n"
        );
        std::fs::write(package.join("Cargo.toml"), manifest).unwrap();
        self.run("cargo", "fetch --manifest-path app/Cargo.toml", token)
    }

    fn log_in(&self) {
        let credentials = format!("[registries.private]\ntoken = \"{TOKEN}\"\n");
        std::fs::write(self.world.path("cargo/credentials.toml"), credentials).unwrap();
    }

    /// No file of the project, the cache or the store tells the token.
    fn assert_kept(&self) {
        let mut find = Command::new("grep");
        find.args(["-rl", TOKEN]).args(["project", "cache", "store"].map(|part| self.world.path(part)));
        let output = find.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    }
}

fn fails(output: &Output, says: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && says.iter().all(|text| said.contains(text)), "{said}");
}

#[test]
fn a_real_crate_of_a_private_registry_is_added_with_a_token_as_with_cargo() {
    let Some(company) = Company::new() else { return };
    let add = &format!("add {NAME}@3 --site a --registry private");

    fails(&company.envy(add, None), &["registry `private`", "cargo login --registry private"]);
    fails(&company.cargo_fetch(None), &["private", "cargo login"]);
    fails(&company.envy(add, Some("guessed")), &["refused the token", "cargo login --registry private"]);
    fails(&company.cargo_fetch(Some("guessed")), &["private"]);
    assert!(!company.world.path("project/lockfiles").exists(), "nothing came of it");

    text(add, &company.envy(add, Some(TOKEN)));
    text("cargo fetch", &company.cargo_fetch(Some(TOKEN)));

    let ours: toml::Table = company.world.lockfile("a").parse().unwrap();
    let package = &ours["package"][0];
    assert_eq!(package["source"].as_str(), Some("registry+private"));
    assert_eq!(package["version"].as_str(), Some(company.version.as_str()));
    let theirs = std::fs::read_to_string(company.world.path("project/app/Cargo.lock")).unwrap();
    let theirs: toml::Table = theirs.parse().unwrap();
    let locked = theirs["package"].as_array().unwrap().iter().find(|one| one["name"].as_str() == Some(NAME)).unwrap();
    let sum = format!("sha256:{}", locked["checksum"].as_str().unwrap());
    assert_eq!(
        (locked["version"].as_str(), Some(sum.as_str())),
        (package["version"].as_str(), package["archive"].as_str())
    );
    text("run", &company.envy(&format!("run a --locked -- {NAME} --version"), None));
    company.assert_kept();
}

#[test]
fn a_token_of_credentials_toml_is_taken_where_a_locked_project_is_built_anew() {
    let Some(company) = Company::new() else { return };
    company.log_in();

    text("add", &company.envy(&format!("add {NAME}@3 --site a --registry private"), None));
    text("cargo fetch", &company.cargo_fetch(None));

    // Another host, where everything has to come once more, and where nobody is logged in at first.
    for part in ["store", "cache", "project/.envy"] {
        let directory = company.world.path(part);
        text("chmod", &Command::new("chmod").args(["-R", "u+w"]).arg(&directory).output().unwrap());
        std::fs::remove_dir_all(directory).unwrap();
    }
    std::fs::remove_file(company.world.path("cargo/credentials.toml")).unwrap();
    company.server.forget_requests();
    fails(&company.envy("build --locked", None), &["registry `private`", "cargo login --registry private"]);
    company.log_in();
    text("fetch", &company.envy("fetch", None));
    let download = format!("GET /crates/{NAME}/{}/download 200", company.version);
    assert!(company.server.requests().contains(&download), "{:?}", company.server.requests());
    company.server.go_away();
    text("build", &company.envy("build --frozen", None));
    text("run", &company.envy(&format!("run a --locked -- {NAME} --version"), None));
    company.assert_kept();
}
