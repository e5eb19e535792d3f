//! The file itself: a tar archive, packed by zstd, that leaves nothing to choose. Each name and size gives exactly one header,
//! so that a reader which knows what has to come next compares headers, and understands none.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use super::Error;

/// The level at which bundles are packed.
const LEVEL: i32 = 3;

const BLOCK: usize = 512;

/// How much is read at a time.
const PIECE: usize = 256 * 1024;

/// Packs a bundle.
pub struct Packer<W: Write> {
    to: zstd::stream::write::Encoder<'static, W>,
}

impl<W: Write> Packer<W> {
    pub fn new(to: W) -> io::Result<Self> {
        let mut to = zstd::stream::write::Encoder::new(to, LEVEL)?;
        to.include_checksum(true)?;
        Ok(Self { to })
    }

    /// Add a file: its name, its size, and exactly so many bytes.
    pub fn add(&mut self, path: &str, size: u64, bytes: impl Read) -> io::Result<()> {
        let header = header(path, size).ok_or_else(|| io::Error::other(format!("`{path}` is too long a path")))?;
        self.to.write_all(&header)?;
        let copied = io::copy(&mut bytes.take(size), &mut self.to)?;
        if copied != size {
            return Err(io::Error::other(format!("`{path}` has {copied} bytes, and {size} were expected")));
        }
        self.to.write_all(&[0; BLOCK][..padding(size)])
    }

    /// Write the end, and give back what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        self.to.finish()
    }
}

/// Unpacks a bundle, in the order in which it was packed.
pub struct Unpacker<R: Read> {
    from: zstd::stream::read::Decoder<'static, io::BufReader<R>>,
    buffer: Vec<u8>,
}

impl<R: Read> Unpacker<R> {
    pub fn new(from: R) -> io::Result<Self> {
        let from = zstd::stream::read::Decoder::new(from)?.single_frame();
        Ok(Self { from, buffer: vec![0; PIECE] })
    }

    /// The first file, which has this name and some size up to a limit.
    pub fn first(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let block = self.block()?;
        let size = Header::from_byte_slice(&block).entry_size().ok().filter(|size| *size <= limit);
        let size = size.filter(|size| header(path, *size).is_some_and(|expected| expected == block));
        let size = size.ok_or(Error::NoBundle)?;
        let mut bytes = Vec::new();
        self.content(size, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The next file, which has this name and this size; its bytes go to `each`, piece by piece.
    pub fn next(&mut self, path: &str, size: u64, each: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let block = self.block()?;
        if header(path, size).is_none_or(|expected| expected != block) {
            return Err(Error::Unexpected { expected: path.to_owned(), found: told(&block) });
        }
        self.content(size, each)
    }

    /// Nothing comes any more.
    pub fn end(mut self) -> Result<(), Error> {
        for _ in 0..2 {
            let block = self.block()?;
            if block.iter().any(|byte| *byte != 0) {
                return Err(Error::Unexpected { expected: "its end".to_owned(), found: told(&block) });
            }
        }
        let after = |found: &str| Error::Unexpected { expected: "its end".to_owned(), found: found.to_owned() };
        if self.from.read(&mut self.buffer).map_err(Error::Unpack)? != 0 {
            return Err(after("more bytes"));
        }
        let mut rest = self.from.finish();
        match rest.read(&mut self.buffer).map_err(Error::Unpack)? {
            0 => Ok(()),
            _ => Err(after("more bytes behind it")),
        }
    }

    fn block(&mut self) -> Result<[u8; BLOCK], Error> {
        let mut block = [0; BLOCK];
        self.from.read_exact(&mut block).map_err(cut)?;
        Ok(block)
    }

    fn content(&mut self, size: u64, mut each: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
            let count = match self.from.read(&mut self.buffer[..most]) {
                Ok(0) => return Err(Error::Cut),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cut(error)),
            };
            each(&self.buffer[..count])?;
            left -= count as u64;
        }
        let mut padded = [0; BLOCK];
        let padded = &mut padded[..padding(size)];
        self.from.read_exact(padded).map_err(cut)?;
        if padded.iter().any(|byte| *byte != 0) {
            return Err(Error::Between);
        }
        Ok(())
    }
}

