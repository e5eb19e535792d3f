//! Private copies of files, and times that are the same everywhere.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, ioctl_ficlone, open, utimensat};

use super::{At as _, Result};

/// Make a new file with the bytes of another and this mode: sharing them until one is written to, where the file
/// system can do so, or else copied. A file that is there is an error.
pub fn clone_or_copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    clone_or_copy_opened(fs::File::open(from).at("open", from)?, to, mode)
}

/// The same for a file in a directory that somebody else may write to: a symlink there is an error, and so is what is no
/// regular file.
pub fn clone_or_copy_itself(from: &Path, to: &Path, mode: u32) -> Result<()> {
    // A pipe without a writer must not block.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::RDONLY;
    let file = fs::File::from(open(from, flags, Mode::empty()).map_err(io::Error::from).at("open", from)?);
    if !file.metadata().at("look at", from)?.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput)).at("copy", from);
    }
    clone_or_copy_opened(file, to, mode)
}

fn clone_or_copy_opened(mut original: fs::File, to: &Path, mode: u32) -> Result<()> {
    let copy = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(to);
    let mut copy = copy.at("create", to)?;
    // The mask of the process may have taken bits away; cloning gives content only.
    copy.set_permissions(fs::Permissions::from_mode(mode)).at("set the mode of", to)?;
    if ioctl_ficlone(&copy, &original).is_err() {
        io::copy(&mut original, &mut copy).at("copy to", to)?;
    }
    Ok(())
}

/// Set the time of the last modification, and of the last access, in seconds since 1970: of a symlink itself, if it is one.
pub fn set_time(path: &Path, time: i64) -> Result<()> {
    let time = Timespec { tv_sec: time, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from).at("set the time of", path)
}
