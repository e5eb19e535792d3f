//! What distributions call the packages that tools and libraries are in.

use std::path::Path;

use crate::disk;

/// A family of distributions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Debian,
    Fedora,
    Alpine,
    Arch,
}

/// The distribution of this host.
#[derive(Clone, Debug)]
pub struct Distribution {
    name: String,
    family: Option<Family>,
}

/// A tool or a library, and its package for Debian, Fedora, Alpine and Arch; a name that ends in `*` stands for all that begin so.
type Row = (&'static str, [&'static str; 4]);

const TOOLS: &[Row] = &[
    ("autoconf", ["autoconf", "autoconf", "autoconf", "autoconf"]),
    ("automake", ["automake", "automake", "automake", "automake"]),
    ("bash", ["bash", "bash", "bash", "bash"]),
    ("bison", ["bison", "bison", "bison", "bison"]),
    ("bwrap", ["bubblewrap", "bubblewrap", "bubblewrap", "bubblewrap"]),
    ("bzip2", ["bzip2", "bzip2", "bzip2", "bzip2"]),
    ("c++", ["g++", "gcc-c++", "g++", "gcc"]),
    ("cc", ["build-essential", "gcc", "build-base", "base-devel"]),
    ("clang", ["clang", "clang", "clang", "clang"]),
    ("cmake", ["cmake", "cmake", "cmake", "cmake"]),
    ("curl", ["curl", "curl", "curl", "curl"]),
    ("diff", ["diffutils", "diffutils", "diffutils", "diffutils"]),
    ("find", ["findutils", "findutils", "findutils", "findutils"]),
    ("flex", ["flex", "flex", "flex", "flex"]),
    ("gawk", ["gawk", "gawk", "gawk", "gawk"]),
    ("git", ["git", "git", "git", "git"]),
    ("go", ["golang", "golang", "go", "go"]),
    ("gperf", ["gperf", "gperf", "gperf", "gperf"]),
    ("gzip", ["gzip", "gzip", "gzip", "gzip"]),
    ("libtool", ["libtool", "libtool", "libtool", "libtool"]),
    ("m4", ["m4", "m4", "m4", "m4"]),
    ("make", ["make", "make", "make", "make"]),
    ("meson", ["meson", "meson", "meson", "meson"]),
    ("mold", ["mold", "mold", "mold", "mold"]),
    ("nasm", ["nasm", "nasm", "nasm", "nasm"]),
    ("ninja", ["ninja-build", "ninja-build", "samurai", "ninja"]),
    ("node", ["nodejs", "nodejs", "nodejs", "nodejs"]),
    ("npm", ["npm", "npm", "npm", "npm"]),
    ("patch", ["patch", "patch", "patch", "patch"]),
    ("perl", ["perl", "perl", "perl", "perl"]),
    ("pkg-config", ["pkgconf", "pkgconf-pkg-config", "pkgconf", "pkgconf"]),
    ("protoc", ["protobuf-compiler", "protobuf-compiler", "protoc", "protobuf"]),
    ("python3", ["python3", "python3", "python3", "python"]),
    ("ssh", ["openssh-client", "openssh-clients", "openssh-client", "openssh"]),
    ("tar", ["tar", "tar", "tar", "tar"]),
    ("tclsh", ["tcl", "tcl", "tcl", "tcl"]),
    ("unzip", ["unzip", "unzip", "unzip", "unzip"]),
    ("xz", ["xz-utils", "xz", "xz", "xz"]),
    ("yasm", ["yasm", "yasm", "yasm", "yasm"]),
    ("zstd", ["zstd", "zstd", "zstd", "zstd"]),
];

const LIBRARIES: &[Row] = &[
    ("libatomic.so*", ["libatomic1", "libatomic", "libatomic", "gcc-libs"]),
    ("libbz2.so*", ["libbz2-1.0", "bzip2-libs", "libbz2", "bzip2"]),
    ("libcrypt.so.1", ["libcrypt1", "libxcrypt-compat", "libxcrypt", "libxcrypt-compat"]),
    ("libcrypto.so.3", ["libssl3", "openssl-libs", "libcrypto3", "openssl"]),
    ("libcurl.so*", ["libcurl4", "libcurl", "libcurl", "curl"]),
    ("libexpat.so*", ["libexpat1", "expat", "libexpat", "expat"]),
    ("libffi.so*", ["libffi8", "libffi", "libffi", "libffi"]),
    ("libgcc_s.so*", ["libgcc-s1", "libgcc", "libgcc", "gcc-libs"]),
    ("liblzma.so*", ["liblzma5", "xz-libs", "xz-libs", "xz"]),
    ("libncursesw.so*", ["libncursesw6", "ncurses-libs", "libncursesw", "ncurses"]),
    ("libpam.so*", ["libpam0g", "pam-libs", "linux-pam", "pam"]),
    ("libpcre2-8.so*", ["libpcre2-8-0", "pcre2", "pcre2", "pcre2"]),
    ("libpq.so*", ["libpq5", "libpq", "libpq", "postgresql-libs"]),
    ("libreadline.so*", ["libreadline8", "readline", "readline", "readline"]),
    ("libsqlite3.so*", ["libsqlite3-0", "sqlite-libs", "sqlite-libs", "sqlite"]),
    ("libssl.so.3", ["libssl3", "openssl-libs", "libssl3", "openssl"]),
    ("libstdc++.so*", ["libstdc++6", "libstdc++", "libstdc++", "gcc-libs"]),
    ("libsystemd.so*", ["libsystemd0", "systemd-libs", "libsystemd", "systemd-libs"]),
    ("libudev.so*", ["libudev1", "systemd-libs", "eudev-libs", "systemd-libs"]),
    ("libuuid.so*", ["libuuid1", "libuuid", "libuuid", "util-linux-libs"]),
    ("libxml2.so*", ["libxml2", "libxml2", "libxml2", "libxml2"]),
    ("libz.so*", ["zlib1g", "zlib", "zlib", "zlib"]),
    ("libzstd.so*", ["libzstd1", "libzstd", "zstd-libs", "zstd"]),
];

