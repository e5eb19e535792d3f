use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cargo_config2::ResolveOptions;

use super::*;

/// A home of cargo's with some files, a configuration of these, and variables.
struct Home {
    directory: tempfile::TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

impl Home {
    fn new(config: &str) -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new() };
        home.with("config.toml", config)
    }

    fn with(self, name: &str, text: &str) -> Self {
        std::fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    fn program(self, name: &str, script: &str) -> Self {
        let home = self.with(name, &format!("#!/bin/sh\n{script}\n"));
        let path = home.directory.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        home
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn token(&self, name: Option<&str>) -> Result<Option<String>, String> {
        let home = self.directory.path();
        let config = std::fs::read_to_string(home.join("config.toml")).unwrap();
        std::fs::write(home.join("config.toml"), config.replace("HOME", &home.display().to_string())).unwrap();
        let options = ResolveOptions::default().cargo_home(home.to_owned()).env(self.variables.iter().copied());
        let config = Config::load_with_options(Path::new("/"), options).unwrap();
        let title = name.map_or_else(|| "crates.io".to_owned(), |name| format!("registry `{name}`"));
        let asked = Asked { title: &title, name, is_crates_io: name.is_none(), index: "sparse+https://a.example/" };
        let token = Credentials::of(&config, Some(home.to_owned())).token(&asked);
        let token = token.map(|token| token.map(|token| token.expose().to_owned()));
        token.map_err(|error| error.to_string().replace(&home.display().to_string(), ""))
    }

    #[track_caller]
    fn knows(&self, name: Option<&str>, expected: &str) {
        assert_eq!(self.token(name), Ok(Some(expected.to_owned())));
    }

    #[track_caller]
    fn fails(&self, expected: &str) {
        assert_eq!(self.token(Some("company")).unwrap_err(), expected);
    }
}

const FILE: &str = "[registry]\ntoken = 'f'\n[registries.company]\ntoken = 'g'\n[registries.my-own]\ntoken = 'h'";

#[test]
fn nobody_knows_a_token_by_chance() {
    assert_eq!(Home::new("").token(None), Ok(None));
    assert_eq!(Home::new("").with("credentials.toml", FILE).token(Some("other")), Ok(None));
}

#[test]
fn variables_count_more_than_the_file_of_tokens_and_that_more_than_the_configuration() {
    let config = "[registries.company]\nindex = 'x'\ntoken = 'c'\n[registries.other]\ntoken = 'd'";
    let home = Home::new(config).with("credentials.toml", FILE);
    home.knows(None, "f");
    home.knows(Some("company"), "g");
    home.knows(Some("my-own"), "h");
    home.knows(Some("other"), "d");
    let home = home.variable("CARGO_REGISTRIES_MY_OWN_TOKEN", "v").variable("CARGO_REGISTRY_TOKEN", "w");
    home.knows(Some("my-own"), "v");
    home.knows(None, "w");
}

#[test]
fn the_file_of_older_cargos_wins_as_it_does_there() {
    let home = Home::new("").with("credentials.toml", FILE).with("credentials", "[registries.company]\ntoken = 'old'");
    home.knows(Some("company"), "old");
}

#[test]
fn a_broken_file_of_tokens_is_not_shown() {
    Home::new("").with("credentials.toml", "[registry]\ntoken = 'sesame").fails("could not parse `/credentials.toml`");
}

#[test]
fn keys_that_sign_are_an_honest_error() {
    let file = "[registries.company]\nsecret-key = 'k3.secret.x'";
    Home::new("")
        .with("credentials.toml", file)
        .fails("cargo keeps the token for registry `company` by `secret-key`, which envy cannot ask");
}

#[test]
fn the_last_global_provider_is_asked_first() {
    let order = |list: &str| {
        Home::new(&format!("[registry]\nglobal-credential-providers = {list}")).with("credentials.toml", FILE)
    };
    order("['cargo:libsecret', 'cargo:token']").knows(Some("company"), "g");
    let refused = "cargo keeps the token for registry `company` by `cargo:libsecret`, which envy cannot ask";
    order("['cargo:token', 'cargo:libsecret']").fails(refused);
}

#[test]
fn a_provider_of_its_own_is_the_only_one() {
    let home = Home::new("[registries.company]\ncredential-provider = 'cargo:wincred'").with("credentials.toml", FILE);
    home.fails("cargo keeps the token for registry `company` by `cargo:wincred`, which envy cannot ask");
    home.knows(None, "f");
}

#[test]
fn a_program_may_print_the_token() {
    let config = "[registries.company]\ncredential-provider = ['cargo:token-from-stdout', 'HOME/print', 'x']";
    let script = "echo \"$1 $CARGO_REGISTRY_NAME_OPT $CARGO_REGISTRY_INDEX_URL\"";
    Home::new(config).program("print", script).knows(Some("company"), "x company sparse+https://a.example/");
    let fails = |script: &str, expected: &str| Home::new(config).program("print", script).fails(expected);
    fails("echo a; echo b", "the credential provider `/print` printed more than one line");
    fails("true", "the credential provider `/print` printed no token");
    fails("exit 3", "the credential provider `/print` gave no token for registry `company`");
}

#[test]
fn a_program_may_speak_the_protocol() {
    let config = "[registries.company]\ncredential-provider = ['HOME/plugin', 'x']";
    let ok = "echo '{\"v\":[1,2]}'; read question; echo \"$1 $question\" > HERE/asked\n\
              echo '{\"Ok\":{\"kind\":\"get\",\"token\":\"sesame\",\"cache\":\"session\",\"operation_independent\":true}}'";
    let home = Home::new(config);
    let script = ok.replace("HERE", &home.directory.path().display().to_string());
    let home = home.program("plugin", &script);
    home.knows(Some("company"), "sesame");
    let asked = std::fs::read_to_string(home.directory.path().join("asked")).unwrap();
    let (argument, question) = asked.split_once(' ').unwrap();
    assert_eq!(argument, "--cargo-plugin");
    let expected = serde_json::json!({
        "v": 1, "kind": "get", "operation": "read", "args": ["x"],
        "registry": { "name": "company", "index-url": "sparse+https://a.example/" },
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(question).unwrap(), expected);
}

#[test]
fn a_program_that_does_not_know_is_passed_over_and_one_in_trouble_is_told() {
    let config = "[registry]\nglobal-credential-providers = ['cargo:token', 'HOME/plugin']";
    let says = |text: &str| {
        let script = format!("echo '{{\"v\":[1]}}'; read question; echo '{text}'");
        Home::new(config).with("credentials.toml", FILE).program("plugin", &script)
    };
    says(r#"{"Err":{"kind":"not-found"}}"#).knows(Some("company"), "g");
    says(r#"{"Err":{"kind":"url-not-supported"}}"#).knows(Some("company"), "g");
    says(r#"{"Err":{"kind":"other","message":"it is locked","caused-by":["no key"]}}"#)
        .fails("the credential provider `/plugin` gave no token for registry `company`: it is locked: no key");
    says("nonsense").fails("the credential provider `/plugin` gave an answer that cannot be understood");
    Home::new(config)
        .program("plugin", "echo '{\"v\":[2]}'")
        .fails("the credential provider `/plugin` speaks another version of cargo's protocol");
    Home::new(config)
        .program("plugin", "true")
        .fails("the credential provider `/plugin` does not speak cargo's protocol");
}
