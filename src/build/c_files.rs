//! What a C compiler reads by itself: its own programs, its start files, the C library with its headers, and the kernel's
//! headers. What other packages put beside them is not among it: it belongs to a build's declared inputs.

use std::path::{Path, PathBuf};

use super::Error;
use super::host_files::HostFiles;
use crate::disk;
use crate::process;

/// Names of parts of a compiler's own directory that are for other languages or for other instruction sets.
const NOT_C: &[&str] = &[
    "32",
    "x32",
    "adainclude",
    "adalib",
    "cc1gm2",
    "cc1obj",
    "cc1objplus",
    "d21",
    "f951",
    "finclude",
    "gnat1",
    "go1",
    "libcaf_single.a",
    "libgfortran.a",
    "libgfortran.so",
    "libgfortran.spec",
    "libgo.a",
    "libgo.so",
    "libgphobos.a",
    "libgphobos.so",
    "plugin",
    "rust1",
];

/// Files of the C library to link with; what a linker script among them names comes along.
const LINKED: &[&str] = &[
    "Mcrt1.o",
    "Scrt1.o",
    "crt1.o",
    "crti.o",
    "crtn.o",
    "gcrt1.o",
    "grcrt1.o",
    "rcrt1.o",
    "libanl.a",
    "libanl.so",
    "libc.a",
    "libc.so",
    "libc_nonshared.a",
    "libcrypt.a",
    "libcrypt.so",
    "libdl.a",
    "libdl.so",
    "libg.a",
    "libm.a",
    "libm.so",
    "libmcheck.a",
    "libmvec.a",
    "libmvec.so",
    "libpthread.a",
    "libpthread.so",
    "libpthread_nonshared.a",
    "libresolv.a",
    "libresolv.so",
    "librt.a",
    "librt.so",
    "libutil.a",
    "libutil.so",
    "libgcc_s.so",
    "libgcc_s.so.1",
    "libstdc++.so.6",
];

/// Headers of a C library at the top of its directory: C, POSIX and what Linux adds, whatever the C library is.
const HEADERS: &str = "a.out aio aliases alloca ar argp argz assert byteswap complex cpio crypt ctype dirent dlfcn elf \
    endian envz err errno error execinfo fcntl features features-time64 fenv fmtmsg fnmatch fpu_control fstab fts ftw \
    gconv getopt glob gnu-versions grp gshadow iconv ieee754 ifaddrs inttypes iso646 langinfo lastlog libgen libintl \
    limits link locale malloc math mcheck memory mntent monetary mqueue netdb nl_types nss obstack paths poll printf \
    proc_service pthread pty pwd re_comp regex regexp resolv sched search semaphore setjmp sgtty shadow signal spawn \
    stab stdalign stdarg stdbit stdbool stdc-predef stddef stdint stdio stdio_ext stdlib stdnoreturn string strings \
    stropts syscall sysexits syslog tar termio termios tgmath thread_db threads time ttyent uchar ucontext ulimit \
    unistd utime utmp utmpx values wait wchar wctype wordexp";

/// Headers below `sys/`, which other packages use too.
const SYS_HEADERS: &str = "acct auxv bitypes cachectl cdefs debugreg dir elf epoll errno eventfd fanotify fcntl file \
    fsuid gmon gmon_out hwprobe inotify io ioctl ipc kd klog mman mount msg mtio param pci perm personality pidfd poll \
    prctl procfs profil ptrace queue quota random raw reboot reg regdef resource rseq select sem sendfile shm signal \
    signalfd single_threaded socket socketvar soundcard stat statfs statvfs stropts swap syscall sysinfo syslog \
    sysmacros termios time timeb timerfd times timex ttychars ttydefaults types ucontext uio un unistd user utsname \
    vfs vlimit vm86 vt wait xattr";

/// Directories of headers that are the C library's or the kernel's alone.
const HEADER_DIRECTORIES: &[&str] = &[
    "arpa",
    "asm",
    "asm-generic",
    "bits",
    "drm",
    "gnu",
    "linux",
    "misc",
    "mtd",
    "net",
    "netash",
    "netatalk",
    "netax25",
    "neteconet",
    "netinet",
    "netipx",
    "netiucv",
    "netpacket",
    "netrom",
    "netrose",
    "nfs",
    "protocols",
    "rdma",
    "rpc",
    "scsi",
    "sound",
    "sys/platform",
    "video",
    "xen",
];

/// Programs that a compiler runs without their being in its own directory.
const PROGRAMS: &[&str] = &["cc1", "cc1plus", "collect2", "lto1", "lto-wrapper", "liblto_plugin.so"];

/// Directories below a prefix's `lib` that the linker reads.
const LINKER: &[&str] = &["bfd-plugins", "ldscripts"];

/// Add what a compiler reads.
pub(super) fn add(files: &mut HostFiles<'_>, cc: &Path) -> Result<(), Error> {
    let compiler = Compiler::ask(cc)?;
    for own in &compiler.own {
        files.add_directory(own, NOT_C)?;
    }
    for name in PROGRAMS {
        compiler.find(name, &compiler.programs).iter().for_each(|path| drop(files.add(path)));
    }
    for name in LINKED {
        compiler.find(name, &compiler.libraries).iter().for_each(|path| add_linked(files, path));
    }
    for library in &compiler.libraries {
        for directory in LINKER {
            files.add_directory(&library.join(directory), &[])?;
        }
    }
    for include in &compiler.includes {
        add_headers(files, include)?;
    }
    for own in &compiler.own {
        add_cpp_headers(files, own, &compiler.includes)?;
    }
    Ok(())
}

