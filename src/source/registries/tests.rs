use std::collections::BTreeMap;
use std::path::Path;

use cargo_config2::ResolveOptions;

use super::*;
use crate::digest::BlobDigest;
use crate::disk;
use crate::download::Settings;
use crate::download::loopback::{Answer, Asked, Loopback};
use crate::progress::Silent;
use crate::source::git_index::GitIndexError;
use crate::source::{Archive, CratesError, NoGit};
use crate::store::Store;

fn line(name: &str) -> String {
    let checksum = BlobDigest::of(b"archive").hex();
    format!("{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[],\"features\":{{}},\"cksum\":\"{checksum}\"}}\n")
}

/// A registry with the crate `hello`, all of it for those alone who know the token, if there is one.
fn registry(token: Option<&'static str>) -> Loopback {
    Loopback::serve(move |_, asked: &Asked| match asked.path.as_str() {
        _ if token.is_some() && asked.header("authorization") != token => Answer::status("401 Unauthorized"),
        "/config.json" => {
            let (host, required) = (asked.header("host").unwrap(), token.is_some());
            Answer::ok(format!("{{\"dl\":\"http://{host}/dl\",\"auth-required\":{required}}}").as_bytes())
        }
        "/he/ll/hello" => Answer::ok(line("hello").as_bytes()),
        "/dl/hello/1.0.0/download" => Answer::ok(b"archive"),
        _ => Answer::status("404 Not Found"),
    })
}

fn paths(server: &Loopback) -> Vec<String> {
    server.asked().into_iter().map(|asked| asked.path).collect()
}

