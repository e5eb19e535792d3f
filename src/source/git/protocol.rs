//! What is said to a git server and what it answers: listing names and sending packs, in the versions 0 and 2 of the
//! protocol. Pure.
//!
//! Whatever is wanted is asked for in one round: `done` stands at the end of the first question, behind some commits
//! that we have. That may send a little more than a long negotiation would, and saves its rounds.

use std::io::Read;

use super::packet::{self, DELIMITER, FLUSH, Pack, Packet, WireError};
use super::refs::Refs;
use crate::digest::Commit;

/// How we call ourselves.
const AGENT: &str = concat!("agent=envy/", env!("CARGO_PKG_VERSION"));

/// A depth that no history has: all of it.
const BOTTOMLESS: u32 = i32::MAX.cast_unsigned();

/// How a server begins.
#[derive(Debug)]
pub(super) enum Greeting {
    /// By listing all names (versions 0 and 1).
    Listing { refs: Refs, can: Vec<String> },
    /// By saying what it can (version 2).
    Able { can: Vec<String> },
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Ids that are wanted.
    pub(super) wants: Vec<Commit>,
    /// Commits that are here.
    pub(super) haves: Vec<Commit>,
    /// Commits that are here without their parents.
    pub(super) shallow: Vec<Commit>,
    /// Whether only the commits themselves are wanted, without those before.
    pub(super) alone: bool,
}

/// How the commits that are here without their parents change by a pack.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shallow {
    pub(super) more: Vec<Commit>,
    pub(super) less: Vec<Commit>,
}

impl Greeting {
    /// Read how a server begins. Over HTTP some name the service first.
    pub(super) fn read(from: &mut dyn Read) -> Result<Self, WireError> {
        let mut first = packet::read(from)?;
        if matches!(&first, Packet::Data(data) if data.starts_with(b"# service=")) {
            if packet::read(from)? != Packet::Flush {
                return Err(WireError::Malformed("no end after the service's name"));
            }
            first = packet::read(from)?;
        }
        let greeting = match first {
            Packet::Data(data) if line(&data)? == "version 2" => Self::Able { can: lines(from)? },
            Packet::Data(data) if line(&data)? == "version 1" => listing(packet::read(from)?, from)?,
            other => listing(other, from)?,
        };
        match greeting.value("object-format") {
            None | Some("sha1") => Ok(greeting),
            Some(_) => Err(WireError::OtherHash),
        }
    }

    fn can(&self) -> &[String] {
        match self {
            Self::Listing { can, .. } | Self::Able { can } => can,
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.can().iter().find_map(|one| one.strip_prefix(key)?.strip_prefix('='))
    }

    fn has(&self, ability: &str) -> bool {
        self.can().iter().any(|one| one == ability)
    }

    /// Whether commits can be had without those before.
    pub(super) fn can_be_shallow(&self) -> bool {
        match self {
            Self::Listing { .. } => self.has("shallow"),
            Self::Able { .. } => self.value("fetch").is_some_and(|can| can.split(' ').any(|one| one == "shallow")),
        }
    }

    /// Whether it may be asked for any id, whatever its names stand for.
    pub(super) fn gives_any(&self) -> bool {
        let allows = ["allow-reachable-sha1-in-want", "allow-any-sha1-in-want"];
        matches!(self, Self::Able { .. }) || allows.into_iter().any(|allowed| self.has(allowed))
    }

    /// The question for a pack. Where there is nothing shallow on the other side, all history comes.
    pub(super) fn fetch(&self, wish: &Wish) -> Vec<u8> {
        let mut question = Vec::new();
        let shallow = self.can_be_shallow();
        let depth = if wish.alone { 1 } else { BOTTOMLESS };
        let depth = (shallow && (wish.alone || !wish.shallow.is_empty())).then(|| format!("deepen {depth}\n"));
        let known = wish.shallow.iter().filter(|_| shallow).map(|id| format!("shallow {id}\n"));
        let haves = wish.haves.iter().map(|id| format!("have {id}\n"));
        let say = |question: &mut Vec<u8>, text: &str| packet::write(question, text);
        if let Self::Able { .. } = self {
            say(&mut question, "command=fetch\n");
            say(&mut question, &format!("{AGENT}\n"));
            question.extend_from_slice(DELIMITER);
            ["thin-pack\n", "no-progress\n", "ofs-delta\n"].iter().for_each(|text| say(&mut question, text));
            let wants = wish.wants.iter().map(|id| format!("want {id}\n"));
            wants.chain(known).chain(depth).chain(haves).for_each(|text| say(&mut question, &text));
            say(&mut question, "done\n");
            question.extend_from_slice(FLUSH);
            return question;
        }
        let usual = ["side-band-64k", "thin-pack", "no-progress", "ofs-delta"];
        let mut abilities: Vec<_> = usual.into_iter().filter(|one| self.has(one)).collect();
        abilities.extend(shallow.then_some("shallow"));
        abilities.extend(self.value("agent").map(|_| AGENT));
        let tail = format!(" {}", abilities.join(" "));
        let wants = wish.wants.iter().enumerate();
        let wants = wants.map(|(at, id)| format!("want {id}{}\n", if at == 0 { tail.as_str() } else { "" }));
        wants.chain(known).chain(depth).for_each(|text| say(&mut question, &text));
        question.extend_from_slice(FLUSH);
        haves.for_each(|text| say(&mut question, &text));
        say(&mut question, "done\n");
        question
    }

    /// Read what comes before the pack, and give what is to be read as the pack.
    pub(super) fn answer<'r>(&self, wish: &Wish, from: &'r mut dyn Read) -> Result<(Shallow, Pack<'r>), WireError> {
        let mut shallow = Shallow::default();
        if let Self::Able { .. } = self {
            loop {
                let Packet::Data(title) = packet::read(from)? else {
                    return Err(WireError::Malformed("an answer without a pack"));
                };
                match line(&title)? {
                    "packfile" => return Ok((shallow, Pack::new(from))),
                    "shallow-info" => lines(from)?.iter().for_each(|text| shallow.hear(text)),
                    _ => drop(lines(from)?),
                }
            }
        }
        if !self.has("side-band-64k") {
            return Err(WireError::Unsupported("is too old"));
        }
        if self.can_be_shallow() && (wish.alone || !wish.shallow.is_empty()) {
            lines(from)?.iter().for_each(|text| shallow.hear(text));
        }
        loop {
            match packet::read(from)? {
                Packet::Data(data) if data.starts_with(b"ACK ") || data.starts_with(b"NAK") => {}
                Packet::Data(data) => return Ok((shallow, Pack::after(data, from)?)),
                _ => return Err(WireError::Malformed("an answer without a pack")),
            }
        }
    }
}

