//! One directory in the place of another.

use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{At as _, Result, remove_tree, rename};

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
