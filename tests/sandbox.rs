//! What the fence round a build promises, asked of every launcher that is here.

#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "tests stand outside of the program's doors")]
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use envy::build::sandbox::{Entry, Error, Fence, Launcher, Limits, Mode, Setting, Stopped, View};

const BOTH: [Launcher; 2] = [Launcher::Native, Launcher::Bubblewrap];

fn helper() -> PathBuf {
    std::env::var_os("SANDBOX_TEST_HELPER").map_or_else(|| env!("CARGO_BIN_EXE_envy").into(), PathBuf::from)
}

fn bwrap_is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("bwrap").is_file())
}

/// The fence of a launcher; none if it is bubblewrap's and that is not installed.
fn fence(launcher: Launcher) -> Option<Fence> {
    if launcher == Launcher::Bubblewrap && !bwrap_is_installed() {
        eprintln!("skipped for bubblewrap, which is not installed");
        return None;
    }
    let (fence, reason) = Fence::choose_with_helper(helper(), Setting::Auto, Some(launcher)).unwrap();
    assert_eq!(fence.mode(), Mode::Namespaces, "{reason:?}");
    Some(fence)
}

fn bare() -> Fence {
    Fence::choose_with_helper(helper(), Setting::Off, None).unwrap().0.below_scratch()
}

/// The host's programs, and nothing else.
fn shell(script: &str) -> View {
    let mut entries = vec![Entry::ReadOnly { from: "/usr".into(), to: "/usr".into() }];
    for name in ["/bin", "/lib", "/lib64", "/sbin"] {
        match fs::read_link(name) {
            Ok(target) => {
                entries.push(Entry::Symlink { target: target.to_str().unwrap().into(), to: name.into() });
            }
            Err(_) if Path::new(name).exists() => {
                entries.push(Entry::ReadOnly { from: name.into(), to: name.into() });
            }
            Err(_) => {}
        }
    }
    View {
        entries,
        environment: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        directory: "/".to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).into(),
    }
}

fn showing(mut view: View, entry: Entry) -> View {
    view.entries.push(entry);
    view
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, fence: &Fence, view: &View) -> Result<(ExitStatus, String), Error> {
        let log = File::create(self.path("log")).unwrap();
        let status = fence.run(view, self.0.path(), &log)?;
        Ok((status, fs::read_to_string(self.path("log")).unwrap()))
    }

    /// What a shell script writes, which must succeed.
    fn said(&self, fence: &Fence, view: &View) -> String {
        let (status, log) = self.run(fence, view).unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }
}

fn with_both(check: impl Fn(&Scratch, &Fence)) {
    for fence in BOTH.into_iter().filter_map(fence) {
        check(&Scratch::new(), &fence);
    }
}

#[test]
fn a_build_sees_what_its_view_lists_and_nothing_else() {
    with_both(|scratch, fence| {
        let file = scratch.write("host/file", "hello\n");
        let view = showing(
            shell("ls -A /; ls /envy /envy/in; cat /envy/in/file"),
            Entry::ReadOnly { from: file, to: "/envy/in/file".into() },
        );
        let usual = ["bin", "dev", "envy", "lib", "lib64", "proc", "sbin", "tmp", "usr"];
        let said = scratch.said(fence, &view);
        let (listing, rest) = said.split_once("/envy:\n").unwrap();
        assert!(listing.lines().all(|line| usual.contains(&line)), "{listing}");
        assert_eq!(rest, "in\n\n/envy/in:\nfile\nhello\n");
    });
}

#[test]
fn read_only_stays_read_only_even_for_root() {
    with_both(|scratch, fence| {
        scratch.write("host/file", "as it was\n");
        let entry = Entry::ReadOnly { from: scratch.path("host"), to: "/envy/in".into() };
        let script =
            "echo new > /envy/in/file; echo new > /envy/in/other; rm -f /envy/in/file; mkdir /new; mkdir /dev/new;
            mount -o remount,rw /envy/in; (echo envy > /proc/sys/kernel/hostname) 2> /dev/null || echo sealed";
        let said = scratch.said(fence, &showing(shell(script), entry));
        assert_eq!(said.matches("Read-only file system").count(), 5, "{said}");
        assert!(said.ends_with("sealed\n"), "{said}");
        assert_eq!(fs::read_to_string(scratch.path("host/file")).unwrap(), "as it was\n");
        assert!(!scratch.path("host/other").exists());
    });
}

