use super::*;
use crate::download::Settings;
use crate::download::loopback::{Answer, Loopback};
use crate::progress::Silent;

/// A store, a door to the network, and mirrors.
struct World {
    directory: tempfile::TempDir,
    store: Store,
    downloader: Downloader,
    mirrors: Mirrors,
}

impl World {
    fn new() -> Self {
        Self::with(Settings { retries: 0, ..Settings::default() }, [])
    }

    fn with(settings: Settings, mirrors: impl IntoIterator<Item = (String, String)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        Self { directory, store, downloader: Downloader::new(settings), mirrors: Mirrors::new(mirrors).unwrap() }
    }

    fn mirrored(from: &str, to: &str) -> Self {
        Self::with(Settings { retries: 0, ..Settings::default() }, [(from.to_owned(), to.to_owned())])
    }

    fn fetch(&self, wanted: &[Wanted]) -> Result<Vec<BlobDigest>, String> {
        let archives = Archives::new(&self.downloader, &self.mirrors);
        archives.fetch(wanted, &self.store, &Silent).map_err(|error| match error.facts() {
            facts if facts.is_empty() => error.to_string(),
            facts => format!("{error}: {}", facts.join("; ")),
        })
    }

    fn refused(&self, url: &str, content: Option<&[u8]>, expected: &str) {
        assert_eq!(
            self.fetch(&[wanted(url, content)]).unwrap_err(),
            format!("could not fetch `geoip 1.0`: {expected}")
        );
    }
}

fn wanted(url: &str, content: Option<&[u8]>) -> Wanted {
    Wanted { name: "geoip 1.0".to_owned(), url: url.to_owned(), sha256: content.map(BlobDigest::of) }
}

#[test]
fn what_is_there_is_not_fetched() {
    let server = Loopback::serve(|_, asked| Answer::ok(asked.path.as_bytes()));
    let (world, url) = (World::new(), |path: &str| format!("{}{path}", server.url));
    let both = [wanted(&url("/a"), Some(b"/a")), wanted(&url("/b"), Some(b"/b")), wanted(&url("/a"), Some(b"/a"))];
    let digests = world.fetch(&both).unwrap();
    assert_eq!(digests, [BlobDigest::of(b"/a"), BlobDigest::of(b"/b"), BlobDigest::of(b"/a")]);
    assert_eq!(world.fetch(&both).unwrap(), digests);
    assert_eq!(server.asked().len(), 2);
    assert_eq!(world.store.read_blob(digests[1]).unwrap(), b"/b");
}

#[test]
fn files_are_copied_with_or_without_a_digest() {
    let world = World::new();
    let path = world.directory.path().join("a b.tar");
    disk::write(&path, b"content").unwrap();
    let url = url::Url::from_file_path(&path).unwrap();
    let digest = BlobDigest::of(b"content");
    let both = [wanted(url.as_str(), None), wanted(url.as_str(), Some(b"content"))];
    assert_eq!(world.fetch(&both).unwrap(), [digest, digest]);
    assert_eq!(world.store.read_blob(digest).unwrap(), b"content");
    let other = BlobDigest::of(b"other");
    let text = format!("`{}` is not what was pinned: expected {other}, received {digest}", path.display());
    world.refused(url.as_str(), Some(b"other"), &text);
    world.refused(
        "file:///nowhere/at/all",
        None,
        "could not open `/nowhere/at/all`: No such file or directory (os error 2)",
    );
    let pipe = world.directory.path().join("pipe");
    // Whoever opened it to read would wait for ever: that both its ends are closed is what the test is about.
    drop(disk::named_pipe(&pipe).unwrap());
    for path in [&pipe, world.directory.path()] {
        let url = url::Url::from_file_path(path).unwrap();
        world.refused(url.as_str(), None, &format!("`{}` is no file", path.display()));
    }
}

