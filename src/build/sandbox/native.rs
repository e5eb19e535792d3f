//! Namespaces that envy makes by itself.
//!
//! It takes two helpers. The outer one enters new namespaces and names the caller uid 1000 in them; a process that enters a
//! pid namespace is not in it, but its children are. So it starts the inner one, pid 1, which builds the view on a tmpfs,
//! makes that its root, gives up all privileges, starts the command, and collects orphans. When pid 1 ends, the kernel kills
//! all that is left.
//!
//! Each dies with its parent by the kernel's hand, so killing envy kills all of it.

#![allow(clippy::disallowed_methods, reason = "the launcher of sandboxes is a door to processes and mounts of its own")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use super::talk::{self, Doing as _, Fault, Item, Spec, Stage};
use super::{Call, Error, Limits, View};
use crate::disk;

/// Devices that a build sees; they are the host's.
pub(super) const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

/// Symlinks of `/dev`, and what they say.
pub(super) const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Parts of `/proc` by which root can change the host: the kernel asks for the uid there, and for no capability.
pub(super) const PROC_OF_THE_HOST: [&str; 4] = ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What pid 1 needs to build a view, and gives up before the command starts.
const NEEDED: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::NET_ADMIN).union(CapabilitySet::SETPCAP);

const UNTRUSTED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Run a view's command in namespaces of its own.
pub(super) fn run(call: &Call<'_>) -> Result<ExitStatus, Error> {
    // The view's root is mounted over this directory, in a mount namespace that nobody else sees.
    let place = call.scratch.join("view");
    disk::create_directories(&place)?;
    talk::run(call, &Stage::Native { parent: talk::own_number() }, &Spec::new(call.view, &place))
}

/// Whether this host lets us make such namespaces; if not, why.
pub(super) fn probe(helper: &Path) -> Result<(), String> {
    let refuse = |doing: String, source: io::Error| format!("envy could not {doing} ({source})");
    let scratch = tempfile::tempdir().map_err(|source| refuse("make a temporary directory".to_owned(), source))?;
    let null = OpenOptions::new()
        .write(true)
        .open("/dev/null")
        .map_err(|source| refuse("open `/dev/null`".to_owned(), source))?;
    let view = View { directory: "/".to_owned(), ..View::default() };
    let call = Call { helper, view: &view, scratch: scratch.path(), log: &null, limits: Limits::default() };
    match run(&call) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("envy's launcher failed ({status})")),
        Err(Error::SetUp { doing, source }) => Err(refuse(doing, source)),
        Err(error) => Err(error.to_string()),
    }
}

/// Be the outer helper.
pub(super) fn outside(parent: i32) -> Result<u8, Fault> {
    talk::shed();
    talk::die_with(parent)?;
    enter_namespaces()?;
    // Entering a user namespace may have undone it.
    talk::die_with(parent)?;
    keep_privileges()?;
    let inner = Command::new("/proc/self/exe").args(Stage::First.arguments()).env_clear().spawn();
    let inner = inner.fault(|| "start the first process of the sandbox".to_owned())?;
    talk::close_report()?;
    talk::reap_or_kill(inner.id())
}

#[expect(deprecated, reason = "it is unsafe only with the flag FILES, which is not among these")]
fn enter_namespaces() -> Result<(), Fault> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let namespaces = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWNET;
    rustix::thread::unshare(namespaces).fault(|| "make namespaces".to_owned())?;
    let tell = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text).fault(|| format!("write `{path}`"))
    };
    tell("setgroups", "deny".to_owned())?;
    tell("uid_map", format!("1000 {user} 1\n"))?;
    tell("gid_map", format!("1000 {group} 1\n"))
}

/// Pass capabilities on to the inner helper, which is not root, and let nobody gain any.
fn keep_privileges() -> Result<(), Fault> {
    let keep = || "keep privileges in the sandbox's namespace".to_owned();
    rustix::thread::set_no_new_privs(true).fault(keep)?;
    let mut sets = rustix::thread::capabilities(None).fault(keep)?;
    sets.inheritable = NEEDED;
    rustix::thread::set_capabilities(None, sets).fault(keep)?;
    for capability in NEEDED.iter() {
        rustix::thread::configure_capability_in_ambient_set(capability, true).fault(keep)?;
    }
    Ok(())
}