/// An end that comes too soon is told as such.
fn cut(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { Error::Cut } else { Error::Unpack(error) }
}

/// How many bytes follow a file so that the next begins at a block.
fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// The one header that a file of this name and size has; nothing where the name is longer than a header holds.
fn header(path: &str, size: u64) -> Option<[u8; BLOCK]> {
    let mut header = Header::new_ustar();
    header.set_path(path).ok()?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Some(*header.as_bytes())
}

/// Whether a file of this name can be in a bundle.
pub fn takes(path: &str) -> bool {
    header(path, 0).is_some()
}

/// What a header says, for a message.
fn told(block: &[u8; BLOCK]) -> String {
    if block.iter().all(|byte| *byte == 0) {
        return "its end".to_owned();
    }
    let header = Header::from_byte_slice(block);
    let path = String::from_utf8_lossy(&header.path_bytes()).escape_debug().to_string();
    let size = header.entry_size().map_or_else(|_| "some".to_owned(), |size| size.to_string());
    let kind = match header.entry_type() {
        EntryType::Regular => "",
        EntryType::Symlink => "a symlink ",
        EntryType::Link => "a hard link ",
        EntryType::Directory => "a directory ",
        _ => "something else, ",
    };
    format!("{kind}`{path}` of {size} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut packer = Packer::new(Vec::new()).unwrap();
        for (path, text) in files {
            packer.add(path, text.len() as u64, text.as_bytes()).unwrap();
        }
        packer.finish().unwrap()
    }

    fn unpacked(bytes: &[u8], files: &[(&str, u64)]) -> Result<Vec<String>, Error> {
        let (mut unpacker, mut texts) = (Unpacker::new(bytes).unwrap(), Vec::new());
        for (path, size) in files {
            let mut text = Vec::new();
            unpacker.next(path, *size, |piece| {
                text.extend_from_slice(piece);
                Ok(())
            })?;
            texts.push(String::from_utf8(text).unwrap());
        }
        unpacker.end().map(|()| texts)
    }

    #[test]
    fn files_come_back_in_their_order_and_another_is_told() {
        let bytes = packed(&[("a", "one"), ("b/c", "")]);
        assert_eq!(bytes, packed(&[("a", "one"), ("b/c", "")]));
        assert_eq!(unpacked(&bytes, &[("a", 3), ("b/c", 0)]).unwrap(), ["one", ""]);
        let told = |files: &[(&str, u64)]| unpacked(&bytes, files).unwrap_err().to_string();
        assert_eq!(told(&[("a", 3), ("b", 0)]), "`b` was expected, and `b/c` of 0 bytes is there");
        assert_eq!(told(&[("a", 3)]), "`its end` was expected, and `b/c` of 0 bytes is there");
        assert_eq!(told(&[("a", 4)]), "`a` was expected, and `a` of 3 bytes is there");
    }

    #[test]
    fn what_is_cut_short_or_goes_on_is_refused() {
        let bytes = packed(&[("a", "one")]);
        for end in 0..bytes.len() {
            assert!(Unpacker::new(&bytes[..end]).is_err() || unpacked(&bytes[..end], &[("a", 3)]).is_err(), "{end}");
        }
        let more = [&bytes[..], b"more"].concat();
        assert!(matches!(unpacked(&more, &[("a", 3)]), Err(Error::Unexpected { .. })));
        let twice = [&bytes[..], &bytes[..]].concat();
        assert!(matches!(unpacked(&twice, &[("a", 3)]), Err(Error::Unexpected { .. })));
    }

    #[test]
    fn bytes_between_files_are_told() {
        let mut plain = zstd::decode_all(&packed(&[("a", "one"), ("b", "two")])[..]).unwrap();
        plain[BLOCK + 3] = b'!';
        let told =
            unpacked(&zstd::encode_all(&plain[..], LEVEL).unwrap(), &[("a", 3), ("b", 3)]).unwrap_err().to_string();
        assert_eq!(told, "there are bytes between two files that belong to neither");
    }

    #[test]
    fn a_path_that_no_header_holds_is_refused() {
        assert!(takes(&format!("{}/{}", "d".repeat(150), "f".repeat(99))));
        assert!(!takes(&"f".repeat(200)));
    }
}
