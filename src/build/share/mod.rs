//! Sharing what was compiled between builds, where that cannot change what comes out.
//!
//! In a build with a fence, the place of `rustc` is taken by this very program ([`wrapper`]); the real one lies beside. It
//! describes each call to the envy that runs the build ([`desk`]), over a socket that only this build sees. Envy
//! understands a call ([`call`]) if it compiles a crate that came from outside, from sources, libraries and directories
//! whose content envy knows. Such a call is a *unit*, and its digest ([`key`]) names all that it may read. What a unit
//! gave is in the store; what is not there yet envy makes by itself, in a sandbox that shows nothing but what the digest
//! names ([`compile`]). Any other call, and whatever fails or does something odd there, is left to the build, as if nobody
//! shared anything.
//!
//! What envy believes of a build: nothing. A build chooses arguments, environment and the content of directories that its
//! build scripts filled, and all of these are in the digest. It never hands over anything that was compiled. Envy in turn
//! never writes to, nor reads, a path that a build may write to: the wrapper, which is fenced as the rest of the build,
//! sends and copies.

mod call;
mod compile;
mod depinfo;
mod desk;
mod flight;
mod key;
mod table;
mod talk;
mod trees;
mod wrapper;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sandbox::Mode;
use crate::digest::{BlobDigest, UnitDigest};
use crate::process;
pub use desk::{Counts, Desk, Opening};
use flight::Flight;
pub use key::Ground;
pub use wrapper::rustc;

/// Where a build finds its `rustc`, which is the wrapper.
const WRAPPER: &str = "/envy/toolchain/bin/rustc";
/// Where the compiler itself lies, beside a link to its libraries, by which it finds the rest of the toolchain.
const COMPILER: &str = "/envy/rustc/bin/rustc";
/// What that link is called.
const LIBRARIES: &str = "/envy/rustc/lib";
/// The directory with the socket and with the files that envy hands over.
const DIRECTORY: &str = "/envy/share";
/// The socket.
const SOCKET: &str = "/envy/share/socket";

/// Variables that differ from build to build, and that no unit reads: those of the jobserver, and the time that counts as
/// now. See [`key`] for units that might read the latter.
const MASKED: &[&str] = &["CARGO_MAKEFLAGS", "JOBS", "MAKEFLAGS", "MFLAGS", EPOCH];
/// The time that counts as now.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// A call is left to the build. Why makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure;

impl<E: std::error::Error> From<E> for Failure {
    fn from(_: E) -> Self {
        Self
    }
}

/// What all builds of one run share while it lasts; what stays is in the store.
#[derive(Debug, Default)]
pub struct Sharing {
    flights: Mutex<HashMap<UnitDigest, Arc<Flight>>>,
    proven: Mutex<HashSet<(BlobDigest, bool)>>,
}

impl Sharing {
    /// Sharing, where builds have a fence and the user did not switch it off.
    pub fn wanted(mode: Mode) -> Option<Self> {
        let off = process::variable("ENVY_SHARE").is_some_and(|value| matches!(&*value, "0" | "false" | "no" | "off"));
        (mode == Mode::Namespaces && !off).then(Self::default)
    }

    /// The one flight of a unit, and whether it begins now.
    fn flight(&self, unit: UnitDigest) -> (Arc<Flight>, bool) {
        let mut begins = false;
        let mut flights = locked(&self.flights);
        let flight = flights.entry(unit).or_insert_with(|| {
            begins = true;
            Arc::default()
        });
        (flight.clone(), begins)
    }

    /// Forget a flight whose unit is in the store.
    fn landed(&self, unit: UnitDigest) {
        locked(&self.flights).remove(&unit);
    }
}

/// Nothing that a lock here guards is ever left half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
