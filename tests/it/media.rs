//! What documents fetch from `example.org`: git repositories and archives, in a directory that a mirror leads to.
//!
//! ```text
//! shop/api.git          one program, with versions as tags
//! shop/apps.git         a workspace of two programs, each with tags of its own
//! shop/billing.git      one program, with one version
//! shop/web.git          a program with the submodule shop/theme.git
//! shop/maps.git         a program with a file in Git LFS
//! files/relay-1.4.0-ARCH.tar.gz    a prebuilt program
//! files/geoip-2026.1.tar.gz        data
//! files/greet-2.0.0.tar.gz         a package of cargo's
//! files/knock-1.3.0.tar.gz         a program in C
//! ```

use std::fs;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, RepositoryInitOptions, Signature, Time};

use crate::krate::{finish, gzip, header};

/// Write everything below a directory.
pub fn write(directory: &Path) {
    fs::create_dir_all(directory.join("files")).expect("there is room for a directory");
    repositories(&directory.join("shop"));
    archives(&directory.join("files"));
}

fn repositories(shop: &Path) {
    let api = Bare::new(&shop.join("api.git"));
    for version in ["0.16.0", "0.16.1", "0.17.0"] {
        let commit = api.commit(&program("api", version));
        api.tag(&format!("v{version}"), commit);
    }
    api.branch("next", api.commit(&program("api", "0.18.0-dev")));

    let billing = Bare::new(&shop.join("billing.git"));
    billing.tag("v0.1.0", billing.commit(&program("billing", "0.1.0")));

    let apps = Bare::new(&shop.join("apps.git"));
    for form in ["1.1.0", "1.2.0"] {
        let commit = apps.commit(&workspace(&[("contact-form", form), ("mailer", "0.3.0")]));
        apps.tag(&format!("contact-form-v{form}"), commit);
        apps.tag("mailer-v0.3.0", commit);
    }

    let theme = Bare::new(&shop.join("theme.git"));
    let dark = theme.commit(&[file("name.txt", "dark")]);
    let web = Bare::new(&shop.join("web.git"));
    let mut files = program("web", "1.0.0");
    files[1].1 = "fn main() {\n    println!(\"web in {}\", include_str!(\"../theme/name.txt\"));\n}\n".to_owned();
    files.push(file(".gitmodules", "[submodule \"theme\"]\n\tpath = theme\n\turl = ../theme.git\n"));
    web.tag("v1.0.0", web.commit_with(&files, Some(("theme", dark))));

    let maps = Bare::new(&shop.join("maps.git"));
    let mut files = program("maps", "1.0.0");
    files.push(file(".gitattributes", "*.tiles filter=lfs diff=lfs merge=lfs -text\n"));
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9000000\n", "0".repeat(64));
    files.push(file("world.tiles", &pointer));
    maps.tag("v1.0.0", maps.commit(&files));
}

fn archives(files: &Path) {
    for arch in ["x86_64", "aarch64"] {
        let relay = ("relay-1.4.0/relay", "#!/bin/sh\necho relay 1.4.0\n", 0o755);
        let name = format!("relay-1.4.0-{arch}.tar.gz");
        archive(&files.join(name), &[("relay-1.4.0/README.md", &format!("relay for {arch}\n"), 0o644), relay]);
    }
    let geoip = [("geoip-2026.1/countries.db", "data\n", 0o644), ("geoip-2026.1/LICENSE", "free\n", 0o644)];
    archive(&files.join("geoip-2026.1.tar.gz"), &geoip);
    let knock = [
        ("knock-1.3.0/knock.c", "#include <stdio.h>\n\nint main(void) {\n    puts(WORD \", \" WORD);\n}\n", 0o644),
        ("knock-1.3.0/LICENSE", "free\n", 0o644),
    ];
    archive(&files.join("knock-1.3.0.tar.gz"), &knock);
    let greet = program("greet", "2.0.0");
    let greet: Vec<_> = greet.iter().map(|(path, text)| (format!("greet-2.0.0/{path}"), text)).collect();
    let greet: Vec<_> = greet.iter().map(|(path, text)| (path.as_str(), text.as_str(), 0o644)).collect();
    archive(&files.join("greet-2.0.0.tar.gz"), &greet);
}

fn file(path: &str, text: &str) -> (String, String) {
    (path.to_owned(), text.to_owned())
}

/// A package with one program, which tells its name and version.
fn program(name: &str, version: &str) -> Vec<(String, String)> {
    let head = format!("name = \"{name}\"\nversion = \"{version}\"\n");
    vec![
        file("Cargo.toml", &format!("[package]\n{head}edition = \"2021\"\n")),
        file("src/main.rs", &format!("fn main() {{\n    println!(\"{name} {version}\");\n}}\n")),
        file("Cargo.lock", &format!("version = 4\n\n[[package]]\n{head}")),
    ]
}

/// A workspace of programs, below `crates`.
fn workspace(members: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut files = vec![file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n")];
    let mut lock = "version = 4\n".to_owned();
    for (name, version) in members {
        let own = program(name, version).into_iter().filter(|(path, _)| path != "Cargo.lock");
        files.extend(own.map(|(path, text)| (format!("crates/{name}/{path}"), text)));
        lock += &format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    }
    files.push(file("Cargo.lock", &lock));
    files
}

fn archive(path: &Path, files: &[(&str, &str, u32)]) {
    let mut tar = tar::Builder::new(gzip());
    for (name, text, mode) in files {
        let mut head = header(tar::EntryType::Regular, text.len());
        head.set_mode(*mode);
        tar.append_data(&mut head, name, text.as_bytes()).expect("memory takes everything");
    }
    fs::write(path, finish(tar)).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

/// A bare repository that is written without the program `git`.
struct Bare(Repository);

impl Bare {
    fn new(path: &Path) -> Self {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).mkpath(true).initial_head("main").external_template(false);
        Self(Repository::init_opts(path, &options).expect("there is room for a repository"))
    }

    fn commit(&self, files: &[(String, String)]) -> Oid {
        self.commit_with(files, None)
    }

    /// A commit on `main`, after those that are there.
    fn commit_with(&self, files: &[(String, String)], submodule: Option<(&str, Oid)>) -> Oid {
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            update.upsert(path.as_str(), self.0.blob(text.as_bytes()).expect("a blob is written"), FileMode::Blob);
        }
        if let Some((path, commit)) = submodule {
            update.upsert(path, commit, FileMode::Commit);
        }
        let empty = self.0.treebuilder(None).and_then(|tree| tree.write()).expect("a tree is written");
        let empty = self.0.find_tree(empty).expect("it was just written");
        let tree = update.create_updated(&self.0, &empty).expect("a tree is written");
        let tree = self.0.find_tree(tree).expect("it was just written");
        let parent = self.0.head().ok().map(|head| head.peel_to_commit().expect("a head is a commit"));
        let parents: Vec<_> = parent.iter().collect();
        let ada = Signature::new("ada", "ada@example.org", &Time::new(1_780_000_000, 0)).expect("a name is a name");
        let message = format!("commit {}", files.first().map_or("", |(_, text)| text));
        self.0.commit(Some("HEAD"), &ada, &ada, &message, &tree, &parents).expect("a commit is written")
    }

    fn tag(&self, name: &str, commit: Oid) {
        self.0.reference(&format!("refs/tags/{name}"), commit, true, "").expect("a name is written");
    }

    fn branch(&self, name: &str, commit: Oid) {
        self.0.reference(&format!("refs/heads/{name}"), commit, true, "").expect("a name is written");
    }
}