#[test]
fn addresses_that_are_not_safe_are_refused_before_anything_is_asked() {
    let server = Loopback::serve(|_, _| Answer::ok(b"content"));
    let (world, shown) = (World::new(), format!("{}/a", server.url));
    let url = format!("{shown}?token=1");
    world.refused(
        &url,
        None,
        &format!("`{shown}` is not safe without a sha256: anyone on the way can change what comes over http"),
    );
    let text = "`https://example.org/a` is given with a user or a password, which do not belong into a manifest; a `.netrc` file is for them";
    world.refused("https://me:secret@example.org/a", None, text);
    let text = "`ftp://example.org/a` begins with `ftp:`; archives come from `https:`, from `file:`, and with a sha256 from `http:`";
    world.refused("ftp://example.org/a", Some(b""), text);
    world.refused("a.tar.gz", Some(b""), "`a.tar.gz` is not an address");
    world.refused("https://me:secret@exa mple/", None, "`(no address)` is not an address");
    assert!(server.asked().is_empty());
}

#[test]
fn other_bytes_are_an_error_that_keeps_nothing() {
    let server = Loopback::serve(|_, _| Answer::ok(b"other"));
    let (world, url) = (World::new(), format!("{}/a", server.url));
    let (expected, received) = (BlobDigest::of(b"content"), BlobDigest::of(b"other"));
    let text = format!("`geoip 1.0` from `{url}` is not what was pinned: expected {expected}, received {received}");
    world.refused(&url, Some(b"content"), &text);
    assert!(!world.store.has_blob(received) && !world.store.has_blob(expected));
}

#[test]
fn a_mirror_takes_the_place_of_an_address() {
    let server = Loopback::serve(|_, asked| match asked.path.as_str() {
        "/m/a" => Answer::ok(b"content"),
        "/m/b" => Answer::ok(b"other"),
        _ => Answer::status("404 Not Found"),
    });
    let mirror = format!("{}/m/", server.url);
    let world = World::mirrored("https://example.org/", &mirror);
    let digest = world.fetch(&[wanted("https://example.org/a", Some(b"content"))]).unwrap();
    assert_eq!(digest, [BlobDigest::of(b"content")]);
    let (expected, received) = (BlobDigest::of(b"new"), BlobDigest::of(b"other"));
    let text = format!(
        "`https://example.org/b` is fetched from its mirror `{mirror}b`, and from nowhere else: \
         `geoip 1.0` from `{mirror}b` is not what was pinned: expected {expected}, received {received}"
    );
    world.refused("https://example.org/b", Some(b"new"), &text);
    let text = format!(
        "`https://example.org/c` is fetched from its mirror `{mirror}c`, and from nowhere else: \
         `{mirror}c` answered 404 Not Found"
    );
    world.refused("https://example.org/c", Some(b"new"), &text);
    let text = format!(
        "`https://example.org/a` is fetched from its mirror `{mirror}a`, and from nowhere else: \
         `{mirror}a` is not safe without a sha256: anyone on the way can change what comes over http"
    );
    world.refused("https://example.org/a", None, &text);
}

#[test]
fn offline_all_that_is_missing_is_named_at_once() {
    let world = World::with(Settings { offline: true, ..Settings::default() }, []);
    world.store.put_blob(b"here").unwrap();
    let other = Wanted { name: "other 2.0".to_owned(), ..wanted("https://example.org/b", None) };
    let all = [wanted("https://example.org/a", Some(b"a")), wanted("https://example.org/c", Some(b"here")), other];
    assert_eq!(world.fetch(&all).unwrap_err(), "the network is needed, and may not be used: geoip 1.0, other 2.0");
    assert_eq!(world.fetch(&all[1..2]).unwrap(), [BlobDigest::of(b"here")]);
}

#[test]
fn all_failures_are_told_and_what_arrived_is_kept() {
    let server = Loopback::serve(|_, asked| match asked.path.as_str() {
        "/a" => Answer::ok(b"content"),
        _ => Answer::status("404 Not Found"),
    });
    let world = World::new();
    let one = |name: &str, path: &str| Wanted {
        name: name.to_owned(),
        ..wanted(&format!("{}{path}", server.url), Some(b"content"))
    };
    let missing = Wanted { sha256: Some(BlobDigest::of(b"b")), ..one("b", "/b") };
    let also = Wanted { sha256: Some(BlobDigest::of(b"c")), ..one("c", "/c") };
    let error = world.fetch(&[one("a", "/a"), missing, also]).unwrap_err();
    assert!(error.starts_with("could not fetch `b`, `c`: b: "), "{error}");
    assert!(world.store.has_blob(BlobDigest::of(b"content")));
}
