use super::*;
use crate::disk;

const NO_VARIABLES: [(&str, &str); 0] = [];

/// The configuration of a project with one file in it, and of nothing else.
fn load(text: &str, variables: &[(&str, &str)]) -> Result<CargoConfig, String> {
    let scratch = tempfile::tempdir().unwrap();
    let project = scratch.path().join("project");
    disk::write_atomic(&project.join(".cargo/config.toml"), text.as_bytes()).unwrap();
    let options = ResolveOptions::default().env(variables.iter().copied());
    let config = CargoConfig::load_with(&project, options, None);
    let root = scratch.path().display().to_string();
    let mut config = config.map_err(|error| error.to_string().replace(&root, ""))?;
    let relative = |path: &Path| PathBuf::from(path.display().to_string().replace(&root, ""));
    config.ca_file = config.ca_file.as_deref().map(relative);
    if let Registry::Local { directory } = &mut config.registry {
        *directory = relative(directory);
    }
    Ok(config)
}

fn sparse(index: &str) -> Registry {
    Registry::Sparse { index: index.to_owned() }
}

fn check(text: &str, expected: Result<Registry, &str>) {
    let registry = load(text, &NO_VARIABLES).map(|config| config.registry);
    assert_eq!(registry, expected.map_err(str::to_owned), "{text}");
}

#[test]
fn without_a_word_crates_come_from_crates_io() {
    let index = tame_index::CRATES_IO_HTTP_INDEX.strip_prefix("sparse+").unwrap();
    let config = load("", &NO_VARIABLES).unwrap();
    assert_eq!(config.registry, sparse(index));
    let nothing = CargoConfig::default();
    assert_eq!(config, nothing);
}

#[test]
fn replacements_are_followed_to_the_last() {
    let chain =
        "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nregistry = 'https://a.example'\nreplace-with = 'b'\n";
    check(
        &format!("{chain}[source.b]\nregistry = 'sparse+https://b.example/index'"),
        Ok(sparse("https://b.example/index/")),
    );
    check(&format!("{chain}[registries.b]\nindex = 'sparse+https://b.example/'"), Ok(sparse("https://b.example/")));
    let local = Registry::Local { directory: "/project/crates".into() };
    check(&format!("{chain}[source.b]\nlocal-registry = 'crates'"), Ok(local));
    check("[source.crates-io]\nregistry = 'sparse+https://c.example/'", Ok(sparse("https://c.example/")));
}

#[test]
fn a_chain_that_ends_nowhere_is_refused() {
    let a = "[source.crates-io]\nreplace-with = 'a'\n";
    check(a, Err("`source.crates-io.replace-with` names `a`, but there is no `[source.a]` and no `[registries.a]`"));
    let circle = format!("{a}[source.a]\nregistry = 'sparse+https://a.example/'\nreplace-with = 'crates-io'");
    check(&circle, Err("cargo's configuration replaces crates.io in a circle: crates-io → a → crates-io"));
}

#[test]
fn what_envy_cannot_resolve_from_is_refused_by_its_key() {
    let a = "[source.crates-io]\nreplace-with = 'a'\n[source.a]\n";
    let error =
        "`source.a.directory` replaces crates.io by a directory of unpacked crates, which envy cannot resolve from";
    check(&format!("{a}directory = 'vendor'"), Err(error));
    let error = "`source.a.git` replaces crates.io by a git repository, which envy cannot resolve from";
    check(&format!("{a}git = 'https://a.example/all.git'"), Err(error));
    let error = "`[source.a]` must have exactly one of `registry`, `local-registry`, `directory` and `git`";
    check(a, Err(error));
}

#[test]
fn an_index_may_be_a_git_repository() {
    let git = |url: &str| Ok(Registry::Git { url: url.to_owned() });
    let a = "[source.crates-io]\nreplace-with = 'a'\n[source.a]\n";
    check(&format!("{a}registry = 'https://a.example/index.git'"), git("https://a.example/index.git"));
    check("[registries.crates-io]\nprotocol = 'git'", git(tame_index::CRATES_IO_INDEX));
}

#[test]
fn addresses_of_one_index_are_told_from_others() {
    let same = |one: &str, other: &str| Registry::at(one).is_same(&Registry::at(other));
    assert!(same("sparse+https://a.example/x", "sparse+https://a.example/x/"));
    assert!(same("registry+https://a.example/x.git", "https://a.example/x/"));
    assert!(!same("sparse+https://a.example/x/", "https://a.example/x/"));
    assert!(Registry::at(tame_index::CRATES_IO_INDEX).is_crates_io());
    assert_eq!(Registry::at("sparse+https://a.example/x").address(), "sparse+https://a.example/x/");
}

#[test]
fn include_is_refused_rather_than_passed_over() {
    check(
        "include = ['more.toml']",
        Err("`/project/.cargo/config.toml` uses the key `include`, which envy does not follow"),
    );
}

#[test]
fn what_says_how_to_use_the_network_is_taken_over() {
    let text = "[http]\nproxy = 'proxy.example:3128'\ncainfo = 'ca.pem'\ntimeout = 7\n[net]\noffline = true\nretry = 0";
    let config = load(text, &NO_VARIABLES).unwrap();
    let settings = config.settings();
    assert_eq!((settings.stall_timeout, settings.retries), (Duration::from_secs(7), 0));
    assert_eq!(config.proxy.as_deref(), Some("proxy.example:3128"));
    assert_eq!(config.ca_file, Some("/project/ca.pem".into()));
    assert!(config.offline);
}

#[test]
fn variables_count_more_than_files() {
    let variables = [("CARGO_NET_OFFLINE", "true"), ("CARGO_REGISTRIES_MY_MIRROR_INDEX", "sparse+https://m.example/")];
    let config = load("[source.crates-io]\nreplace-with = 'my-mirror'", &variables).unwrap();
    assert!(config.offline);
    assert_eq!(config.registry, sparse("https://m.example/"));
}
