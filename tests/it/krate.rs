//! A tiny crate, as a test describes it and as it is published. (`crate` is a keyword.)

use std::collections::BTreeMap;
use std::fmt::Write as _;

use flate2::{Compression, GzBuilder};
use semver::{Version, VersionReq};
use serde_json::json;

/// A crate that a test publishes: real enough for cargo to build, small enough to build in half a second.
///
/// Without `.bin()`, `.lib()` or `.file()` of a source, cargo refuses it, as it would anywhere. A crate with a
/// binary carries a `Cargo.lock`, made from what is published at that moment, unless told otherwise.
#[derive(Clone)]
pub struct Crate {
    pub name: String,
    pub version: Version,
    pub yanked: bool,
    pub dependencies: Vec<Dependency>,
    pub lock: Lock,
    /// The registry beside crates.io whose crates it depends on, as cargo writes it when it publishes.
    pub registry: Option<String>,
    files: BTreeMap<String, String>,
    binaries: Vec<String>,
    features: BTreeMap<String, Vec<String>>,
    rust_version: Option<String>,
    published: Option<String>,
    metadata: String,
    manifest: String,
}

/// What a crate asks for.
#[derive(Clone)]
pub struct Dependency {
    pub name: String,
    pub range: VersionReq,
    pub kind: &'static str,
    pub optional: bool,
    /// The index of the registry that it comes from, if that is not crates.io.
    pub index: Option<String>,
}

/// The `Cargo.lock` that a crate carries.
#[derive(Clone)]
pub enum Lock {
    /// One that fits, if it has a binary.
    Usual,
    /// One that fits.
    Made,
    /// This text.
    Text(String),
    /// None.
    Missing,
}

