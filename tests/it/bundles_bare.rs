//! Importing where there is nothing: a root with a C library and no more, and one without even that.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use envy::build::sandbox::{Entry, Fence, Mode, Setting, View};

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

const ENVY: &str = env!("CARGO_BIN_EXE_envy");

/// A program without a C library, for either kind of processor.
const TINY: &str = r#"
summary = "Says that it runs"
tools = ["cc"]

[versions."1.0"]

[[step]]
name = "build"
run = """
cat >tiny.c <<'END'
#if defined(__x86_64__)
static long call(long n, long a, const void *b, long c) {
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
}
enum { WRITE = 1, EXIT = 60 };
#else
static long call(long n, long a, const void *b, long c) {
    register long x8 __asm__("x8") = n; register long x0 __asm__("x0") = a;
    register const void *x1 __asm__("x1") = b; register long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
enum { WRITE = 64, EXIT = 93 };
#endif
void _start(void) { call(WRITE, 1, "it runs\\n", 8); call(EXIT, 0, 0, 0); for (;;); }
END
mkdir -p {{ destdir }}{{ prefix }}/bin
cc -static -nostdlib -O1 -fno-stack-protector -o {{ destdir }}{{ prefix }}/bin/tiny tiny.c
"""
"#;

/// The files that envy itself needs to run, as this host's linker finds them.
fn libraries() -> Vec<PathBuf> {
    let said = Command::new("ldd").arg(ENVY).output().expect("ldd comes with the C library");
    let said = String::from_utf8(said.stdout).expect("paths are texts");
    said.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// Runs a program in a root in which there is this and nothing else, and gives what it said.
fn run(scratch: &Scratch, mut entries: Vec<Entry>, command: &[&str]) -> (bool, String) {
    let (host, log) = (scratch.root().join("host"), scratch.root().join("log"));
    fs::create_dir_all(host.join("project")).unwrap();
    entries.push(Entry::Writable { from: host, to: "/srv".to_owned() });
    let variable = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let environment = [("HOME", "/srv/home"), ("PATH", "/nowhere"), ("ENVY_STORE", "/srv/store")].map(variable);
    let view = View {
        entries,
        environment: environment.into(),
        directory: "/srv/project".to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
    };
    let (fence, reason) = Fence::choose_with_helper(ENVY.into(), Setting::Auto, None).unwrap();
    assert_eq!(fence.mode(), Mode::Namespaces, "{reason:?}");
    let place = tempfile::tempdir().unwrap();
    let status = fence.run(&view, place.path(), &File::create(&log).unwrap()).unwrap();
    (status.success(), fs::read_to_string(log).unwrap())
}

fn shown(from: &Path, to: &str) -> Entry {
    Entry::ReadOnly { from: from.to_owned(), to: to.to_owned() }
}

/// A bundle, where the other root has it.
fn bundle(scratch: &Scratch, site: &str) -> String {
    fs::create_dir_all(scratch.root().join("host")).unwrap();
    scratch.envy(&format!("bundle {site} -o ../host/{site}.envy")).succeeds();
    format!("/srv/{site}.envy")
}

#[test]
fn a_root_with_a_c_library_alone_is_enough() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    let bundle = bundle(&scratch, "api");
    let entries = || {
        let mut entries = vec![shown(Path::new(ENVY), "/opt/envy")];
        entries.extend(libraries().iter().map(|path| shown(path, path.to_str().unwrap())));
        entries
    };

    let (done, said) = run(&scratch, entries(), &["/opt/envy", "import", &bundle]);
    assert!(done && said.contains("switched site `api` to generation 2"), "{said}");
    let (done, said) = run(&scratch, entries(), &["/opt/envy", "run", "api", "--", "hello"]);
    assert!(done && said.contains("hello 1.0.0"), "{said}");
    let (done, said) = run(&scratch, entries(), &["/opt/envy", "import", &bundle]);
    assert!(done && said.contains("unchanged site `api` is at generation 2"), "{said}");
}

#[test]
fn a_site_of_static_programs_needs_nothing_at_all() {
    let scratch = Scratch::new();
    scratch.write("recipes/tiny.toml", TINY);
    scratch.write("envy.toml", "[sites.api.dependencies]\ntiny = { recipe = \"tiny\", version = \"1\" }\n");
    scratch.envy("build").succeeds();
    let bundle = bundle(&scratch, "api");
    // envy's own libraries lie where no linker looks.
    let mut entries = vec![shown(Path::new(ENVY), "/hidden/envy")];
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let libraries = libraries();
    entries.extend(libraries.iter().map(|path| shown(path, &format!("/hidden/{}", name(path)))));
    let linker = libraries.iter().map(|path| name(path)).find(|name| name.starts_with("ld-")).unwrap();
    let linker = format!("/hidden/{linker}");

    let import = [linker.as_str(), "--library-path", "/hidden", "/hidden/envy", "import", &bundle];
    let (done, said) = run(&scratch, entries, &import);
    assert!(done && said.contains("switched site `api` to generation 2"), "{said}");
    let (done, said) = run(&scratch, Vec::new(), &["/srv/project/.envy/sites/api/current/bin/tiny"]);
    assert_eq!((done, said.as_str()), (true, "it runs\n"));
}

#[test]
fn a_host_that_cannot_run_what_is_in_a_bundle_is_told_and_left_as_it_was() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    let bundle = bundle(&scratch, "api");
    let mut entries = vec![shown(Path::new(ENVY), "/hidden/envy")];
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let libraries = libraries();
    entries.extend(libraries.iter().map(|path| shown(path, &format!("/hidden/{}", name(path)))));
    let linker = libraries.iter().map(|path| name(path)).find(|name| name.starts_with("ld-")).unwrap();
    let linker = format!("/hidden/{linker}");

    let import = [linker.as_str(), "--library-path", "/hidden", "/hidden/envy", "import", &bundle];
    let (done, said) = run(&scratch, entries, &import);
    assert!(!done && said.contains("this host cannot run what the lockfile pins"), "{said}");
    let left: Vec<_> = fs::read_dir(scratch.root().join("host/project")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
