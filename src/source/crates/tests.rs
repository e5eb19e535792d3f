use super::*;
use crate::download::Settings;
use crate::download::loopback::{Answer, Asked, Loopback};
use crate::progress::Silent;

fn line(name: &str, version: &str) -> String {
    let checksum = BlobDigest::of(b"archive").hex();
    format!("{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[],\"features\":{{}},\"cksum\":\"{checksum}\"}}\n")
}

fn archive(name: &str, content: &[u8]) -> Archive {
    Archive { name: name.into(), version: "1.0.0".into(), checksum: BlobDigest::of(content) }
}

fn names(names: &[&str]) -> Vec<PackageName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// A registry with the crates `ab-cd` and `other`, whose archives all hold `archive`.
fn registry() -> Loopback {
    fn answer(_: usize, asked: &Asked) -> Answer {
        let tag = || vec![("etag", "\"1\"".to_owned())];
        match asked.path.as_str() {
            _ if asked.header("if-none-match").is_some() => Answer::status("304 Not Modified"),
            "/ab/-c/ab-cd" => Answer::Whole("200 OK", tag(), line("ab-cd", "1.0.0").into_bytes()),
            "/ot/he/other" => Answer::Whole("200 OK", tag(), line("other", "2.0.0").into_bytes()),
            "/config.json" => {
                let dl = format!("http://{}/dl", asked.header("host").unwrap());
                Answer::ok(format!("{{\"dl\":\"{dl}\"}}").as_bytes())
            }
            path if path.starts_with("/dl/") => Answer::ok(b"archive"),
            _ => Answer::status("404 Not Found"),
        }
    }
    Loopback::serve(answer)
}

struct Scratch {
    directory: tempfile::TempDir,
    config: CargoConfig,
}

impl Scratch {
    fn new(registry: Registry) -> Self {
        let config = CargoConfig { registry, ..CargoConfig::default() };
        Self { directory: tempfile::tempdir().unwrap(), config }
    }

    fn sparse(server: &Loopback) -> Self {
        Self::new(Registry::Sparse { index: format!("{}/", server.url) })
    }

    fn store(&self) -> Store {
        Store::at(self.directory.path().join("store"))
    }

    fn crates<'a>(&self, downloader: &'a Downloader) -> Crates<'a> {
        Crates::new(&self.config, downloader, &self.directory.path().join("cache"))
    }
}

fn online() -> Downloader {
    Downloader::new(Settings { first_pause: std::time::Duration::from_millis(1), ..Settings::default() })
}

fn offline_downloader() -> Downloader {
    Downloader::new(Settings { offline: true, ..Settings::default() })
}

fn found(answer: &BTreeMap<PackageName, Versions>) -> Vec<String> {
    let text = |(name, versions): (&PackageName, &Versions)| match versions {
        Some(versions) => format!("{name} {}", versions[0].version),
        None => format!("{name} is none"),
    };
    answer.iter().map(text).collect()
}

#[test]
fn a_crate_is_asked_about_once_and_then_only_whether_it_changed() {
    let server = registry();
    let scratch = Scratch::sparse(&server);
    let (downloader, wanted) = (online(), names(&["ab-cd", "other", "missing"]));
    let expected = ["ab-cd 1.0.0", "missing is none", "other 2.0.0"];
    let crates = scratch.crates(&downloader);
    assert_eq!(found(&crates.versions(&wanted).unwrap()), expected);
    assert_eq!(found(&crates.versions(&wanted).unwrap()), expected);
    assert_eq!(server.asked().len(), 3);
    assert_eq!(found(&scratch.crates(&downloader).versions(&wanted).unwrap()), expected);
    let again = &server.asked()[3..];
    assert_eq!(again.iter().filter(|asked| asked.header("if-none-match") == Some("\"1\"")).count(), 2);
}