/// Be the inner helper, pid 1 of the namespaces.
pub(super) fn inside() -> Result<u8, Fault> {
    talk::shed();
    let die = || "die with envy".to_owned();
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).fault(die)?;
    // No process of the outside has a number here, so that the parent is alive shows only in that envy listens.
    rustix::io::write(io::stdout(), b"\n").fault(die)?;
    let spec = Spec::receive()?;
    build_view(&spec)?;
    rustix::system::sethostname(b"envy").fault(|| "name the sandbox".to_owned())?;
    raise_loopback().fault(|| "raise the loopback device".to_owned())?;
    give_up_privileges().fault(|| "give up privileges".to_owned())?;
    if spec.command.is_empty() {
        return Ok(0);
    }
    rustix::process::chdir(&spec.directory).fault(|| format!("enter `{}` in the sandbox", spec.directory))?;
    let child = talk::command(&spec)?.spawn().fault(|| format!("start `{}` in the sandbox", spec.command[0]))?;
    talk::close_report()?;
    talk::reap(child.id())
}

/// Let neither this process nor any child of it have a capability again.
fn give_up_privileges() -> rustix::io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    for bit in 0..u64::BITS {
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // The kernel knows no more of them.
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// Make the view on a tmpfs, and that tmpfs the root.
fn build_view(spec: &Spec) -> Result<(), Fault> {
    let root = Root { path: &spec.place };
    let apart = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", apart).fault(|| "keep the host from seeing the sandbox's mounts".to_owned())?;
    root.tmpfs("/", "mode=0755")?;
    root.directory("/tmp")?;
    root.tmpfs("/tmp", "mode=1777")?;
    root.devices()?;
    let proc_of_the_host = root.proc()?;
    for entry in &spec.entries {
        root.show(entry)?;
    }
    seal(&seals(spec, &root, proc_of_the_host))?;
    root.make_read_only("/dev", UNTRUSTED)?;
    root.enter()?;
    Root { path: Path::new("/") }.make_read_only("/", UNTRUSTED)
}

/// The flags that mounts of the view are to have, with all that is mounted below them.
fn seals(spec: &Spec, root: &Root<'_>, proc_of_the_host: bool) -> BTreeMap<PathBuf, MountFlags> {
    let devices = DEVICES.map(|device| (root.at(&format!("/dev/{device}")), MountFlags::NOSUID));
    let mut seals = BTreeMap::from(devices);
    seals.extend(PROC_OF_THE_HOST.map(|part| (root.at(part), UNTRUSTED | MountFlags::RDONLY)));
    for entry in &spec.entries {
        let flags = match entry {
            Item::ReadOnly { .. } => UNTRUSTED | MountFlags::RDONLY,
            Item::Writable { .. } => UNTRUSTED,
            Item::Symlink { .. } => continue,
        };
        seals.insert(root.at(entry.to()), flags);
    }
    if proc_of_the_host {
        seals.insert(root.at("/proc"), UNTRUSTED | MountFlags::RDONLY);
    }
    seals
}

/// The view's root before it is the root.
struct Root<'a> {
    path: &'a Path,
}

