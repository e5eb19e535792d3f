use std::collections::BTreeSet;
use std::path::Path;

use super::loopback::{Answer, Loopback};
use super::*;
use crate::progress::Silent;

fn downloader() -> Downloader {
    let quick = Duration::from_millis(1);
    Downloader::new(Settings { stall_timeout: Duration::from_millis(200), first_pause: quick, ..Settings::default() })
}

fn wanted(url: &str, into: &Path, content: &[u8]) -> FileRequest {
    let (name, url) = ("thing 1.0".to_owned(), url.to_owned());
    FileRequest {
        name,
        url,
        into: into.to_owned(),
        expected: Some(BlobDigest::of(content)),
        max_size: 1 << 20,
        authorization: Authorization::Nobody,
    }
}

/// Fetch one file from a server, and give its content, or the error's text.
fn fetch(server: &Loopback, content: &[u8]) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().unwrap();
    let request = wanted(&format!("{}/thing?token=1", server.url), directory.path(), content);
    let read = |fetched: FetchedFile| disk::read(fetched.file.path()).unwrap();
    let mut results = downloader().fetch_files(&[request], &Silent, read).unwrap();
    let result = results.remove(0).map_err(|error| error.to_string().replace(&server.url, "http://server"));
    assert!(disk::list(directory.path()).unwrap().is_empty(), "no temporary file stays behind");
    result
}

fn ask(server: &Loopback, revision: Option<Revision>) -> Result<TextReply, Error> {
    downloader()
        .fetch_texts(&[TextRequest {
            url: format!("{}/text", server.url),
            revision,
            authorization: Authorization::Nobody,
        }])
        .unwrap()
        .remove(0)
}