#[test]
fn writable_entries_and_temporary_files_can_be_written() {
    with_both(|scratch, fence| {
        fs::create_dir(scratch.path("out")).unwrap();
        let entry = Entry::Writable { from: scratch.path("out"), to: "/envy/out".into() };
        scratch.said(fence, &showing(shell("echo one > /tmp/a; cp /tmp/a /envy/out/a; echo > /dev/shm/b"), entry));
        assert_eq!(fs::read_to_string(scratch.path("out/a")).unwrap(), "one\n");
        let mode = fs::metadata(scratch.path("out/a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "the umask is 022");
    });
}

#[test]
fn what_is_mounted_below_a_read_only_directory_is_read_only_too() {
    // The host's `/dev` has mounts below it, and everybody may write to this one.
    if fs::write("/dev/shm/envy-sandbox-test", "").is_err() {
        return;
    }
    with_both(|scratch, fence| {
        let entry = Entry::ReadOnly { from: "/dev".into(), to: "/envy/dev".into() };
        let said = scratch.said(fence, &showing(shell("echo > /envy/dev/shm/envy-sandbox-test; true"), entry));
        assert!(said.contains("Read-only file system"), "{said}");
    });
    fs::remove_file("/dev/shm/envy-sandbox-test").unwrap();
}

#[test]
fn an_entry_may_lie_in_another() {
    with_both(|scratch, fence| {
        fs::create_dir_all(scratch.path("outer/inner")).unwrap();
        let inner = scratch.write("other/file", "inner\n");
        let view = showing(
            shell("cat /envy/outer/inner/file; echo > /envy/outer/new"),
            Entry::ReadOnly { from: inner.parent().unwrap().into(), to: "/envy/outer/inner".into() },
        );
        let view = showing(view, Entry::Writable { from: scratch.path("outer"), to: "/envy/outer".into() });
        assert_eq!(scratch.said(fence, &view), "inner\n");
        assert!(scratch.path("outer/new").exists());
    });
}

#[test]
fn a_writable_entry_in_a_read_only_one_is_writable() {
    with_both(|scratch, fence| {
        fs::create_dir_all(scratch.path("outer/inner")).unwrap();
        let view = showing(
            shell("echo > /envy/outer/inner/new; echo > /envy/outer/new; true"),
            Entry::Writable { from: scratch.path("outer/inner"), to: "/envy/outer/inner".into() },
        );
        let view = showing(view, Entry::ReadOnly { from: scratch.path("outer"), to: "/envy/outer".into() });
        scratch.said(fence, &view);
        assert!(scratch.path("outer/inner/new").exists() && !scratch.path("outer/new").exists());
    });
}

#[test]
fn there_is_no_network_but_loopback() {
    with_both(|scratch, fence| {
        let said = scratch.said(fence, &shell("cat /proc/net/dev; cat /proc/net/fib_trie /proc/net/route"));
        let devices: Vec<&str> = said.lines().filter_map(|line| Some(line.split_once(": ")?.0.trim())).collect();
        assert_eq!(devices, ["lo"]);
        assert!(said.contains("127.0.0.1"), "loopback is up: {said}");
    });
}

#[test]
fn other_processes_are_invisible() {
    with_both(|scratch, fence| {
        let said = scratch.said(fence, &shell("cd /proc; echo [0-9]*; kill -9 1; echo still here"));
        assert!(said.ends_with("still here\n"));
        assert!(
            said.split_whitespace().next_back().is_some() && said.lines().next().unwrap().split(' ').count() <= 4,
            "{said}"
        );
    });
}

#[test]
fn the_environment_is_the_views_and_the_hosts_is_nowhere() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() || std::env::var_os("SANDBOX_TEST_HELPER").is_some());
    with_both(|scratch, fence| {
        let script = "env | sort; for f in /proc/[0-9]*/environ; do tr '\\0' '\\n' < $f; done | grep -c CARGO; true";
        let mut view = shell(script);
        view.environment.insert("A_B".into(), "two words".into());
        view.directory = "/usr".into();
        let said = scratch.said(fence, &view);
        let lines: Vec<&str> =
            said.lines().filter(|line| !line.starts_with("_=") && !line.starts_with("OLDPWD")).collect();
        let expected = ["A_B=two words", "PATH=/usr/bin:/bin", "PWD=/usr"];
        assert_eq!(
            lines.iter().filter(|line| line.contains('=') && !line.starts_with("SHLVL")).copied().collect::<Vec<_>>(),
            expected
        );
        assert_eq!(lines.last(), Some(&"0"), "{said}");
    });
}

