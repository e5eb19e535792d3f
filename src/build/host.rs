//! This host, as its dynamic linker sees it: which glibc, which libraries, which interpreters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::elf;
use crate::disk;
use crate::platform::Platform;

/// The directories that are looked through last, whatever is configured.
const USUAL: &[&str] = &["lib", "usr/lib", "lib64", "usr/lib64"];

/// How the newer form of the linker's cache begins, which every glibc since 2.2 writes.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

/// Bytes of the cache's header, and of each entry.
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// What a host offers to programs that were made elsewhere.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    platform: Platform,
    /// Its version of glibc, as in `2.36`, if it has one.
    glibc: Option<String>,
    /// The libraries of its linker's cache, and where they are.
    cached: BTreeMap<String, PathBuf>,
    /// Where else its linker looks.
    directories: Vec<PathBuf>,
}

impl Host {
    /// Look at this host.
    pub fn look() -> Self {
        Self::below(Path::new("/"), Platform::host())
    }

    /// Look at the host whose root directory this is.
    pub fn below(root: &Path, platform: Platform) -> Self {
        let cache = disk::read_if_exists(&root.join("etc/ld.so.cache")).ok().flatten();
        let cached = cache.and_then(|bytes| cached(&bytes, platform));
        let mut directories = Vec::new();
        if cached.is_none() {
            configured(root, Path::new("/etc/ld.so.conf"), &mut directories, 0);
        }
        let triple = format!("{}-linux-gnu", elf::machine_name(platform.elf_machine()));
        for usual in USUAL {
            directories.extend([root.join(usual).join(&triple), root.join(usual)]);
        }
        let cached = cached.unwrap_or_default();
        let within = |path: &str| root.join(path.trim_start_matches('/'));
        let from_cache = cached.get("libc.so.6").map(|path| within(path));
        let libc = from_cache.into_iter().chain(directories.iter().map(|directory| directory.join("libc.so.6")));
        let glibc = libc.filter(|path| disk::is_file(path)).find_map(|path| version_of(&path));
        let cached = cached.into_iter().map(|(name, path)| (name, within(&path))).collect();
        Self { root: root.to_owned(), platform, glibc, cached, directories }
    }

    /// Its platform.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// Its version of glibc, as in `2.36`, if it has one.
    pub fn glibc(&self) -> Option<&str> {
        self.glibc.as_deref()
    }

    /// Whether its linker finds this library, also in these absolute directories.
    pub fn has_library(&self, name: &str, directories: &[String]) -> bool {
        let more = directories.iter().filter(|path| path.starts_with('/')).map(|path| self.within(path));
        self.cached.contains_key(name)
            || self.directories.iter().cloned().chain(more).any(|directory| disk::is_file(&directory.join(name)))
    }

    /// The file that its linker loads as this library: from these directories first, then from where all are.
    pub fn library(&self, name: &str, directories: &[PathBuf]) -> Option<PathBuf> {
        let usual = || self.directories.iter().map(|directory| directory.join(name));
        let first = directories.iter().map(|directory| directory.join(name));
        first.chain(self.cached.get(name).cloned()).chain(usual()).find(|path| disk::is_file(path))
    }

    /// Whether its linker finds what lies in this directory without its configuration.
    pub fn is_usual(&self, directory: &Path) -> bool {
        self.directories.iter().any(|usual| usual == directory)
    }

    /// Whether it has this interpreter.
    pub fn has_interpreter(&self, path: &str) -> bool {
        disk::is_file(&self.within(path))
    }

