//! The commit that a project is at, as git's own files tell it: to start `git` would take longer than the switch that it
//! is written down for.

use std::path::{Path, PathBuf};

use crate::{disk, process};

/// The commit that is checked out in the repository that a directory lies in.
pub fn checked_out(directory: &Path) -> Option<String> {
    let git = directory.ancestors().find_map(|above| git_directory(&above.join(".git")))?;
    // A kind of repository that we cannot read (`reftable`) is git's own to tell about.
    from_files(&git).or_else(|| from_git(directory))
}

/// `.git` itself, or where it says, as in worktrees and submodules.
fn git_directory(path: &Path) -> Option<PathBuf> {
    if disk::is_directory(path) {
        return Some(path.to_owned());
    }
    Some(path.parent()?.join(line(path)?.strip_prefix("gitdir: ")?))
}

/// HEAD, or what the branch is at that it names, in a file of its own or in that of all.
fn from_files(git: &Path) -> Option<String> {
    let head = line(&git.join("HEAD"))?;
    let Some(branch) = head.strip_prefix("ref: ") else { return commit(&head) };
    // Worktrees share their branches.
    let common = line(&git.join("commondir")).map_or_else(|| git.to_owned(), |path| git.join(path));
    if let Some(loose) = line(&common.join(branch)) {
        return commit(&loose);
    }
    let packed = disk::read_text_if_exists(&common.join("packed-refs")).ok()??;
    packed.lines().find_map(|line| commit(line.strip_suffix(branch)?.strip_suffix(' ')?))
}

fn from_git(directory: &Path) -> Option<String> {
    let said = process::capture("git".as_ref(), ["rev-parse", "HEAD"], Some(directory), &[]).ok()?;
    commit(String::from_utf8(said).ok()?.trim())
}

/// The first line of a file.
fn line(path: &Path) -> Option<String> {
    let text = disk::read_text_if_exists(path).ok()??;
    text.lines().next().map(|line| line.trim_end().to_owned())
}

fn commit(text: &str) -> Option<String> {
    let is_one = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Run git in a directory, away from anyone's configuration, and give what it says.
    fn git(directory: &Path, arguments: &str) -> String {
        let named = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"];
        let nobody = [("GIT_CONFIG_GLOBAL", "/dev/null".as_ref()), ("GIT_CONFIG_NOSYSTEM", "1".as_ref())];
        let all = named.into_iter().chain(arguments.split(' '));
        let said = process::capture("git".as_ref(), all, Some(directory), &nobody).unwrap();
        String::from_utf8(said).unwrap().trim().to_owned()
    }

    #[test]
    fn files_tell_what_git_tells() {
        let scratch = tempfile::tempdir().unwrap();
        let (root, inner) = (scratch.path().join("repository"), scratch.path().join("repository/a/b"));
        let check = |directory: &Path| {
            let expected = git(directory, "rev-parse HEAD");
            let above = directory.ancestors().find_map(|above| git_directory(&above.join(".git"))).unwrap();
            assert_eq!(from_files(&above), Some(expected.clone()));
            assert_eq!(checked_out(directory), Some(expected));
        };
        disk::create_directories(&inner).unwrap();
        assert_eq!(checked_out(&inner), None, "there is no repository yet");
        git(&root, "init -q");
        assert_eq!(checked_out(&inner), None, "nothing is committed yet");
        git(&root, "commit -q --allow-empty -m one");
        check(&inner);
        git(&root, "branch topic/main");
        git(&root, "commit -q --allow-empty -m two");
        git(&root, "pack-refs --all");
        check(&inner);
        git(&root, "worktree add -q ../tree topic/main");
        check(&scratch.path().join("tree"));
        git(&root, "checkout -q --detach");
        check(&root);
    }
}