/// What a compiler says of itself.
struct Compiler {
    /// Its own directories.
    own: Vec<PathBuf>,
    programs: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
    /// Where the C library's headers are.
    includes: Vec<PathBuf>,
}

impl Compiler {
    fn ask(cc: &Path) -> Result<Self, Error> {
        // One that does not know a question has nothing to say to it.
        let say = |option: &str| {
            let said = process::capture(cc, [option], None, &[]).unwrap_or_default();
            String::from_utf8_lossy(&said).trim().to_owned()
        };
        let searched = process::capture(cc, ["-print-search-dirs"], None, &[])?;
        let searched = String::from_utf8_lossy(&searched).into_owned();
        let sysroot = PathBuf::from(format!("/{}", say("-print-sysroot").trim_start_matches('/')));
        let include = sysroot.join("usr/include");
        let multiarch = Some(say("-print-multiarch")).filter(|triple| !triple.is_empty());
        let mut includes = vec![include.clone()];
        includes.extend(multiarch.map(|triple| include.join(triple)));
        let own = ["-print-file-name=crtbegin.o", "-print-prog-name=cc1"].map(|question| PathBuf::from(say(question)));
        let own = own.iter().filter(|path| path.is_absolute()).filter_map(|path| path.parent()).map(Path::to_owned);
        let mut own: Vec<_> = own.collect();
        // Clang has another place of its own, and says nothing sensible to the questions above.
        own.extend(Some(PathBuf::from(say("-print-resource-dir"))).filter(|path| path.is_absolute()));
        own.dedup();
        let list = |what: &str| directories(&searched, what);
        Ok(Self { own, programs: list("programs"), libraries: list("libraries"), includes })
    }

    fn find(&self, name: &str, directories: &[PathBuf]) -> Option<PathBuf> {
        directories.iter().map(|directory| directory.join(name)).find(|path| disk::is_file(path))
    }
}

/// The directories of a line such as `libraries: =/usr/lib/:/lib/`.
fn directories(searched: &str, what: &str) -> Vec<PathBuf> {
    let line = searched.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(": "));
    let list = line.unwrap_or_default().trim_start_matches('=');
    list.split(':').map(PathBuf::from).filter(|path| path.is_absolute()).collect()
}

/// Add a file to link with, and where it is a linker script, what that names.
fn add_linked(files: &mut HostFiles<'_>, path: &Path) {
    files.add(path);
    let is_script = disk::read_head(path, MAGIC.len()).is_ok_and(|head| head == MAGIC.as_bytes());
    let text = if is_script { disk::read_text_if_exists(path).ok().flatten() } else { None };
    for named in text.iter().flat_map(|text| named_by(text)) {
        files.add(&path.with_file_name(named));
    }
}

/// How the C library's linker scripts begin.
const MAGIC: &str = "/* GNU ld script";

/// The files that a linker script names: absolute paths, and archives beside it.
fn named_by(script: &str) -> Vec<&str> {
    let words = script.split(|letter: char| letter.is_whitespace() || matches!(letter, '(' | ')' | ','));
    words.filter(|word| word.starts_with('/') && word.contains(".so") || word.contains(".a")).collect()
}

fn add_headers(files: &mut HostFiles<'_>, include: &Path) -> Result<(), Error> {
    for (directory, names) in [(include.to_owned(), HEADERS), (include.join("sys"), SYS_HEADERS)] {
        for name in names.split_whitespace() {
            files.add(&directory.join(format!("{name}.h")));
        }
    }
    HEADER_DIRECTORIES.iter().try_for_each(|directory| files.add_directory(&include.join(directory), &[]))
}

/// Add the headers of C++: they lie beside the C library's, below the compiler's version.
fn add_cpp_headers(files: &mut HostFiles<'_>, own: &Path, includes: &[PathBuf]) -> Result<(), Error> {
    let Some(version) = own.file_name() else { return Ok(()) };
    let beside = own.join("../../../../include");
    for include in includes.iter().chain([&beside]) {
        files.add_directory(&include.join("c++").join(version), &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linker_script_names_files() {
        let script = "/* GNU ld script\n   Use the shared library. */\nOUTPUT_FORMAT(elf64-x86-64)\n\
            GROUP ( /lib/x/libm.so.6  AS_NEEDED ( /lib/x/libmvec.so.1 ) )\n";
        assert_eq!(named_by(script), ["/lib/x/libm.so.6", "/lib/x/libmvec.so.1"]);
        assert_eq!(named_by("GROUP ( /usr/lib/x/libm-2.36.a libmvec.a )"), ["/usr/lib/x/libm-2.36.a", "libmvec.a"]);
    }

    #[test]
    fn a_compiler_tells_where_it_looks() {
        let said = "install: /usr/lib/gcc/x/12/\nprograms: =/a/:/b/\nlibraries: =/c/../d/:relative:/e/\n";
        assert_eq!(directories(said, "libraries"), [PathBuf::from("/c/../d/"), PathBuf::from("/e/")]);
        assert_eq!(directories(said, "nothing"), Vec::<PathBuf>::new());
    }
}
