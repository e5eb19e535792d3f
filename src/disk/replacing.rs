//! One directory in the place of another.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{At as _, Error, Result, SIBLING, parent, plain, remove_tree, rename};

/// Give a directory's path to another directory, and remove the one that had it. There is a directory at that path at
/// every moment, where the file system can exchange two names.
pub fn replace_directory(new: &Path, path: &Path) -> Result<()> {
    match renameat_with(CWD, new, CWD, path, RenameFlags::EXCHANGE) {
        Ok(()) => remove_tree(new),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            let aside = new.with_added_extension("old");
            rename(path, &aside)?;
            rename(new, path)?;
            remove_tree(&aside)
        }
        Err(error) => Err(io::Error::from(error)).at("replace", path),
    }
}

/// Write a file that may be large, so that its path leads to all of it or to what was there before: whatever fails on the way
/// leaves nothing.
pub fn replace_file<E: From<Error>>(path: &Path, write: impl FnOnce(&File) -> Result<(), E>) -> Result<(), E> {
    let directory = parent(path);
    let (mut sibling, permissions) = (tempfile::Builder::new(), Permissions::from_mode(0o644));
    sibling.prefix(SIBLING).permissions(permissions);
    let temporary = sibling.tempfile_in(directory).map_err(plain).at("write into", directory)?;
    write(temporary.as_file())?;
    temporary.as_file().sync_all().at("write", path)?;
    temporary.persist(path).map_err(|error| error.error).at("replace", path)?;
    Ok(())
}

/// Write what somebody named a path for. What a path leads to, through symlinks, is replaced as [`replace_file`] does it, where
/// that is a file or nothing yet. A device, a pipe, or what a process has open (`/dev/stdout`) is written to as it stands.
pub fn write_named<E: From<Error>>(path: &Path, write: impl FnOnce(&File) -> Result<(), E>) -> Result<(), E> {
    if let Some(file) = file_at(path) {
        return replace_file(&file, write);
    }
    let file = fs::OpenOptions::new().append(true).open(path).at("open for writing", path)?;
    write(&file)?;
    match file.sync_all() {
        // Most of what is no file cannot be synced, and need not be.
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::INVAL | Errno::ROFS | Errno::NOTSUP)) => {
            Ok(())
        }
        synced => Ok(synced.at("write", path)?),
    }
}

/// The path of the file that a path leads to, or would, if it is to be replaced.
fn file_at(path: &Path) -> Option<PathBuf> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return None;
    }
    let mut path = path.to_owned();
    // As many as a kernel follows.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else { return Some(path) };
        let above = parent(&path).canonicalize().ok()?;
        // What a process has open has no other name for sure.
        if above.starts_with("/proc") {
            return None;
        }
        path = above.join(target);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{exists, read, write_atomic};

    #[test]
    fn a_directory_takes_the_place_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let (new, path) = (directory.path().join("new"), directory.path().join("path"));
        for one in [&new, &path] {
            write_atomic(&one.join("which"), one.as_os_str().as_encoded_bytes()).unwrap();
        }
        replace_directory(&new, &path).unwrap();
        assert_eq!(read(&path.join("which")).unwrap(), new.as_os_str().as_encoded_bytes());
        assert!(!exists(&new));
        replace_directory(&new, &path).unwrap_err();
        assert!(exists(&path.join("which")), "what cannot be replaced stays");
    }

    fn text(bytes: &'static str) -> impl FnOnce(&File) -> Result<()> {
        move |mut file| io::Write::write_all(&mut file, bytes.as_bytes()).at("write", Path::new("it"))
    }

    #[test]
    fn what_a_path_leads_to_is_replaced_and_the_links_stay() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        for (target, link) in [("sub/file", "one"), ("../one", "sub/two"), ("loop", "loop")] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        for written in ["first", "second"] {
            write_named(&at("sub/two"), text(written)).unwrap();
            assert_eq!(read(&at("sub/file")).unwrap(), written.as_bytes());
        }
        assert_eq!(fs::read_link(at("sub/two")).unwrap(), Path::new("../one"));
        assert_eq!(fs::read_link(at("one")).unwrap(), Path::new("sub/file"));
        write_named(&at("loop"), text("lost")).unwrap_err();
        write_named(&at("sub"), text("lost")).unwrap_err();
        assert_eq!(fs::read_dir(at("sub")).unwrap().count(), 2, "no sibling stays");
    }

    #[test]
    fn a_pipe_and_what_is_open_are_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let mut both = crate::disk::named_pipe(&pipe).unwrap();
        write_named(&pipe, text("through")).unwrap();
        let mut read = [0; 7];
        io::Read::read_exact(&mut both, &mut read).unwrap();
        assert_eq!(&read, b"through");

        let path = directory.path().join("log");
        fs::write(&path, "before\n").unwrap();
        let open = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let link = directory.path().join("link");
        let number = std::os::fd::AsRawFd::as_raw_fd(&open);
        std::os::unix::fs::symlink(format!("/proc/self/fd/{number}"), &link).unwrap();
        write_named(&link, text("after\n")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before\nafter\n");
    }
}
