//! How the facts of a conflict are put. Pure.

use std::fmt;

use super::Hidden;
use super::known::Offer;
use crate::package::{PackageName, Version};

/// One thing that is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Somebody asks for a package.
    Requires {
        /// Who.
        by: String,
        /// Whether that is more than one, so that they `require`.
        many: bool,
        /// Which package.
        name: PackageName,
        /// Which versions of it, as they were written.
        versions: String,
    },
    /// There is no package of this name.
    Unknown {
        /// The name.
        name: PackageName,
        /// Who would have it.
        owner: String,
        /// Names like it that exist.
        similar: Vec<String>,
    },
    /// No version fits.
    None {
        /// The package.
        name: PackageName,
        /// The lowest and the highest version that could be chosen at all.
        offered: Option<(Version, Version)>,
    },
    /// A version would fit, but cannot be chosen.
    Hidden {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// Why not.
        why: Hidden,
    },
    /// Lower versions would fit too, and cannot be chosen for the same kind of reason.
    HiddenToo {
        /// The package.
        name: PackageName,
        /// How many.
        count: usize,
    },
    /// Only pre-releases would fit, and nobody asked for one.
    PrereleasesOnly {
        /// The package.
        name: PackageName,
        /// The highest of them.
        highest: Version,
    },
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requires { by, many, name, versions } => {
                write!(f, "{by} {} {name} {versions}", if *many { "require" } else { "requires" })
            }
            Self::Unknown { name, owner, similar } => {
                write!(f, "{owner} has no crate `{name}`")?;
                match similar.as_slice() {
                    [] => Ok(()),
                    names => write!(f, "; there is `{}`", names.join("`, `")),
                }
            }
            Self::None { name, offered: Some((low, high)) } if low == high => {
                write!(f, "the only version of {name} is {low}")
            }
            Self::None { name, offered: Some((low, high)) } => {
                write!(f, "the versions of {name} go from {low} to {high}")
            }
            Self::None { name, offered: None } => write!(f, "no version of {name} can be chosen"),
            Self::Hidden { name, version, why } => write!(f, "{name} {version} would fit, but {why}"),
            Self::HiddenToo { name, count: 1 } => write!(f, "1 lower version of {name} would fit, and is hidden too"),
            Self::HiddenToo { name, count } => {
                write!(f, "{count} lower versions of {name} would fit, and are hidden too")
            }
            Self::PrereleasesOnly { name, highest } => {
                write!(f, "{name} has only pre-releases, up to {highest}, and they are taken only if asked for")
            }
        }
    }
}

/// How many stretches of versions are named one by one.
const STRETCHES: usize = 4;

/// Candidates of a package, as those who require something, and whether that is more than one of them. Several in a row
/// are one stretch; hidden ones between them do not count.
pub(super) fn versions(offer: &Offer, numbers: &[u32]) -> (String, bool) {
    let name = &offer.name;
    let visible: Vec<u32> =
        offer.numbered().filter(|(_, one)| one.hidden.is_none()).map(|(number, _)| number).collect();
    let stretches = stretches(&visible, numbers);
    let version = |number: u32| &offer.candidates[number as usize].version;
    let of = |(low, high): &(u32, u32)| match low == high {
        true => version(*low).to_string(),
        false => format!("{} to {}", version(*low), version(*high)),
    };
    match stretches.as_slice() {
        [] => (format!("every {name}"), false),
        [(low, high)] if low == high => (format!("{name} {}", version(*low)), false),
        [(low, high)] if visible.first() == Some(low) && visible.last() == Some(high) => {
            (format!("every {name}"), false)
        }
        [(low, high)] => (format!("every {name} from {} to {}", version(*low), version(*high)), false),
        [some @ .., last] if stretches.len() <= STRETCHES => {
            let some: Vec<_> = some.iter().map(of).collect();
            (format!("{name} {} and {}", some.join(", "), of(last)), true)
        }
        [(low, _), .., (_, high)] => {
            (format!("{} versions of {name} from {} to {}", numbers.len(), version(*low), version(*high)), true)
        }
    }
}

/// The first and the last of each row of numbers that follow each other among those that can be chosen.
fn stretches(visible: &[u32], numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut stretches: Vec<(u32, u32)> = Vec::new();
    let mut goes_on = false;
    for number in visible {
        let is_in = numbers.contains(number);
        match stretches.last_mut() {
            Some((_, high)) if is_in && goes_on => *high = *number,
            _ if is_in => stretches.push((*number, *number)),
            _ => {}
        }
        goes_on = is_in;
    }
    stretches
}