#[test]
fn a_passing_server_error_is_tried_again() {
    let server = Loopback::serve(|before, _| match before {
        0 => Answer::status("500 Internal Server Error"),
        1 => Answer::Whole("429 Too Many Requests", vec![("retry-after", "0".into())], Vec::new()),
        _ => Answer::ok(b"content"),
    });
    assert_eq!(fetch(&server, b"content").unwrap(), b"content");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_file_that_is_not_there_is_asked_for_once() {
    let server = Loopback::serve(|_, _| Answer::status("404 Not Found"));
    assert_eq!(fetch(&server, b"").unwrap_err(), "`http://server/thing` answered 404 Not Found");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_server_that_stops_sending_is_left_after_the_stall_timeout() {
    let server = Loopback::serve(|_, _| Answer::Stall(b"content".to_vec(), 3));
    assert_eq!(fetch(&server, b"content").unwrap_err(), "`http://server/thing` sent nothing for 0.2 s");
    assert_eq!(server.asked().len(), 4, "and asked again as often as settings say");
}

#[test]
fn a_cut_file_goes_on_where_it_broke_off() {
    let server = Loopback::serve(|before, asked| match before {
        0 => Answer::Cut(b"0123456789".to_vec(), 4),
        _ => {
            assert_eq!(asked.header("range"), Some("bytes=4-"));
            Answer::Whole("206 Partial Content", vec![("content-range", "bytes 4-9/10".into())], b"456789".to_vec())
        }
    });
    assert_eq!(fetch(&server, b"0123456789").unwrap(), b"0123456789");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_cut_file_starts_over_where_the_server_knows_no_ranges() {
    let server = Loopback::serve(|before, _| match before {
        0 => Answer::Cut(b"0123456789".to_vec(), 4),
        1 => Answer::status("416 Range Not Satisfiable"),
        _ => Answer::ok(b"0123456789"),
    });
    assert_eq!(fetch(&server, b"0123456789").unwrap(), b"0123456789");
}

#[test]
fn redirects_in_a_circle_are_left() {
    let server =
        Loopback::serve(|_, _| Answer::Whole("302 Found", vec![("location", "/thing?token=1".into())], Vec::new()));
    assert_eq!(
        fetch(&server, b"").unwrap_err(),
        "`http://server/thing` was not followed: its redirects lead in a circle"
    );
}

#[test]
fn wrong_content_is_asked_for_twice_and_then_refused() {
    let server = Loopback::serve(|_, _| Answer::ok(b"something else"));
    let error = fetch(&server, b"content").unwrap_err();
    let (expected, received) = (BlobDigest::of(b"content"), BlobDigest::of(b"something else"));
    let text = format!(
        "`thing 1.0` from `http://server/thing` is not what was pinned: expected {expected}, received {received}"
    );
    assert_eq!(error, text);
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn more_bytes_than_there_may_be_are_refused_at_once() {
    let server = Loopback::serve(|_, _| Answer::ok(&[0; (1 << 20) + 1]));
    assert_eq!(
        fetch(&server, b"").unwrap_err(),
        "`http://server/thing` is larger than the 1048576 bytes that it may have"
    );
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_disk_that_takes_nothing_is_an_error_of_its_own() {
    let server = Loopback::serve(|_, _| Answer::ok(b"content"));
    let request = wanted(&server.url, Path::new("/nowhere/at/all"), b"content");
    let results = downloader().fetch_files(&[request], &Silent, |_| ()).unwrap();
    assert!(matches!(&results[0], Err(Error::Disk(_))), "{results:?}");
}

#[test]
fn results_stand_in_the_order_of_the_requests() {
    let server = Loopback::serve(|_, asked| Answer::ok(asked.path.as_bytes()));
    let directory = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..40).map(|number| format!("/{number}")).collect();
    let requests: Vec<_> =
        paths.iter().map(|path| wanted(&format!("{}{path}", server.url), directory.path(), path.as_bytes())).collect();
    let results =
        downloader().fetch_files(&requests, &Silent, |fetched| disk::read(fetched.file.path()).unwrap()).unwrap();
    let contents: Vec<_> = results.into_iter().map(|result| String::from_utf8(result.unwrap()).unwrap()).collect();
    assert_eq!(contents, paths);
}

#[test]
fn an_offline_downloader_names_all_that_was_asked_for() {
    let downloader = Downloader::new(Settings { offline: true, ..Settings::default() });
    let one = wanted("http://127.0.0.1:9/1", Path::new("/nowhere"), b"");
    let two = FileRequest { name: "other 2.0".into(), ..one.clone() };
    let error = downloader.fetch_files(&[one, two], &Silent, |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the network is needed, and may not be used: thing 1.0, other 2.0");
    assert!(downloader.fetch_files(&[], &Silent, |_| ()).unwrap().is_empty(), "nothing needs no network");
}

#[test]
fn a_text_that_is_known_is_not_sent_again() {
    let server = Loopback::serve(|_, asked| match asked.header("if-none-match") {
        Some("\"1\"") => Answer::status("304 Not Modified"),
        _ => Answer::Whole("200 OK", vec![("etag", "\"1\"".into())], b"text".to_vec()),
    });
    let revision = Some(Revision::Etag("\"1\"".into()));
    assert_eq!(ask(&server, None).unwrap(), TextReply::Body { bytes: b"text".to_vec(), revision: revision.clone() });
    assert_eq!(ask(&server, revision).unwrap(), TextReply::Unchanged);
}

#[test]
fn a_text_without_a_revision_has_none() {
    let server = Loopback::serve(|_, _| Answer::ok(b"text"));
    assert_eq!(ask(&server, None).unwrap(), TextReply::Body { bytes: b"text".to_vec(), revision: None });
}

#[test]
fn a_packed_text_is_unpacked() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, b"text").unwrap();
    let packed = packer.finish().unwrap();
    let server =
        Loopback::serve(move |_, _| Answer::Whole("200 OK", vec![("content-encoding", "gzip".into())], packed.clone()));
    assert_eq!(ask(&server, None).unwrap(), TextReply::Body { bytes: b"text".to_vec(), revision: None });
}

#[test]
fn texts_that_are_gone_are_missing_and_others_are_errors() {
    for (status, missing) in [
        ("404 Not Found", true),
        ("410 Gone", true),
        ("451 Unavailable For Legal Reasons", true),
        ("403 Forbidden", false),
    ] {
        let server = Loopback::serve(move |_, _| Answer::status(status));
        assert_eq!(matches!(ask(&server, None), Ok(TextReply::Missing)), missing, "{status}");
    }
}

#[test]
fn addresses_are_shown_without_what_is_secret() {
    let shown: BTreeSet<_> =
        ["https://me:secret@a.example/x?token=1#y", "https://a.example/x"].map(error::shown).into();
    assert_eq!(shown, BTreeSet::from(["https://a.example/x".to_owned()]));
}

#[test]
fn a_token_reaches_its_host_and_no_other() {
    let other = Loopback::serve(|_, _| Answer::ok(b"text"));
    let elsewhere = format!("{}/elsewhere", other.url);
    let server = Loopback::serve(move |_, asked| match asked.path.as_str() {
        "/text" => Answer::Whole("302 Found", vec![("location", "/there".into())], Vec::new()),
        _ => Answer::Whole("302 Found", vec![("location", elsewhere.clone())], Vec::new()),
    });
    let authorization = Authorization::Token(Secret::new("sesame"));
    let request = TextRequest { url: format!("{}/text", server.url), revision: None, authorization };
    assert!(downloader().fetch_texts(&[request]).unwrap().remove(0).is_ok());
    let told = |server: &Loopback| -> Vec<_> {
        server.asked().iter().map(|asked| asked.header("authorization").map(str::to_owned)).collect()
    };
    assert_eq!(told(&server), vec![Some("sesame".to_owned()); 2]);
    assert_eq!(told(&other), [None]);
}

#[test]
fn a_token_is_not_sent_where_others_can_read_it() {
    let ask = |url: &str, token: &str| {
        let request =
            TextRequest { url: url.into(), revision: None, authorization: Authorization::Token(Secret::new(token)) };
        downloader().fetch_texts(&[request]).unwrap().remove(0).unwrap_err().to_string()
    };
    let refused = "`http://a.example/x` is not encrypted, so it is told no token and no password";
    assert_eq!(ask("http://a.example/x", "sesame"), refused);
    let broken = "the token for `http://127.0.0.1/x` has characters that cannot be sent";
    assert_eq!(ask("http://127.0.0.1/x", "ses\name"), broken);
}

#[test]
fn the_users_netrc_names_the_user_to_its_host_and_no_other() {
    let other = Loopback::serve(|_, _| Answer::ok(b"content"));
    let elsewhere = other.url.clone();
    let server =
        Loopback::serve(move |_, _| Answer::Whole("302 Found", vec![("location", elsewhere.clone())], Vec::new()));
    let netrc =
        Some(Netrc::parse("machine 127.0.0.1 login me password word\nmachine a.example login me password word"));
    let downloader = Downloader::new(Settings { netrc, ..Settings::default() });
    let directory = tempfile::tempdir().unwrap();
    let fetch = |url: &str, authorization| {
        let request = FileRequest { authorization, ..wanted(url, directory.path(), b"content") };
        downloader.fetch_files(&[request], &Silent, |_| ()).unwrap().remove(0).unwrap();
    };
    fetch(&server.url, Authorization::Netrc);
    fetch(&server.url.replace("//", "//me@"), Authorization::Netrc);
    fetch(&server.url, Authorization::Nobody);
    let told = |server: &Loopback| -> Vec<_> {
        server.asked().iter().map(|asked| asked.header("authorization").map(str::to_owned)).collect()
    };
    let basic = || Some("Basic bWU6d29yZA==".to_owned());
    assert_eq!(told(&server), [basic(), basic(), None]);
    assert_eq!(told(&other), [None, None, None]);
}

#[test]
fn a_file_that_comes_forward_may_break_off_more_often_than_one_that_does_not() {
    let content = vec![7; 6 << 20];
    let sent = content.clone();
    let server = Loopback::serve(move |_, asked| {
        let range = asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let start: usize = range.map_or(0, |start| start.parse().unwrap());
        Answer::CutPart(sent.clone(), start, 1 << 20)
    });
    let directory = tempfile::tempdir().unwrap();
    let request = FileRequest { max_size: 8 << 20, ..wanted(&server.url, directory.path(), &content) };
    let settings = Settings { retries: 1, first_pause: Duration::from_millis(1), ..Settings::default() };
    let results = Downloader::new(settings).fetch_files(&[request], &Silent, |fetched| fetched.size).unwrap();
    assert_eq!(results[0].as_ref().unwrap(), &(6 << 20));
    assert_eq!(server.asked().len(), 6);
}

#[test]
fn without_certificates_the_plain_web_is_still_there() {
    let server = Loopback::serve(|_, _| Answer::ok(b"text"));
    let network = Network { has_certificates: false, ..Network::open(&Settings::default()).unwrap() };
    let downloader = Downloader { settings: Settings::default(), network: Mutex::new(Some(Arc::new(network))) };
    let ask = |url: &str| {
        let request = TextRequest { url: url.to_owned(), revision: None, authorization: Authorization::Nobody };
        downloader.fetch_texts(&[request]).unwrap().remove(0)
    };
    assert!(ask(&server.url).is_ok());
    assert!(matches!(ask("https://a.example/"), Err(Error::NoCertificates)));
}

#[test]
fn bytes_that_are_taken_slowly_may_take_longer_than_a_stall() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/thing", listener.local_addr().unwrap());
    let size = 64 << 20;
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut buffer, mut read) = (vec![0; 64 << 10], 0);
        // With the head of the request a little more comes.
        while read < size {
            read += stream.read(&mut buffer).unwrap();
            std::thread::sleep(Duration::from_millis(3));
        }
        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        // Nothing is cut that is still on its way.
        let _ = stream.read(&mut buffer);
    });
    let settings = Settings { stall_timeout: Duration::from_secs(1), retries: 0, ..Settings::default() };
    let content = Content::Bytes(vec![7; size]);
    let request = SendRequest { url, content, authorization: Authorization::Nobody };
    Downloader::new(settings).send(&[request]).unwrap().remove(0).unwrap();
    server.join().unwrap();
}