    fn within(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// The highest version that a libc defines. A few of its bytes tell.
fn version_of(libc: &Path) -> Option<String> {
    let parts = object::ReadCache::new(disk::open(libc).ok()?);
    let versions = elf::defined_versions(&parts).ok()?;
    elf::highest_glibc(&versions).map(|(_, text)| text)
}

/// The libraries for this platform in the linker's cache, with their paths; nothing if it is no cache.
fn cached(bytes: &[u8], platform: Platform) -> Option<BTreeMap<String, String>> {
    // The newer form may stand behind the older one; its offsets count from its own beginning.
    let start = bytes.windows(MAGIC.len()).position(|window| window == MAGIC)?;
    let cache = &bytes[start..];
    let number = |at: usize| Some(u32::from_le_bytes(cache.get(at..at + 4)?.try_into().ok()?));
    let text = |at: u32| {
        let rest = cache.get(usize::try_from(at).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    let mut libraries = BTreeMap::new();
    let count = usize::try_from(number(MAGIC.len())?).ok()?;
    for entry in (0..count).map_while(|index| cache.get(HEADER + index * ENTRY..).map(|_| HEADER + index * ENTRY)) {
        let (Some(flags), Some(name), Some(path)) = (number(entry), number(entry + 4), number(entry + 8)) else {
            break;
        };
        if flags == platform.linker_flags()
            && let (Some(name), Some(path)) = (text(name), text(path))
        {
            // Variants for certain processors stand before the plain library, which is the one that always is there.
            let is_plain = (number(entry + 16), number(entry + 20)) == (Some(0), Some(0));
            if is_plain || !libraries.contains_key(&name) {
                libraries.insert(name, path);
            }
        }
    }
    Some(libraries)
}

/// How deep files of the linker's configuration may include one another.
const DEEPEST: usize = 8;

/// The directories that the linker's configuration names, where there is no cache.
fn configured(root: &Path, file: &Path, directories: &mut Vec<PathBuf>, depth: usize) {
    let within = |path: &str| root.join(path.trim_start_matches('/'));
    let text = disk::read_text_if_exists(&within(&file.to_string_lossy())).ok().flatten().unwrap_or_default();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include ").map(str::trim) {
            Some(pattern) if depth < DEEPEST => {
                for included in matching(root, file, pattern) {
                    configured(root, &included, directories, depth + 1);
                }
            }
            None if line.starts_with('/') => directories.push(within(line)),
            _ => {}
        }
    }
}

/// The files that a pattern means, whose last part alone may have a `*`.
fn matching(root: &Path, file: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = file.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(directory), Some(last)) = (pattern.parent(), pattern.file_name()) else { return Vec::new() };
    let Ok(last) = glob::Pattern::new(&last.to_string_lossy()) else { return Vec::new() };
    let listed = disk::list_if_exists(&root.join(directory.strip_prefix("/").unwrap_or(directory))).unwrap_or_default();
    let names = listed.into_iter().map(|(name, _)| name.to_string_lossy().into_owned());
    names.filter(|name| last.matches(name)).map(|name| directory.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache that holds these libraries.
    fn cache(libraries: &[(u32, &str, &str)]) -> Vec<u8> {
        let mut bytes = [MAGIC, &(libraries.len() as u32).to_le_bytes()].concat();
        bytes.resize(HEADER, 0);
        let mut strings = Vec::new();
        let first = HEADER + libraries.len() * ENTRY;
        for (flags, name, path) in libraries {
            let at = (first + strings.len()) as u32;
            strings.extend(format!("{name}\0{path}\0").bytes());
            for number in [*flags, at, at + name.len() as u32 + 1, 0, 0, 0] {
                bytes.extend(number.to_le_bytes());
            }
        }
        [bytes, strings].concat()
    }

    #[test]
    fn the_cache_of_the_linker_names_libraries() {
        let platform: Platform = "x86_64-linux-gnu".parse().unwrap();
        let bytes = cache(&[(0x303, "libz.so.1", "/lib/x/libz.so.1"), (3, "libold.so", "/lib32/libold.so")]);
        let expected = BTreeMap::from([("libz.so.1".to_owned(), "/lib/x/libz.so.1".to_owned())]);
        assert_eq!(cached(&bytes, platform).as_ref(), Some(&expected));
        let after_the_older = [b"ld.so-1.7.0\0\0\0\0\0".as_slice(), &bytes].concat();
        assert_eq!(cached(&after_the_older, platform), Some(expected));
        assert_eq!(cached(b"nonsense", platform), None);
        for end in 0..bytes.len() {
            let _ = cached(&bytes[..end], platform);
        }
    }

    #[test]
    fn without_a_cache_directories_are_looked_through() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        disk::write_atomic(&root.join("etc/ld.so.conf"), b"# all\ninclude ld.so.conf.d/*.conf\n/opt/one\n").unwrap();
        disk::write_atomic(&root.join("etc/ld.so.conf.d/a.conf"), b"/opt/two # second\n").unwrap();
        disk::write_atomic(&root.join("etc/ld.so.conf.d/b.off"), b"/opt/three\n").unwrap();
        for path in ["opt/one/lib1.so", "opt/two/lib2.so", "opt/three/lib3.so", "usr/lib/lib4.so", "opt/x/lib5.so"] {
            disk::write_atomic(&root.join(path), b"").unwrap();
        }
        let host = Host::below(root, Platform::host());
        let has: Vec<_> = (1..=5).filter(|number| host.has_library(&format!("lib{number}.so"), &[])).collect();
        assert_eq!(has, [1, 2, 4]);
        assert!(host.has_library("lib5.so", &["$ORIGIN".to_owned(), "/opt/x".to_owned()]));
        assert_eq!(host.glibc(), None);
    }

    #[test]
    fn this_very_host_runs_this_very_program() {
        let host = Host::look();
        assert!(host.glibc().is_some_and(|version| version.starts_with("2.")), "{host:?}");
        assert!(host.has_library("libc.so.6", &[]) && host.has_interpreter(Platform::host().interpreter()));
        assert!(!host.has_library("libnone-such.so.0", &[]) && !host.has_interpreter("/lib/ld-none.so.1"));
    }
}