impl Distribution {
    /// That of this host.
    pub fn look() -> Self {
        let read = |path| disk::read_text_if_exists(Path::new(path)).ok().flatten();
        Self::of(&read("/etc/os-release").or_else(|| read("/usr/lib/os-release")).unwrap_or_default())
    }

    /// The one that an `os-release` file tells of. Pure.
    fn of(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim().trim_matches(['"', '\'']).to_owned())
        };
        let like = value("ID_LIKE").unwrap_or_default();
        let ids: Vec<_> = value("ID").into_iter().chain(like.split_whitespace().map(str::to_owned)).collect();
        let family = ids.iter().find_map(|id| match id.as_str() {
            "debian" | "ubuntu" => Some(Family::Debian),
            "fedora" | "rhel" | "centos" => Some(Family::Fedora),
            "alpine" => Some(Family::Alpine),
            "arch" => Some(Family::Arch),
            _ => None,
        });
        Self { name: value("PRETTY_NAME").or_else(|| value("ID")).unwrap_or_else(|| "unknown".to_owned()), family }
    }

    /// What it calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The package that a tool is in, where that is known.
    pub fn package_of_tool(&self, tool: &str) -> Option<String> {
        self.package(TOOLS, tool)
    }

    /// The package that a library is in, where that is known.
    pub fn package_of_library(&self, library: &str) -> Option<String> {
        self.package(LIBRARIES, library)
    }

    fn package(&self, table: &[Row], wanted: &str) -> Option<String> {
        let is_it = |name: &str| match name.strip_suffix('*') {
            Some(begin) => wanted.starts_with(begin),
            None => name == wanted,
        };
        let (_, names) = table.iter().find(|(name, _)| is_it(name))?;
        Some(names[self.family? as usize].to_owned())
    }

    /// What installs packages, if there are any, and the distribution is known.
    pub fn command(&self, packages: &[String]) -> Option<String> {
        let install = match self.family? {
            Family::Debian => "apt-get install",
            Family::Fedora => "dnf install",
            Family::Alpine => "apk add",
            Family::Arch => "pacman -S",
        };
        (!packages.is_empty()).then(|| format!("sudo {install} {}", packages.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(release: &str, tool: &str, library: &str, expected: [Option<&str>; 3]) {
        let distribution = Distribution::of(release);
        let (tool, library) = (distribution.package_of_tool(tool), distribution.package_of_library(library));
        let command = distribution.command(&tool.clone().into_iter().collect::<Vec<_>>());
        assert_eq!([tool, library, command], expected.map(|one| one.map(str::to_owned)), "{release}");
    }

    #[test]
    fn each_family_has_its_names() {
        let (tool, library) = ("ninja", "libssl.so.3");
        check(
            "ID=ubuntu\nID_LIKE=debian\n",
            tool,
            library,
            [Some("ninja-build"), Some("libssl3"), Some("sudo apt-get install ninja-build")],
        );
        check(
            "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
            "cc",
            "libz.so.1",
            [Some("gcc"), Some("zlib"), Some("sudo dnf install gcc")],
        );
        check("ID=alpine\n", tool, library, [Some("samurai"), Some("libssl3"), Some("sudo apk add samurai")]);
        check("ID=manjaro\nID_LIKE=arch\n", tool, "libnone.so.1", [Some("ninja"), None, Some("sudo pacman -S ninja")]);
        check("ID=haiku\n", tool, library, [None; 3]);
    }

    #[test]
    fn the_tables_are_sorted_and_know_each_thing_once() {
        for table in [TOOLS, LIBRARIES] {
            assert!(table.is_sorted_by(|one, next| one.0 < next.0));
        }
    }
}