impl Root<'_> {
    /// The path of a place of the view as it is now.
    fn at(&self, to: &str) -> PathBuf {
        match to.trim_start_matches('/') {
            "" => self.path.to_owned(),
            inner => self.path.join(inner),
        }
    }

    fn tmpfs(&self, to: &str, options: &str) -> Result<(), Fault> {
        let options = std::ffi::CString::new(options).map_err(io::Error::from).fault(|| "write options".to_owned())?;
        rustix::mount::mount("tmpfs", self.at(to), "tmpfs", UNTRUSTED, options.as_c_str())
            .fault(|| format!("mount a tmpfs at `{to}`"))
    }

    fn directory(&self, to: &str) -> Result<(), Fault> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(self.at(to));
        made.fault(|| format!("make the directory `{to}` of the sandbox"))
    }

    fn parent(&self, to: &str) -> Result<(), Fault> {
        match to.rsplit_once('/') {
            Some((parent, _)) if !parent.is_empty() => self.directory(parent),
            _ => Ok(()),
        }
    }

    /// Show what the host has at `from`. It is sealed later, all mounts in one go.
    fn bind(&self, from: &str, to: &str) -> Result<(), Fault> {
        if fs::metadata(from).fault(|| format!("look at `{from}`"))?.is_dir() {
            self.directory(to)?;
        } else if !self.at(to).exists() {
            self.parent(to)?;
            let file = OpenOptions::new().append(true).create(true).mode(0o444).open(self.at(to));
            file.fault(|| format!("make the file `{to}` of the sandbox"))?;
        }
        rustix::mount::mount_bind_recursive(from, self.at(to)).fault(|| format!("show `{from}` as `{to}`"))
    }

    fn link(&self, target: &str, to: &str) -> Result<(), Fault> {
        self.parent(to)?;
        symlink(target, self.at(to)).fault(|| format!("make the symlink `{to}` of the sandbox"))
    }

    fn show(&self, entry: &Item) -> Result<(), Fault> {
        match entry {
            Item::ReadOnly { from, to } | Item::Writable { from, to } => self.bind(from, to),
            Item::Symlink { target, to } => self.link(target, to),
        }
    }

    fn devices(&self) -> Result<(), Fault> {
        self.directory("/dev")?;
        self.tmpfs("/dev", "mode=0755")?;
        for device in DEVICES {
            let path = format!("/dev/{device}");
            if Path::new(&path).exists() {
                self.bind(&path, &path)?;
            }
        }
        for (name, target) in DEVICE_LINKS {
            self.link(target, &format!("/dev/{name}"))?;
        }
        self.directory("/dev/shm")?;
        self.tmpfs("/dev/shm", "mode=1777")
    }

    /// Mount `/proc`, and tell whether it is the host's. It is where something hides parts of the host's, as container
    /// engines do: the kernel allows no fresh one then. The build sees the numbers of the host's processes, though it can
    /// neither signal them nor read their environments.
    fn proc(&self) -> Result<bool, Fault> {
        self.directory("/proc")?;
        let flags = UNTRUSTED | MountFlags::NOEXEC;
        match rustix::mount::mount("proc", self.at("/proc"), "proc", flags, None) {
            Ok(()) => self.cover_proc().map(|()| false),
            Err(Errno::PERM) => self.bind("/proc", "/proc").map(|()| true),
            Err(error) => Err(error).fault(|| "mount `/proc`".to_owned()),
        }
    }

    /// Put what is to be sealed over what cannot be.
    fn cover_proc(&self) -> Result<(), Fault> {
        PROC_OF_THE_HOST.iter().filter(|part| Path::new(part).exists()).try_for_each(|part| self.bind(part, part))
    }

    fn make_read_only(&self, to: &str, flags: MountFlags) -> Result<(), Fault> {
        let flags = MountFlags::BIND | MountFlags::RDONLY | flags;
        rustix::mount::mount_remount(self.at(to), flags, c"").fault(|| format!("make `{to}` read-only"))
    }

    /// Make it the root. The old root lies over it until it is unmounted, see `pivot_root(2)`.
    fn enter(&self) -> Result<(), Fault> {
        let enter = || "make the view the root".to_owned();
        rustix::process::chdir(self.path).fault(enter)?;
        rustix::process::pivot_root(".", ".").fault(enter)?;
        rustix::mount::unmount(".", UnmountFlags::DETACH).fault(enter)?;
        rustix::process::chdir("/").fault(enter)
    }
}

