//! Archives as tests pack them, and a place on the loopback that serves files.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read as _, Write as _};
use std::sync::{Arc, Mutex};

use tar::EntryType;

use crate::krate::header;
use crate::registry::checksum;
use crate::server::{Fault, Response, Server, lock};

/// A server of files. It listens until it is dropped.
pub struct Files {
    server: Server,
    shelf: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Files {
    pub fn new() -> Self {
        let shelf = Arc::<Mutex<BTreeMap<String, Vec<u8>>>>::default();
        let served = Arc::clone(&shelf);
        let server = Server::start(move |request| {
            lock(&served).get(&request.path).map_or_else(|| Response::status(404), |bytes| Response::ok(bytes.clone()))
        });
        Self { server, shelf }
    }

    /// Serves this at a path, which begins with `/`, and says how a manifest names it: its `url` and its `sha256`.
    pub fn put(&self, path: &str, bytes: Vec<u8>) -> String {
        let sum = checksum(&bytes);
        lock(&self.shelf).insert(path.to_owned(), bytes);
        format!("url = \"{}\", sha256 = \"{sum}\"", self.url(path))
    }

    /// `http://127.0.0.1:PORT/…`
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    /// Every request so far with the status it was given: `GET /tool.tar 200`.
    pub fn requests(&self) -> Vec<String> {
        self.server.requests()
    }

    /// Starts the list of requests anew.
    pub fn forget_requests(&self) {
        self.server.forget_requests();
    }

    /// From now on, misbehaves on every path that contains `pattern`.
    pub fn misbehave(&self, pattern: &str, fault: Fault) {
        self.server.misbehave(pattern, fault);
    }

    /// Stops listening, for good.
    pub fn go_away(&self) {
        self.server.go_away();
    }
}

/// A program that prints a text.
pub fn script(text: &str) -> String {
    format!("#!/bin/sh\necho {text}\n")
}

/// A tar archive in the making, which takes any entry.
pub struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// A file.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(EntryType::Regular, 0o644, path, "", content.as_ref())
    }

    /// A file that may be executed.
    pub fn program(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(EntryType::Regular, 0o755, path, "", content.as_ref())
    }

    /// An entry of any kind without content, as a link to a target where its kind has one.
    pub fn special(self, kind: EntryType, path: &str, target: &str) -> Self {
        self.entry(kind, 0o644, path, target, b"")
    }

    /// The names go into the header as they are, which the library would refuse of some.
    fn entry(mut self, kind: EntryType, mode: u32, path: &str, target: &str, content: &[u8]) -> Self {
        let mut header = header(kind, content.len());
        header.set_mode(mode);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).expect("memory takes everything");
        self
    }

    pub fn done(self) -> Vec<u8> {
        self.0.into_inner().expect("memory takes everything")
    }
}

/// A zip archive of programs: path and content.
pub fn zip(programs: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in programs {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file(*path, options).expect("memory takes everything");
        zip.write_all(content.as_bytes()).expect("memory takes everything");
    }
    zip.finish().expect("memory takes everything").into_inner()
}

/// Packed by gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = crate::krate::gzip();
    writer.write_all(bytes).expect("memory takes everything");
    writer.finish().expect("memory takes everything")
}

/// Packed by xz.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
    writer.write_all(bytes).expect("memory takes everything");
    writer.finish().expect("memory takes everything")
}

/// Packed by zstd.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory takes everything")
}

/// Packed by bzip2.
pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    writer.write_all(bytes).expect("memory takes everything");
    writer.finish().expect("memory takes everything")
}

/// An archive of so many megabytes of nothing, packed into a few kilobytes.
pub fn bomb(megabytes: u64) -> Vec<u8> {
    let packed = zstd::Encoder::new(Vec::new(), 1).expect("it has that level");
    let mut tar = tar::Builder::new(packed);
    let mut header = header(EntryType::Regular, 0);
    header.set_size(megabytes << 20);
    let zeros = io::repeat(0).take(megabytes << 20);
    tar.append_data(&mut header, "zeros", zeros).expect("memory takes everything");
    tar.into_inner().and_then(zstd::Encoder::finish).expect("memory takes everything")
}
