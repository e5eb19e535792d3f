//! Archives that no honest registry serves. Each holds a crate that would build, and one thing more.
//!
//! ```text
//! for (what, archive) in hostile::ALL {
//!     registry.publish_raw("evil", "1.0.0", archive("evil", "1.0.0"));
//! ```

use std::io::{self, Read};

use flate2::write::GzEncoder;
use tar::EntryType;

use crate::krate::{finish, gzip, header};

/// Makes the archive of a crate, given its name and version.
pub type Make = fn(&str, &str) -> Vec<u8>;

/// What each archive has in it, and how to make it. The bomb is apart.
pub const ALL: [(&str, Make); 13] = [
    ("an entry above the archive", parent),
    ("an absolute entry", absolute),
    ("an entry outside of the crate's directory", beside),
    ("a symlink that leads out", symlink_out),
    ("an absolute symlink", symlink_absolute),
    ("an entry below a symlink that leads out", through_symlink),
    ("a hard link to a file outside", hard_link),
    ("a device", device),
    ("a pipe", pipe),
    ("a file twice, with other content", duplicate),
    ("a file, and another below it", file_then_below),
    ("an end before its end", cut_short),
    ("no archive at all", not_an_archive),
];

/// `hello-1.0.0/../../escaped`
pub fn parent(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).file(&format!("{name}-{version}/../../escaped"), ESCAPED).done()
}

/// `/tmp/envy-escaped`
pub fn absolute(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).file("/tmp/envy-escaped", ESCAPED).done()
}

/// `other-1.0.0/src/main.rs`
pub fn beside(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).file("other-1.0.0/src/main.rs", ESCAPED).done()
}

/// `hello-1.0.0/out -> ../../..`
pub fn symlink_out(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).link(EntryType::Symlink, &format!("{name}-{version}/out"), "../../..").done()
}

/// `hello-1.0.0/out -> /tmp`
pub fn symlink_absolute(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).link(EntryType::Symlink, &format!("{name}-{version}/out"), "/tmp").done()
}

/// `hello-1.0.0/out -> ../..`, then `hello-1.0.0/out/escaped`
pub fn through_symlink(name: &str, version: &str) -> Vec<u8> {
    let out = format!("{name}-{version}/out");
    let archive = Archive::of(name, version).link(EntryType::Symlink, &out, "../..");
    archive.file(&format!("{out}/escaped"), ESCAPED).done()
}

/// `hello-1.0.0/passwd`, the same file as `/etc/passwd`
pub fn hard_link(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).link(EntryType::Link, &format!("{name}-{version}/passwd"), "/etc/passwd").done()
}

/// `hello-1.0.0/null`, as `/dev/null`
pub fn device(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).special(EntryType::Char, &format!("{name}-{version}/null")).done()
}

/// `hello-1.0.0/pipe`, which nobody writes to
pub fn pipe(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).special(EntryType::Fifo, &format!("{name}-{version}/pipe")).done()
}

/// `hello-1.0.0/src/main.rs` again
pub fn duplicate(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).file(&format!("{name}-{version}/src/main.rs"), ESCAPED).done()
}

/// `hello-1.0.0/src/main.rs/below`
pub fn file_then_below(name: &str, version: &str) -> Vec<u8> {
    Archive::of(name, version).file(&format!("{name}-{version}/src/main.rs/below"), ESCAPED).done()
}

/// The first half, although its checksum is right
pub fn cut_short(name: &str, version: &str) -> Vec<u8> {
    let mut bytes = Archive::of(name, version).done();
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// A page, as a hotel's network serves it
pub fn not_an_archive(_: &str, _: &str) -> Vec<u8> {
    b"<!DOCTYPE html><title>Welcome! Please sign in</title>\n".to_vec()
}

/// So many megabytes of nothing, in a thousandth of their size: a tenth of a second for 100 of them
pub fn bomb(name: &str, version: &str, megabytes: usize) -> Vec<u8> {
    let zeros = io::repeat(0).take((megabytes as u64) << 20);
    Archive::of(name, version).entry(&format!("{name}-{version}/zeros"), megabytes << 20, zeros).done()
}

const ESCAPED: &str = "fn main() { println!(\"this must not run\") }\n";

/// An archive that takes any entry, as `tar::Builder` does not.
struct Archive {
    tar: tar::Builder<GzEncoder<Vec<u8>>>,
}

impl Archive {
    fn of(name: &str, version: &str) -> Self {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n");
        let lock = format!("version = 4\n\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        let main = format!("fn main() {{ println!(\"{name} {version}\") }}\n");
        let top = format!("{name}-{version}");
        Self { tar: tar::Builder::new(gzip()) }
            .file(&format!("{top}/Cargo.toml"), &manifest)
            .file(&format!("{top}/Cargo.lock"), &lock)
            .file(&format!("{top}/src/main.rs"), &main)
    }

    fn file(self, path: &str, text: &str) -> Self {
        self.entry(path, text.len(), text.as_bytes())
    }

    fn entry(self, path: &str, size: usize, content: impl Read) -> Self {
        self.append(header(EntryType::Regular, size), path, content)
    }

    fn link(self, kind: EntryType, path: &str, target: &str) -> Self {
        let mut header = header(kind, 0);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        self.append(header, path, io::empty())
    }

    fn special(self, kind: EntryType, path: &str) -> Self {
        let mut header = header(kind, 0);
        header.set_device_major(1).expect("GNU headers have devices");
        header.set_device_minor(3).expect("GNU headers have devices");
        self.append(header, path, io::empty())
    }

    /// The name goes into the header as it is: every check that the library makes is one we are here to evade.
    fn append(mut self, mut header: tar::Header, path: &str, content: impl Read) -> Self {
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        self.tar.append(&header, content).expect("memory takes everything");
        self
    }

    fn done(self) -> Vec<u8> {
        finish(self.tar)
    }
}