/// Give every mount at or below these places its flags.
///
/// What is mounted below a directory is bound with it, and has flags of its own. Those that an outer namespace set must
/// stay, or the kernel refuses; they are all read at once.
fn seal(places: &BTreeMap<PathBuf, MountFlags>) -> Result<(), Fault> {
    let mounts = fs::read("/proc/self/mountinfo").fault(|| "read the table of mounts".to_owned())?;
    // Of mounts at the same path only the last is to be reached.
    let mounts: BTreeMap<PathBuf, MountFlags> = mounts.split(|byte| *byte == b'\n').filter_map(mount_of_line).collect();
    for (path, has) in mounts {
        let Some((place, wants)) = path.ancestors().find_map(|place| places.get_key_value(place)) else { continue };
        if has.contains(*wants) {
            continue;
        }
        match rustix::mount::mount_remount(&path, MountFlags::BIND | has | *wants, c"") {
            // What this user cannot get at, the build cannot either.
            Err(Errno::ACCESS) if *place != path => {}
            other => other.fault(|| format!("seal `{}`", path.display()))?,
        }
    }
    Ok(())
}

/// Mount point and flags of a line of `/proc/self/mountinfo`, see `proc(5)`.
fn mount_of_line(line: &[u8]) -> Option<(PathBuf, MountFlags)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let path = unescape(fields.nth(4)?);
    let flags = fields.next()?.split(|byte| *byte == b',').map(|option| match option {
        b"ro" => MountFlags::RDONLY,
        b"nosuid" => MountFlags::NOSUID,
        b"nodev" => MountFlags::NODEV,
        b"noexec" => MountFlags::NOEXEC,
        b"nosymfollow" => MountFlags::NOSYMFOLLOW,
        // How times of access are kept stays as it is if nothing is said.
        _ => MountFlags::empty(),
    });
    Some((PathBuf::from(std::ffi::OsString::from_vec(path)), flags.collect()))
}

/// Undo `\040` and the like.
fn unescape(field: &[u8]) -> Vec<u8> {
    let octal = |digits: &[u8]| u8::from_str_radix(std::ffi::OsStr::from_bytes(digits).to_str()?, 8).ok();
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..3).and_then(octal).filter(|_| *first == b'\\');
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[3..] } else { tail };
    }
    bytes
}

/// Ask the kernel to set the loopback device up, by a message `RTM_NEWLINK`, see `rtnetlink(7)`. It gets its addresses then.
fn raise_loopback() -> io::Result<()> {
    const ACKNOWLEDGED: u16 = 2;
    let socket = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    rustix::net::send(&socket, &loopback_message(), SendFlags::empty())?;
    let mut answer = [0; 512];
    let (length, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty())?;
    match answer.get(..length) {
        Some([_, _, _, _, low, high, _, _, _, _, _, _, _, _, _, _, code @ ..])
            if u16::from_ne_bytes([*low, *high]) == ACKNOWLEDGED && code.len() >= 4 =>
        {
            match i32::from_ne_bytes([code[0], code[1], code[2], code[3]]) {
                0 => Ok(()),
                number => Err(io::Error::from_raw_os_error(-number)),
            }
        }
        _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

fn loopback_message() -> Vec<u8> {
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const UP: u32 = 1;
    // In a new namespace the loopback device is always the first.
    const LOOPBACK: i32 = 1;
    [
        // struct nlmsghdr: length, type, flags, sequence, port
        &32_u32.to_ne_bytes()[..],
        &NEW_LINK.to_ne_bytes(),
        &REQUEST_AND_ACKNOWLEDGE.to_ne_bytes(),
        &1_u32.to_ne_bytes(),
        &0_u32.to_ne_bytes(),
        // struct ifinfomsg: family, padding, type, index, flags, which flags to change
        &[0; 4],
        &LOOPBACK.to_ne_bytes(),
        &UP.to_ne_bytes(),
        &UP.to_ne_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_gives_path_and_flags() {
        let line = br"36 35 98:0 /m /a\040b rw,nosuid,noexec,relatime master:1 - ext3 /dev/root rw,errors=continue";
        let (path, flags) = mount_of_line(line).unwrap();
        assert_eq!(path, Path::new("/a b"));
        assert_eq!(flags, MountFlags::NOSUID | MountFlags::NOEXEC);
        assert!(mount_of_line(b"").is_none());
    }

    #[test]
    fn a_backslash_that_escapes_nothing_stays() {
        assert_eq!(unescape(br"a\134b\9"), br"a\b\9");
    }

    #[test]
    fn the_message_has_the_length_it_names() {
        assert_eq!(loopback_message().len(), 32);
    }
}