#[test]
fn offline_the_copies_answer_and_all_that_has_none_is_listed() {
    let scratch = Scratch::sparse(&registry());
    scratch.crates(&online()).versions(&names(&["other"])).unwrap();
    let downloader = offline_downloader();
    let crates = scratch.crates(&downloader);
    assert_eq!(found(&crates.versions(&names(&["other"])).unwrap()), ["other 2.0.0"]);
    let error = crates.versions(&names(&["ab-cd", "missing", "other"])).unwrap_err();
    assert_eq!(error.to_string(), "the network is needed, and may not be used: ab-cd, missing");
    let error = crates.fetch(&[archive("a", b"1"), archive("b", b"2")], &scratch.store(), &Silent).unwrap_err();
    assert_eq!(error.to_string(), "the network is needed, and may not be used: a 1.0.0, b 1.0.0");
}

#[test]
fn a_name_that_is_nearly_right_is_recognised() {
    let scratch = Scratch::sparse(&registry());
    let downloader = online();
    let crates = scratch.crates(&downloader);
    crates.versions(&names(&["other"])).unwrap();
    for (wrong, right) in [("ab_cd", "ab-cd"), ("AB-CD", "ab-cd"), ("othre", "other")] {
        let name = wrong.parse().unwrap();
        assert_eq!(found(&crates.versions(std::slice::from_ref(&name)).unwrap()), [format!("{wrong} is none")]);
        assert_eq!(crates.similar(&name), [right]);
    }
    assert!(crates.similar(&"unlike".parse().unwrap()).is_empty());
}

#[test]
fn archives_enter_the_store_once() {
    let server = registry();
    let scratch = Scratch::sparse(&server);
    let (downloader, store, wanted) = (online(), scratch.store(), [archive("ab-cd", b"archive")]);
    let crates = scratch.crates(&downloader);
    crates.fetch(&wanted, &store, &Silent).unwrap();
    assert_eq!(disk::read(&store.blob_path(wanted[0].checksum)).unwrap(), b"archive");
    crates.fetch(&wanted, &store, &Silent).unwrap();
    let asked: Vec<_> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(asked, ["/config.json", "/dl/ab-cd/1.0.0/download"]);
}

#[test]
fn what_is_not_as_it_was_pinned_enters_no_store_and_is_reported_with_all_the_rest() {
    let scratch = Scratch::sparse(&registry());
    let (downloader, store) = (online(), scratch.store());
    let wanted = [archive("a", b"other"), archive("ab-cd", b"archive"), archive("b", b"another")];
    let error = scratch.crates(&downloader).fetch(&wanted, &store, &Silent).unwrap_err();
    assert_eq!(error.to_string(), "could not fetch `a 1.0.0`, `b 1.0.0`");
    assert_eq!(error.facts().len(), 2);
    let there: Vec<_> = wanted.iter().map(|one| store.has_blob(one.checksum)).collect();
    assert_eq!(there, [false, true, false]);
}

#[test]
fn a_local_registry_needs_no_network() {
    let directory = tempfile::tempdir().unwrap();
    disk::write_atomic(&directory.path().join("index/ab/-c/ab-cd"), line("ab-cd", "1.0.0").as_bytes()).unwrap();
    disk::write(&directory.path().join("ab-cd-1.0.0.crate"), b"archive").unwrap();
    let scratch = Scratch::new(Registry::Local { directory: directory.path().to_owned() });
    let (downloader, store) = (offline_downloader(), scratch.store());
    let crates = scratch.crates(&downloader);
    assert_eq!(found(&crates.versions(&names(&["ab-cd", "none"])).unwrap()), ["ab-cd 1.0.0", "none is none"]);
    crates.fetch(&[archive("ab-cd", b"archive")], &store, &Silent).unwrap();
    assert!(store.has_blob(BlobDigest::of(b"archive")));
    let error = crates.fetch(&[archive("ab-cd", b"other")], &store, &Silent).unwrap_err();
    assert!(error.facts()[0].contains("is not what was pinned"), "{error:?}");
}
