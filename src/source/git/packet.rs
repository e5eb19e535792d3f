//! Packets: how git's protocol divides a stream. Pure.
//!
//! A packet is its length in four hexadecimal digits (they count too) and its bytes. `0000` ends a list, `0001` parts
//! two lists, `0002` ends a conversation. Where a pack is sent, a packet's first byte says which band it is for: 1 the
//! pack, 2 what people may read, 3 the last words of a server that gives up.

use std::io::{self, Read};

/// The longest packet that git sends or reads.
const LONGEST: usize = 65_520;

/// Ends a list.
pub(super) const FLUSH: &[u8] = b"0000";

/// Parts two lists.
pub(super) const DELIMITER: &[u8] = b"0001";

/// A packet that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// Bytes.
    Data(Vec<u8>),
    /// The end of a list.
    Flush,
    /// The end of a part.
    Delimiter,
    /// The end of all.
    End,
}

/// A server is not understood, or will not.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// The server gave a reason. It is made fit to be shown.
    #[error("the server says: {0}")]
    Refused(String),
    /// It speaks no protocol that we know.
    #[error("the server sent {0}")]
    Malformed(&'static str),
    /// It wants something that we do not do.
    #[error("the server {0}")]
    Unsupported(&'static str),
    /// It has another kind of repository than ours are, so that the program `git` could not bring it here either.
    #[error("the server keeps the repository's objects under another hash than sha1, which envy does not read")]
    OtherHash,
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            // What a socket calls its limit of time speaks of something else.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Self::Broken(io::Error::new(io::ErrorKind::TimedOut, "the server said nothing for too long"))
            }
            Err(error) => Self::Broken(error),
        }
    }
}

/// Read one packet.
pub(super) fn read(from: &mut dyn Read) -> Result<Packet, WireError> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let malformed = WireError::Malformed("what is not git's protocol");
    if !length.iter().all(u8::is_ascii_hexdigit) {
        return Err(malformed);
    }
    let text = std::str::from_utf8(&length).unwrap_or_default();
    match usize::from_str_radix(text, 16) {
        Ok(0) => Ok(Packet::Flush),
        Ok(1) => Ok(Packet::Delimiter),
        Ok(2) => Ok(Packet::End),
        Ok(whole) if (4..=LONGEST).contains(&whole) => {
            let mut data = vec![0; whole - 4];
            from.read_exact(&mut data)?;
            match data.strip_prefix(b"ERR ") {
                Some(said) => Err(WireError::Refused(readable(said))),
                None => Ok(Packet::Data(data)),
            }
        }
        _ => Err(malformed),
    }
}

/// Add a packet to what is to be sent.
pub(super) fn write(to: &mut Vec<u8>, text: &str) {
    to.extend_from_slice(format!("{:04x}{text}", text.len() + 4).as_bytes());
}

/// A server's words in one line, without what would move a terminal's cursor.
fn readable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let clean: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(500).collect();
    clean.trim().to_owned()
}

/// Reads what is for the first band, up to the end of the list.
pub(super) struct Pack<'r> {
    from: &'r mut dyn Read,
    data: Vec<u8>,
    read: usize,
    ended: bool,
    /// How many bytes came.
    pub(super) bytes: u64,
}

impl<'r> Pack<'r> {
    pub(super) fn new(from: &'r mut dyn Read) -> Self {
        Self { from, data: Vec::new(), read: 1, ended: false, bytes: 0 }
    }

    /// A pack whose first packet was read already.
    pub(super) fn after(first: Vec<u8>, from: &'r mut dyn Read) -> Result<Self, WireError> {
        let mut pack = Self::new(from);
        pack.take_in(first)?;
        Ok(pack)
    }

    fn take_in(&mut self, data: Vec<u8>) -> Result<(), WireError> {
        match data.first() {
            Some(1) => (self.bytes, self.read, self.data) = (self.bytes + data.len() as u64 - 1, 1, data),
            Some(2) => {}
            Some(3) => return Err(WireError::Refused(readable(&data[1..]))),
            _ => return Err(WireError::Malformed("a packet for no band")),
        }
        Ok(())
    }
}

impl Read for Pack<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && self.read >= self.data.len() {
            match read(self.from).map_err(io::Error::other)? {
                Packet::Data(data) => self.take_in(data).map_err(io::Error::other)?,
                Packet::Flush | Packet::End | Packet::Delimiter => self.ended = true,
            }
        }
        if self.ended {
            return Ok(0);
        }
        let count = buffer.len().min(self.data.len() - self.read);
        buffer[..count].copy_from_slice(&self.data[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut bytes: &[u8], expected: &str) {
        let packet = read(&mut bytes).map_or_else(|error| error.to_string(), |packet| format!("{packet:?}"));
        assert_eq!(packet, expected);
    }

    #[test]
    fn silence_is_called_by_its_name() {
        let WireError::Broken(why) = WireError::from(io::Error::from(io::ErrorKind::WouldBlock)) else { panic!() };
        assert_eq!(why.to_string(), "the server said nothing for too long");
    }

    #[test]
    fn packets_are_told_apart() {
        check(b"0000", "Flush");
        check(b"0001", "Delimiter");
        check(b"0002", "End");
        check(b"0004", "Data([])");
        check(b"0006ab", "Data([97, 98])");
        check(b"0003", "the server sent what is not git's protocol");
        check(b"ffff", "the server sent what is not git's protocol");
        check(b"+005a", "the server sent what is not git's protocol");
        check(b"<htm", "the server sent what is not git's protocol");
        check(b"0008ab", "the connection broke");
        check(b"0011ERR no\x1b[2Jway\n", "the server says: no [2Jway");
    }

    #[test]
    fn a_pack_is_what_comes_on_the_first_band() {
        let mut bytes = &b"0007\x01ab000c\x02reading0006\x01c0000rest"[..];
        let mut pack = Vec::new();
        Pack::new(&mut bytes).read_to_end(&mut pack).unwrap();
        assert_eq!((pack, bytes), (b"abc".to_vec(), &b"rest"[..]));
        let mut bytes = &b"0007\x01ab0008\x03bad"[..];
        let error = Pack::new(&mut bytes).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(WireError::from(error).to_string(), "the server says: bad");
    }
}
