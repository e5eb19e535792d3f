//! One directory in the place of another.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
}