impl Shallow {
    fn hear(&mut self, text: &str) {
        match text.split_once(' ').map(|(what, id)| (what, id.parse())) {
            Some(("shallow", Ok(id))) => self.more.push(id),
            Some(("unshallow", Ok(id))) => self.less.push(id),
            _ => {}
        }
    }
}

/// The question for all names of a server that speaks version 2.
pub(super) fn list_refs() -> Vec<u8> {
    let mut question = Vec::new();
    packet::write(&mut question, "command=ls-refs\n");
    packet::write(&mut question, &format!("{AGENT}\n"));
    question.extend_from_slice(DELIMITER);
    packet::write(&mut question, "peel\n");
    packet::write(&mut question, "symrefs\n");
    question.extend_from_slice(FLUSH);
    question
}

/// Read the answer to [`list_refs`].
pub(super) fn read_refs(from: &mut dyn Read) -> Result<Refs, WireError> {
    let mut refs = Refs::default();
    for text in lines(from)? {
        let mut words = text.split(' ');
        // A branch without commits has no id.
        let (Some(Ok(id)), Some(name)) = (words.next().map(str::parse), words.next()) else { continue };
        refs.add(name, id);
        for word in words {
            match word.split_once(':') {
                Some(("peeled", peeled)) => {
                    let peeled = peeled.parse().map_err(|_| WireError::Malformed("a name without an id"))?;
                    refs.add(&format!("{name}^{{}}"), peeled);
                }
                Some(("symref-target", branch)) if name == "HEAD" => refs.set_head(branch),
                _ => {}
            }
        }
    }
    Ok(refs)
}

/// A list of names as the versions 0 and 1 begin; behind the first name stands what the server can.
fn listing(first: Packet, from: &mut dyn Read) -> Result<Greeting, WireError> {
    let Packet::Data(first) = first else { return Ok(Greeting::Listing { refs: Refs::default(), can: Vec::new() }) };
    let first = line(&first)?.to_owned();
    let (named, can) = first.split_once('\0').unwrap_or((&first, ""));
    let can: Vec<_> = can.split(' ').map(str::to_owned).collect();
    let mut refs = Refs::default();
    if let Some(branch) = can.iter().find_map(|one| one.strip_prefix("symref=HEAD:")) {
        refs.set_head(branch);
    }
    let rest = lines(from)?;
    for text in std::iter::once(named).chain(rest.iter().map(String::as_str)) {
        let (id, name) = text.split_once(' ').ok_or(WireError::Malformed("what is not git's protocol"))?;
        if name == "capabilities^{}" || id == "shallow" {
            continue;
        }
        refs.add(name, id.parse().map_err(|_| WireError::Malformed("a name without an id"))?);
    }
    Ok(Greeting::Listing { refs, can })
}

/// The lines of a list, or of a part of one.
fn lines(from: &mut dyn Read) -> Result<Vec<String>, WireError> {
    let mut all = Vec::new();
    while let Packet::Data(data) = packet::read(from)? {
        // Names may be in any encoding; those that are not UTF-8 cannot be asked for.
        if let Ok(text) = line(&data) {
            all.push(text.to_owned());
        }
    }
    Ok(all)
}

fn line(data: &[u8]) -> Result<&str, WireError> {
    let text = std::str::from_utf8(data).map_err(|_| WireError::Malformed("a line that is not UTF-8"))?;
    Ok(text.strip_suffix('\n').unwrap_or(text))
}
