//! Private copies of files, and times that are the same everywhere.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, ioctl_ficlone, utimensat};

use super::{At as _, Result};

/// Make a new file with the bytes of another and this mode: sharing them until one is written to, where the file
/// system can do so, or else copied. A file that is there is an error.
pub fn clone_or_copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let mut original = fs::File::open(from).at("open", from)?;
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