#[test]
fn input_is_empty_and_no_other_file_is_open() {
    let _open: File = File::open("/").unwrap();
    with_both(|scratch, fence| {
        let said = scratch.said(fence, &shell("cat; cd /proc/self/fd; exec ls -l ."));
        let open: Vec<&str> =
            said.lines().filter_map(|line| line.split_once(" -> ").map(|(_, target)| target)).collect();
        // The fourth is the listing itself.
        assert_eq!(open.len(), 4, "{said}");
        assert_eq!(open[0], "/dev/null");
        assert!(open[3].starts_with("/proc/"), "{said}");
    });
}

#[test]
fn files_left_open_by_the_parent_are_not_passed_on() {
    let test = std::env::current_exe().unwrap();
    let status = Command::new("sh")
        .args(["-c", "exec 9</etc/passwd; exec \"$0\" --exact input_is_empty_and_no_other_file_is_open"])
        .arg(test)
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn exit_codes_and_signals_pass_through() {
    let fences: Vec<Fence> = BOTH.into_iter().filter_map(fence).chain([bare()]).collect();
    for fence in fences {
        let scratch = Scratch::new();
        for (script, code) in
            [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
        {
            let (status, log) = scratch.run(&fence, &shell(script)).unwrap();
            assert_eq!(status.code(), Some(code), "{script}: {log}");
        }
    }
}

#[test]
fn what_a_command_leaves_behind_is_killed() {
    let fences: Vec<Fence> = BOTH.into_iter().filter_map(fence).chain([bare()]).collect();
    for (index, fence) in fences.iter().enumerate() {
        let seconds = format!("{}.{index}1", 40_000 + std::process::id());
        Scratch::new().said(fence, &shell(&format!("setsid sleep {seconds} & (sleep {seconds} &) ; sleep 0.1")));
        assert!(!is_running(&seconds));
    }
}

/// Whether a `sleep` of just so many seconds is running on the host.
fn is_running(seconds: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|process| {
        fs::read(process.path().join("cmdline")).is_ok_and(|line| {
            let mut words = line.split(|byte| *byte == 0);
            words.next().is_some_and(|word| word.ends_with(b"sleep")) && words.next() == Some(seconds.as_bytes())
        })
    })
}

fn within_seconds(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
#[ignore = "to be killed by the test that starts it"]
fn a_build_that_sleeps() {
    let fence = match std::env::var("SANDBOX_TEST_LAUNCHER").as_deref() {
        Ok("native") => fence(Launcher::Native).unwrap(),
        Ok("bwrap") => fence(Launcher::Bubblewrap).unwrap(),
        _ => bare(),
    };
    let seconds = std::env::var("SANDBOX_TEST_SECONDS").unwrap();
    Scratch::new().said(&fence, &shell(&format!("setsid sleep {seconds} & sleep {seconds}; true")));
}

#[test]
fn killing_envy_kills_the_build_and_its_grandchildren() {
    for (index, launcher) in ["native", "bwrap", "bare"].into_iter().enumerate() {
        if launcher == "bwrap" && !bwrap_is_installed() {
            eprintln!("skipped for bubblewrap, which is not installed");
            continue;
        }
        let seconds = format!("{}.{index}2", 40_000 + std::process::id());
        let mut parent = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_build_that_sleeps", "--ignored"])
            .env("SANDBOX_TEST_LAUNCHER", launcher)
            .env("SANDBOX_TEST_SECONDS", &seconds)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        assert!(within_seconds(|| is_running(&seconds)), "{launcher}: the build starts");
        parent.kill().unwrap();
        assert_eq!(parent.wait().unwrap().signal(), Some(9));
        assert!(within_seconds(|| !is_running(&seconds)), "{launcher}: the build is gone");
    }
}

#[test]
fn what_takes_too_long_is_stopped_with_all_that_it_started() {
    let fences: Vec<Fence> = BOTH.into_iter().filter_map(fence).chain([bare()]).collect();
    for (index, fence) in fences.into_iter().enumerate() {
        let seconds = format!("{}.{index}3", 40_000 + std::process::id());
        let fence = fence.within(Limits { time: Duration::from_millis(300), ..Limits::default() });
        let begun = Instant::now();
        let ended = Scratch::new().run(&fence, &shell(&format!("setsid sleep {seconds} & sleep {seconds}")));
        assert!(matches!(ended, Err(Error::Stopped(Stopped::TooLong(_)))), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert!(!is_running(&seconds), "all of it is gone when `run` returns");
    }
}

#[test]
fn what_writes_too_much_is_stopped() {
    let fences: Vec<Fence> = BOTH.into_iter().filter_map(fence).chain([bare()]).collect();
    for fence in fences {
        let (fence, scratch) = (fence.within(Limits { log: 1 << 20, ..Limits::default() }), Scratch::new());
        let ended = scratch.run(&fence, &shell("yes"));
        assert!(matches!(ended, Err(Error::Stopped(Stopped::TooMuch(_)))), "{ended:?}");
        assert_eq!(fs::metadata(scratch.path("log")).unwrap().len(), 1 << 20, "the log is kept up to the limit");
    }
}

#[test]
fn what_is_missing_is_a_clear_error() {
    let fences: Vec<Fence> = BOTH.into_iter().filter_map(fence).chain([bare()]).collect();
    for fence in fences {
        let scratch = Scratch::new();
        let missing = Entry::ReadOnly { from: "/nowhere/at/all".into(), to: "/envy/in".into() };
        let error = scratch.run(&fence, &showing(shell("true"), missing)).unwrap_err();
        assert_eq!(error.to_string(), "`/nowhere/at/all`, which the build sees as `/envy/in`, does not exist");

        let view = View { command: vec!["no-such-program".into()], ..shell("") };
        let error = scratch.run(&fence, &view).unwrap_err();
        assert!(error.to_string().starts_with("could not start `no-such-program`"), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("No such file or directory"), "{cause}");

        let view = View { directory: "/no/such/directory".into(), ..shell("true") };
        let error = scratch.run(&fence, &view).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("No such file or directory"), "{error}: {cause}");
    }
}

#[test]
fn both_launchers_give_the_same_view() {
    let script = "id; hostname; umask; pwd; env | sort; grep -E '^(Cap|NoNew|Seccomp|Sig[IB])' /proc/self/status; \
        find / -path /usr/\\* -prune -o -path /proc/\\* -prune -o -printf '%p %y %m %U %G %l\\n' | sort; \
        cut -d' ' -f5,6 /proc/self/mountinfo | sort; ls /proc/self/fd; \
        for i in full null zero urandom; do head -c 1 /dev/$i | wc -c; done";
    let views: Vec<String> = BOTH
        .into_iter()
        .filter_map(fence)
        .map(|fence| {
            let scratch = Scratch::new();
            let file = scratch.write("host/file", "");
            fs::create_dir(scratch.path("out")).unwrap();
            let view = showing(shell(script), Entry::ReadOnly { from: file.clone(), to: "/envy/in/file".into() });
            let view = showing(view, Entry::ReadOnly { from: scratch.path("host"), to: "/envy/in/directory".into() });
            let view = showing(view, Entry::Writable { from: scratch.path("out"), to: "/envy/out".into() });
            let view = showing(view, Entry::Writable { from: file, to: "/envy/file".into() });
            scratch.said(&fence, &view)
        })
        .collect();
    if let [native, bwrap] = &views[..] {
        let differ: Vec<_> = native.lines().zip(bwrap.lines()).filter(|(a, b)| a != b).collect();
        assert!(native == bwrap, "{differ:#?}\n{native}\n{bwrap}");
    }
    assert!(views[0].starts_with("uid=1000 gid=1000"), "{}", views[0]);
}

#[test]
fn without_a_fence_paths_below_envy_are_moved_to_the_scratch_directory() {
    let (fence, scratch) = (bare(), Scratch::new());
    let file = scratch.write("host/file", "hello\n");
    let root = fence.root(scratch.0.path());
    assert_eq!(root, scratch.path("root").to_str().unwrap());
    let script = format!("pwd -P; cat {root}/envy/in/file {root}/envy/link; env; echo > {root}/envy/out/new");
    let mut view = shell(&script);
    fs::create_dir(scratch.path("out")).unwrap();
    view.directory = "/envy/out".into();
    view.entries.push(Entry::ReadOnly { from: file, to: "/envy/in/file".into() });
    view.entries.push(Entry::Writable { from: scratch.path("out"), to: "/envy/out".into() });
    view.entries.push(Entry::Symlink { target: "/envy/in/file".into(), to: "/envy/link".into() });
    for _ in 0..2 {
        let said = scratch.said(&fence, &view);
        let out = fs::canonicalize(scratch.path("out")).unwrap();
        assert!(said.starts_with(&format!("{}\nhello\nhello\n", out.display())), "{said}");
        assert!(said.contains("PATH=/usr/bin:/bin") && !said.contains("CARGO"), "{said}");
        assert!(scratch.path("out/new").exists());
    }
}

#[test]
fn root_without_a_fence_has_the_real_places_while_it_builds() {
    let (fence, _) = Fence::choose_with_helper(helper(), Setting::Off, None).unwrap();
    if fence.mode() != Mode::Placed {
        eprintln!("skipped: not root, or `/` cannot be written to");
        return;
    }
    let place = fence.place(None, &envy::progress::Silent).unwrap();
    let scratch = Scratch(tempfile::tempdir_in(fence.workplace().unwrap()).unwrap());
    let (file, host) = (scratch.write("host/file", "hello\n"), tempfile::tempdir().unwrap());
    for directory in ["out", "src/sub"] {
        fs::create_dir_all(scratch.path(directory)).unwrap();
    }
    let mut view = shell("pwd -P; cat /envy/in/file; echo new > /envy/out/new; ls /envy; [ -L /envy/toolchain ]");
    view.directory = "/envy/src/sub".into();
    view.entries.push(Entry::ReadOnly { from: file, to: "/envy/in/file".into() });
    view.entries.push(Entry::ReadOnly { from: host.path().into(), to: "/envy/toolchain".into() });
    view.entries.push(Entry::Writable { from: scratch.path("out"), to: "/envy/out".into() });
    view.entries.push(Entry::Writable { from: scratch.path("src"), to: "/envy/src".into() });
    for _ in 0..2 {
        let said = scratch.said(&fence, &view);
        assert_eq!(said, "/envy/src/sub\nhello\nin\nmade-by-envy\nout\nsrc\ntoolchain\nwork\n");
        assert_eq!(fs::read_to_string(scratch.path("out/new")).unwrap(), "new\n");
        assert!(host.path().exists() && !Path::new("/envy/out").exists());
    }
    // As a process leaves it that was killed.
    fs::create_dir_all("/envy/src/left/over").unwrap();
    std::mem::forget(scratch);
    drop(place);
    // Another process may have the places by now.
    assert!(!Path::new("/envy/src/left").exists());
}

#[test]
fn a_switched_off_fence_is_bare_and_says_why() {
    let (fence, reason) = Fence::choose_with_helper(helper(), Setting::Off, None).unwrap();
    assert_eq!(fence.below_scratch().mode().to_string(), "none");
    assert_eq!(reason.as_deref(), Some("the sandbox is switched off"));
}

#[test]
fn a_required_fence_that_cannot_be_had_is_an_error() {
    let broken = Fence::choose_with_helper("/bin/false".into(), Setting::Required, Some(Launcher::Native));
    assert!(matches!(broken, Err(Error::Refused { .. })));
    let (fence, reason) =
        Fence::choose_with_helper("/bin/false".into(), Setting::Auto, Some(Launcher::Native)).unwrap();
    assert_ne!(fence.mode(), Mode::Namespaces);
    assert!(reason.is_some());
}

fn root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t")
}

#[test]
fn another_user_gets_the_same_fence() {
    if !root() || Command::new("setpriv").arg("--version").output().is_err() {
        eprintln!("skipped: not root, or no setpriv");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let (test, program) = (directory.path().join("test"), directory.path().join("envy"));
    fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
    fs::copy(helper(), &program).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&test)
        .args(["--skip", "another_user", "--test-threads", "2"])
        .env("SANDBOX_TEST_HELPER", &program)
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "a measurement"]
fn how_long_it_takes() {
    for entries in [10, 300] {
        let scratch = Scratch::new();
        let mut view = View { command: vec!["/usr/bin/true".into()], ..shell("") };
        for index in 0..entries {
            let file = scratch.write(&format!("store/{index}/file"), "");
            let (from, to) = (file.parent().unwrap().into(), format!("/envy/in/{index}"));
            view.entries.push(Entry::ReadOnly { from, to });
        }
        for launcher in BOTH {
            let Some(fence) = fence(launcher) else { continue };
            let mut times: Vec<Duration> = (0..30)
                .map(|_| {
                    let start = Instant::now();
                    scratch.said(&fence, &view);
                    start.elapsed()
                })
                .collect();
            times.sort();
            eprintln!("{launcher:?} with {entries} entries: {:?}, at least {:?}", times[15], times[0]);
        }
    }
    let start = Instant::now();
    Fence::choose_with_helper(helper(), Setting::Auto, None).unwrap();
    eprintln!("choosing: {:?}", start.elapsed());
}