impl Crate {
    /// An empty crate.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: Version::parse(version).expect("tests publish semver versions"),
            yanked: false,
            dependencies: Vec::new(),
            lock: Lock::Usual,
            registry: None,
            files: BTreeMap::new(),
            binaries: Vec::new(),
            features: BTreeMap::new(),
            rust_version: None,
            published: None,
            metadata: String::new(),
            manifest: String::new(),
        }
    }

    /// A program. It prints `NAME VERSION`; `NAME exit 3` ends with 3, `NAME env VAR` prints a variable, and
    /// `NAME args …` prints each further argument on a line. An own source can follow by `.file()`.
    pub fn bin(mut self, name: &str) -> Self {
        self.binaries.push(name.to_owned());
        let (path, source) = (self.path_of(name), program(name, &self.version));
        self.file(&path, &source)
    }

    /// A library with one function, `name()`, that gives `NAME VERSION`.
    pub fn lib(self) -> Self {
        let source = format!("pub fn name() -> &'static str {{\n    \"{} {}\"\n}}\n", self.name, self.version);
        self.file("src/lib.rs", &source)
    }

    /// A file, in place of one that is there already. `Cargo.toml` too, which otherwise is made from the rest.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// A dependency; the range as in a manifest.
    pub fn dep(self, name: &str, range: &str) -> Self {
        self.depends(name, range, "normal", false)
    }

    /// A dependency that a feature brings in: `.optional_dep("tls", "1").feature("secure", &["dep:tls"])`.
    pub fn optional_dep(self, name: &str, range: &str) -> Self {
        self.depends(name, range, "normal", true)
    }

    /// A dependency of the crate's tests.
    pub fn dev_dep(self, name: &str, range: &str) -> Self {
        self.depends(name, range, "dev", false)
    }

    /// A dependency of the crate's build script.
    pub fn build_dep(self, name: &str, range: &str) -> Self {
        self.depends(name, range, "build", false)
    }

    /// A feature and what it turns on.
    pub fn feature(mut self, name: &str, enables: &[&str]) -> Self {
        self.features.insert(name.to_owned(), enables.iter().map(|&it| it.to_owned()).collect());
        self
    }

    /// The oldest Rust that builds it: `1.200` is one that nobody has.
    pub fn rust_version(mut self, version: &str) -> Self {
        self.rust_version = Some(version.to_owned());
        self
    }

    /// When it was published, as the index tells it: `2026-11-20T00:00:00Z`.
    pub fn published(mut self, time: &str) -> Self {
        self.published = Some(time.to_owned());
        self
    }

    /// Carries this `Cargo.lock`.
    pub fn lock(mut self, text: &str) -> Self {
        self.lock = Lock::Text(text.to_owned());
        self
    }

    /// Carries a `Cargo.lock` that fits what is published.
    pub fn with_lock(mut self) -> Self {
        self.lock = Lock::Made;
        self
    }

    /// Carries no `Cargo.lock`.
    pub fn without_lock(mut self) -> Self {
        self.lock = Lock::Missing;
        self
    }

    /// Lines below `[package.metadata.envy]`.
    pub fn metadata(mut self, toml: &str) -> Self {
        self.metadata += toml;
        self
    }

    /// Tables at the end of `Cargo.toml`, as they are.
    pub fn manifest(mut self, toml: &str) -> Self {
        self.manifest += toml;
        self
    }

    /// Published and yanked.
    pub fn yanked(mut self) -> Self {
        self.yanked = true;
        self
    }

    fn depends(mut self, name: &str, range: &str, kind: &'static str, optional: bool) -> Self {
        let range = VersionReq::parse(range).expect("tests ask for semver ranges");
        self.dependencies.push(Dependency { name: name.to_owned(), range, kind, optional, index: None });
        self
    }

    fn path_of(&self, binary: &str) -> String {
        if binary == self.name { "src/main.rs".to_owned() } else { format!("src/bin/{binary}.rs") }
    }

    /// Whether it is to have a `Cargo.lock` made.
    pub fn wants_lock(&self) -> bool {
        matches!(self.lock, Lock::Made) || matches!(self.lock, Lock::Usual) && !self.binaries.is_empty()
    }

    /// The `.crate` file: the same bytes for the same crate, whenever and wherever.
    pub fn archive(&self) -> Vec<u8> {
        let mut files = self.files.clone();
        let manifest = files.remove("Cargo.toml").unwrap_or_else(|| self.cargo_toml());
        files.insert("Cargo.toml.orig".to_owned(), manifest.clone());
        files.insert("Cargo.toml".to_owned(), manifest);
        if let Lock::Text(text) = &self.lock {
            files.insert("Cargo.lock".to_owned(), text.clone());
        }
        let mut tar = tar::Builder::new(gzip());
        for (path, text) in files {
            let mut header = header(tar::EntryType::Regular, text.len());
            let path = format!("{}-{}/{path}", self.name, self.version);
            tar.append_data(&mut header, path, text.as_bytes()).expect("memory takes everything");
        }
        finish(tar)
    }

    fn cargo_toml(&self) -> String {
        let mut toml = format!("[package]\nname = \"{}\"\nversion = \"{}\"\n", self.name, self.version);
        toml += "edition = \"2021\"\ndescription = \"Published by a test\"\nlicense = \"MIT\"\n";
        if let Some(version) = &self.rust_version {
            line(&mut toml, format_args!("rust-version = \"{version}\""));
        }
        if !self.metadata.is_empty() {
            line(&mut toml, format_args!("\n[package.metadata.envy]\n{}", self.metadata));
        }
        for name in &self.binaries {
            line(&mut toml, format_args!("\n[[bin]]\nname = \"{name}\"\npath = \"{}\"", self.path_of(name)));
        }
        for (kind, table) in [("normal", "dependencies"), ("build", "build-dependencies"), ("dev", "dev-dependencies")]
        {
            self.dependency_table(&mut toml, kind, table);
        }
        if !self.features.is_empty() {
            toml += "\n[features]\n";
        }
        for (name, enables) in &self.features {
            line(&mut toml, format_args!("{name} = {enables:?}"));
        }
        if !self.manifest.is_empty() {
            line(&mut toml, format_args!("\n{}", self.manifest));
        }
        toml
    }

    fn dependency_table(&self, toml: &mut String, kind: &str, table: &str) {
        let dependencies: Vec<_> = self.dependencies.iter().filter(|it| it.kind == kind).collect();
        if !dependencies.is_empty() {
            line(toml, format_args!("\n[{table}]"));
        }
        for Dependency { name, range, optional, index, .. } in dependencies {
            let optional = if *optional { ", optional = true" } else { "" };
            let index = index.as_ref().or(self.registry.as_ref());
            let index = index.map(|index| format!(", registry-index = \"{index}\"")).unwrap_or_default();
            line(toml, format_args!("{name} = {{ version = \"{range}\"{optional}{index} }}"));
        }
    }

    /// Its line in the index, once its archive is made.
    pub fn index_entry(&self, checksum: &str) -> serde_json::Value {
        let dependencies: Vec<_> = self.dependencies.iter().map(Dependency::index_entry).collect();
        // What older cargos do not understand, registries put apart.
        let (new, old): (BTreeMap<_, _>, BTreeMap<_, _>) = self
            .features
            .iter()
            .partition(|(_, enables)| enables.iter().any(|it| it.contains(':') || it.contains('?')));
        let mut entry = json!({
            "name": self.name, "vers": self.version.to_string(), "deps": dependencies, "cksum": checksum,
            "features": old, "yanked": self.yanked,
        });
        if !new.is_empty() {
            entry["features2"] = json!(new);
            entry["v"] = json!(2);
        }
        if let Some(version) = &self.rust_version {
            entry["rust_version"] = json!(version);
        }
        if let Some(time) = &self.published {
            entry["pubtime"] = json!(time);
        }
        entry
    }
}

impl Dependency {
    fn index_entry(&self) -> serde_json::Value {
        json!({
            "name": self.name, "req": self.range.to_string(), "features": [], "optional": self.optional,
            "default_features": true, "target": null, "kind": self.kind,
        })
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

fn program(name: &str, version: &Version) -> String {
    format!(
        r#"use std::env;

fn main() {{
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {{
        Some("exit") => std::process::exit(arguments[1].parse().unwrap()),
        Some("env") => println!("{{}}", env::var(&arguments[1]).unwrap_or_default()),
        Some("args") => arguments[1..].iter().for_each(|it| println!("{{it}}")),
        _ => println!("{name} {version}"),
    }}
}}
"#
    )
}

/// Where a compressed archive is written to: memory, without a time.
pub fn gzip() -> flate2::write::GzEncoder<Vec<u8>> {
    GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast())
}

/// A tar header as cargo writes it: its fixed time, no owner.
pub fn header(kind: tar::EntryType, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_mtime(1_153_704_088);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size as u64);
    header
}

/// The bytes of a finished archive.
pub fn finish(tar: tar::Builder<flate2::write::GzEncoder<Vec<u8>>>) -> Vec<u8> {
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("memory takes everything")
}
