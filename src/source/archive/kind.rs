//! What an archive is: by its first bytes, and where they do not say, by its name. Pure.

use std::io::{self, BufRead, Read};

/// How many of the first bytes are looked at: as many as a tar header has.
pub(super) const HEAD: usize = 512;

/// The most memory that an xz stream may ask for, in bytes. The highest of xz's own levels asks for 65 MiB.
const XZ_MEMORY: u64 = 1 << 30;

/// How something is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

/// What is in it when it is no longer packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Tar,
    Zip,
    Program,
}

impl Packing {
    /// How it is packed, if it is.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, ..] => Some(Self::Bzip2),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    /// All that it holds, of all its members and frames.
    pub(super) fn unpack<'r>(self, packed: impl BufRead + 'r) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(packed, stream))
            }
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(packed)?),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
        })
    }

    /// The name without the ending that says how it is packed.
    pub(super) fn inner_name(self, name: &str) -> String {
        let (ending, tar): (&str, &[&str]) = match self {
            Self::Gzip => (".gz", &[".tgz"]),
            Self::Xz => (".xz", &[".txz"]),
            Self::Zstd => (".zst", &[".tzst"]),
            Self::Bzip2 => (".bz2", &[".tbz2", ".tbz"]),
        };
        if let Some(stem) = tar.iter().find_map(|ending| name.strip_suffix(ending)) {
            return format!("{stem}.tar");
        }
        name.strip_suffix(ending).filter(|stem| !stem.is_empty()).unwrap_or(name).to_owned()
    }
}

impl Format {
    /// What it is, if it is anything that we unpack.
    pub(super) fn of(head: &[u8], name: &str) -> Option<Self> {
        if is_tar(head) {
            Some(Self::Tar)
        } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if is_program(head) {
            Some(Self::Program)
        } else if name.ends_with(".tar") {
            Some(Self::Tar)
        } else {
            None
        }
    }
}

/// Whether a file that begins like this can be run: ELF, or a script that names its interpreter.
pub(super) fn is_program(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF") || head.starts_with(b"#!")
}

/// Whether it begins with a tar header: marked as one, or, as before there were marks, with the right sum.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..HEAD) else { return false };
    if &header[257..262] == b"ustar" {
        return true;
    }
    let text = String::from_utf8_lossy(&header[148..156]);
    let told = u32::from_str_radix(text.trim_matches([' ', '\0']), 8);
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    told == Ok(sum(&header[..148]) + 8 * u32::from(b' ') + sum(&header[156..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_count_before_names() {
        assert_eq!(Packing::of(b"\x1f\x8b\x08"), Some(Packing::Gzip));
        assert_eq!(Packing::of(b"BZh91AY&SY"), Some(Packing::Bzip2));
        assert_eq!(Packing::of(b"BZhello"), None);
        assert_eq!(Format::of(b"PK\x03\x04", "x.tar"), Some(Format::Zip));
        assert_eq!(Format::of(b"#!/bin/sh", "x.tar"), Some(Format::Program));
        assert_eq!(Format::of(b"nonsense", "x.tar"), Some(Format::Tar));
        assert_eq!(Format::of(b"<!doctype html>", "x.tar.gz"), None);
    }

    #[test]
    fn a_single_file_loses_the_ending_of_its_packing() {
        assert_eq!(Packing::Gzip.inner_name("tool.gz"), "tool");
        assert_eq!(Packing::Zstd.inner_name("a.tzst"), "a.tar");
        assert_eq!(Packing::Xz.inner_name("tool"), "tool");
        assert_eq!(Packing::Gzip.inner_name(".gz"), ".gz");
    }
}
