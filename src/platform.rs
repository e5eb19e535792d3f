//! Platforms: what a built file runs on, written `ARCH-OS-LIBC`, as in `x86_64-linux-gnu`.

mod condition;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use condition::{Condition, ParseConditionError, expression, facts};

/// One kind of machine that outputs are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    arch: Arch,
    libc: Libc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Arch {
    X86_64,
    Aarch64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Libc {
    Gnu,
    Musl,
}

/// Some platforms.
pub type Platforms = BTreeSet<Platform>;

/// The names of platforms, in a sentence.
pub fn listed<'p>(platforms: impl IntoIterator<Item = &'p Platform>) -> String {
    platforms.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Platform {
    /// Every platform that envy knows.
    pub const ALL: [Self; 4] = [
        Self { arch: Arch::X86_64, libc: Libc::Gnu },
        Self { arch: Arch::X86_64, libc: Libc::Musl },
        Self { arch: Arch::Aarch64, libc: Libc::Gnu },
        Self { arch: Arch::Aarch64, libc: Libc::Musl },
    ];

    /// The platform that this envy was compiled for. The crate refuses to compile for any other.
    pub const fn host() -> Self {
        let arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };
        // A musl build of envy runs on hosts whose programs, and toolchains, are for glibc.
        Self { arch, libc: Libc::Gnu }
    }

    /// Rust's name of this platform, as `rustc -vV` prints it.
    pub fn rust_target(self) -> &'static str {
        match (self.arch, self.libc) {
            (Arch::X86_64, Libc::Gnu) => "x86_64-unknown-linux-gnu",
            (Arch::X86_64, Libc::Musl) => "x86_64-unknown-linux-musl",
            (Arch::Aarch64, Libc::Gnu) => "aarch64-unknown-linux-gnu",
            (Arch::Aarch64, Libc::Musl) => "aarch64-unknown-linux-musl",
        }
    }

    /// The instruction set, as in the platform's own name.
    pub fn arch(self) -> &'static str {
        match self.arch {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// The C library, as in the platform's own name.
    pub fn libc(self) -> &'static str {
        match self.libc {
            Libc::Gnu => "gnu",
            Libc::Musl => "musl",
        }
    }

    /// The instruction set, by its number in ELF headers.
    pub fn elf_machine(self) -> u16 {
        match self.arch {
            Arch::X86_64 => 62,
            Arch::Aarch64 => 183,
        }
    }

    /// The program that usually loads others.
    pub fn interpreter(self) -> &'static str {
        match (self.arch, self.libc) {
            (Arch::X86_64, Libc::Gnu) => "/lib64/ld-linux-x86-64.so.2",
            (Arch::X86_64, Libc::Musl) => "/lib/ld-musl-x86_64.so.1",
            (Arch::Aarch64, Libc::Gnu) => "/lib/ld-linux-aarch64.so.1",
            (Arch::Aarch64, Libc::Musl) => "/lib/ld-musl-aarch64.so.1",
        }
    }

    /// What glibc's linker calls libraries for it in its cache.
    pub fn linker_flags(self) -> u32 {
        match self.arch {
            Arch::X86_64 => 0x303,
            Arch::Aarch64 => 0xa03,
        }
    }

    /// The instruction set, in the lexicon of the Remote Execution API (platform property `ISA`).
    pub fn isa(self) -> &'static str {
        match self.arch {
            Arch::X86_64 => "x86-64",
            Arch::Aarch64 => "arm-a64",
        }
    }

    /// The operating system, in the lexicon of the Remote Execution API (platform property `OSFamily`).
    pub fn os_family(self) -> &'static str {
        "linux"
    }
}

/// What built files need from the host that runs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Needs {
    /// The highest version of a glibc symbol that is asked for, as in `2.34`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glibc: Option<String>,
    /// Shared libraries that are loaded from the host, sorted; those of glibc itself are not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    /// The program that loads them, where it is another than the platform's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
}

/// A text names no platform that envy knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown platform `{0}`; known are x86_64-linux-gnu, x86_64-linux-musl, aarch64-linux-gnu and aarch64-linux-musl"
)]
pub struct ParsePlatformError(String);

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, ParsePlatformError> {
        let (arch, libc) = match text {
            "x86_64-linux-gnu" => (Arch::X86_64, Libc::Gnu),
            "x86_64-linux-musl" => (Arch::X86_64, Libc::Musl),
            "aarch64-linux-gnu" => (Arch::Aarch64, Libc::Gnu),
            "aarch64-linux-musl" => (Arch::Aarch64, Libc::Musl),
            _ => return Err(ParsePlatformError(text.to_owned())),
        };
        Ok(Self { arch, libc })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.arch(), self.os_family(), self.libc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_reads_back() {
        for platform in Platform::ALL {
            assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
        assert!("sparc-sunos".parse::<Platform>().is_err());
    }
}