/// One file in git, at the commit `c1`.
#[derive(Debug)]
struct OneFile(&'static str, String);

impl GitIndexes for OneFile {
    fn newest(&self, url: &str) -> Result<String, GitIndexError> {
        if url == "https://git.example/index" { Ok("c1".to_owned()) } else { Err(GitIndexError::Offline) }
    }

    fn file(&self, _url: &str, commit: &str, path: &str) -> Result<Option<Vec<u8>>, GitIndexError> {
        assert_eq!(commit, "c1");
        Ok((path == self.0).then(|| self.1.clone().into_bytes()))
    }
}

struct Scratch {
    directory: tempfile::TempDir,
    downloader: Downloader,
    config: CargoConfig,
}

impl Scratch {
    /// A project with this configuration of cargo's.
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        disk::write_atomic(&directory.path().join("project/.cargo/config.toml"), text.as_bytes()).unwrap();
        let no_variables: [(&str, &str); 0] = [];
        let options = ResolveOptions::default().env(no_variables);
        let config = CargoConfig::load_with(&directory.path().join("project"), options, None).unwrap();
        let settings = Settings { first_pause: std::time::Duration::from_millis(1), ..Settings::default() };
        Self { directory, downloader: Downloader::new(settings), config }
    }

    fn registries<'a>(&'a self, own: &[(&str, &str)], git: &'a dyn GitIndexes) -> Registries<'a> {
        let own: BTreeMap<_, _> = own.iter().map(|(name, index)| ((*name).to_owned(), (*index).to_owned())).collect();
        Registries::new(&self.config, &own, &self.downloader, self.path("cache"), git)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn has_hello(crates: &Crates<'_>) -> Result<bool, CratesError> {
    let name = "hello".parse().unwrap();
    Ok(crates.versions(std::slice::from_ref(&name))?[&name].is_some())
}

fn fetch_hello(crates: &Crates<'_>, store: &Path) -> Result<(), CratesError> {
    let hello = Archive { name: "hello".into(), version: "1.0.0".into(), checksum: BlobDigest::of(b"archive") };
    crates.fetch(&[hello], &Store::at(store.to_owned()), &Silent)
}

fn company(server: &Loopback, rest: &str) -> String {
    format!("[registries.company]\nindex = 'sparse+{}/'\n{rest}", server.url)
}

#[test]
fn a_registry_has_its_name_from_the_project_or_from_cargo() {
    let scratch = Scratch::new("[registries]\na.index = 'sparse+https://a.example'\nb.index = 'https://b.example/i'");
    let own =
        [("a", "sparse+https://a.example/"), ("b", "https://me:word@c.example/i"), ("d", "sparse+https://d.example/")];
    let registries = scratch.registries(&own, &NoGit);
    let title = |name: &str| registries.named(name).map(Crates::title).map_err(|error| error.to_string());
    assert_eq!(title("a"), Ok("registry `a`"));
    assert_eq!(title("d"), Ok("registry `d`"));
    assert_eq!(title("crates-io"), Ok("crates.io"));
    let two = "the registry `b` has the index `https://c.example/i` in `envy.toml`, and `https://b.example/i` in cargo's configuration";
    assert_eq!(title("b"), Err(two.to_owned()));
    let unknown = "there is no registry `e`: neither `envy.toml` nor cargo's configuration names its index";
    assert_eq!(title("e"), Err(unknown.to_owned()));
}

#[test]
fn a_registry_is_known_by_its_address() {
    let scratch = Scratch::new("[registries]\nb.index = 'https://b.example/i'");
    let registries = scratch.registries(&[("a", "sparse+https://a.example/")], &NoGit);
    let title = |source: &str| registries.by_address(source).unwrap().title().to_owned();
    assert_eq!(title("sparse+https://a.example/"), "registry `a`");
    assert_eq!(title("registry+https://b.example/i"), "registry `b`");
    assert_eq!(title("registry+https://me:word@c.example/i?x"), "registry `https://c.example/i`");
    assert_eq!(title(&format!("registry+{}", tame_index::CRATES_IO_INDEX)), "crates.io");
    assert_eq!(title(tame_index::CRATES_IO_HTTP_INDEX), "crates.io");
    assert!(std::ptr::eq(
        registries.named("b").unwrap(),
        registries.by_address("registry+https://b.example/i").unwrap()
    ));
}

#[test]
fn replacements_hold_for_every_registry() {
    let server = registry(None);
    let text = "[source.company]\nregistry = 'https://a.example/index'\nreplace-with = 'mirror'\n[source.mirror]\n";
    let scratch = Scratch::new(&format!("{text}registry = 'sparse+{}'", server.url));
    let registries = scratch.registries(&[("company", "https://a.example/index")], &NoGit);
    assert!(has_hello(registries.named("company").unwrap()).unwrap());
}

#[test]
fn a_registry_without_users_is_told_nothing() {
    let server = registry(None);
    let scratch = Scratch::new(&company(&server, "token = 'sesame'"));
    let registries = scratch.registries(&[], &NoGit);
    let crates = registries.named("company").unwrap();
    assert!(has_hello(crates).unwrap());
    fetch_hello(crates, &scratch.path("store")).unwrap();
    assert_eq!(paths(&server), ["/config.json", "/he/ll/hello", "/dl/hello/1.0.0/download"]);
    assert!(server.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

#[test]
fn a_registry_for_users_is_told_the_token_once_it_asks() {
    let server = registry(Some("sesame"));
    let scratch = Scratch::new(&company(&server, "token = 'sesame'"));
    let registries = scratch.registries(&[], &NoGit);
    let crates = registries.named("company").unwrap();
    assert!(has_hello(crates).unwrap());
    fetch_hello(crates, &scratch.path("store")).unwrap();
    assert_eq!(paths(&server), ["/config.json", "/config.json", "/he/ll/hello", "/dl/hello/1.0.0/download"]);
    let told: Vec<_> = server.asked().iter().map(|asked| asked.header("authorization").is_some()).collect();
    assert_eq!(told, [false, true, true, true]);
}

#[test]
fn what_stands_for_crates_io_may_have_users_too() {
    let server = registry(Some("sesame"));
    let text = company(&server, "token = 'sesame'\n[source.crates-io]\nreplace-with = 'company'");
    let scratch = Scratch::new(&text);
    assert!(has_hello(scratch.registries(&[], &NoGit).crates_io()).unwrap());
}

#[test]
fn what_stands_for_crates_io_is_not_told_its_token() {
    let server = registry(Some("sesame"));
    let text = "[registry]\ntoken = 'sesame'\n[source.crates-io]\nreplace-with = 'a'\n[source.a]\n";
    let scratch = Scratch::new(&format!("{text}registry = 'sparse+{}'", server.url));
    let error = has_hello(scratch.registries(&[], &NoGit).crates_io()).unwrap_err().to_string();
    let expected = "the registry in the place of crates.io wants its users to log in, and cargo knows no token for it";
    assert_eq!(error, expected);
    assert!(server.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

#[test]
fn without_a_token_or_with_a_wrong_one_it_is_said_who_refused() {
    let server = registry(Some("sesame"));
    let error = |rest: &str| {
        let scratch = Scratch::new(&company(&server, rest));
        let registries = scratch.registries(&[], &NoGit);
        let crates = registries.named("company").unwrap();
        let fetched = fetch_hello(crates, &scratch.path("store")).unwrap_err().to_string();
        assert_eq!(fetched, has_hello(crates).unwrap_err().to_string());
        fetched
    };
    assert_eq!(error(""), "registry `company` wants its users to log in, and cargo knows no token for it");
    assert_eq!(error("token = 'wrong'"), "registry `company` refused the token");
}

#[test]
fn an_index_in_git_is_read_at_one_commit() {
    let server = registry(None);
    let scratch = Scratch::new("[registries.company]\nindex = 'https://git.example/index'");
    let git = OneFile("he/ll/hello", line("hello"));
    assert!(has_hello(scratch.registries(&[], &git).named("company").unwrap()).unwrap());
    let git = OneFile("config.json", format!("{{\"dl\":\"{}/dl\"}}", server.url));
    let registries = scratch.registries(&[], &git);
    let crates = registries.named("company").unwrap();
    assert!(!has_hello(crates).unwrap());
    fetch_hello(crates, &scratch.path("store")).unwrap();
    assert_eq!(paths(&server), ["/dl/hello/1.0.0/download"]);
}

#[test]
fn an_index_in_git_that_cannot_be_had_is_an_error() {
    let scratch = Scratch::new("[registries.company]\nindex = 'https://other.example/index'");
    let git = OneFile("", String::new());
    let error = has_hello(scratch.registries(&[], &git).named("company").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the network is needed, and may not be used: hello");
    let error = has_hello(scratch.registries(&[], &NoGit).named("company").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "could not read the git index of registry `company`");
}
