//! How the program `ssh` is asked for a repository.
//!
//! It is the user's own, with agent, configuration and known hosts. `GIT_SSH_COMMAND` and `GIT_SSH` count as they do for
//! git. Unless someone sits there who can be asked, it asks nobody (`BatchMode`).

use std::ffi::OsString;
use std::path::Path;

use crate::process;

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
}

/// What the environment says of how to run it.
#[derive(Clone, Debug, Default)]
struct Wishes {
    /// Words for a shell.
    command: Option<String>,
    /// A program.
    program: Option<String>,
    interactive: bool,
}

/// The command that begins a conversation about a repository. Neither user nor host nor path begins with `-`.
pub(super) fn command(user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Command {
    let wishes = Wishes {
        command: process::variable("GIT_SSH_COMMAND"),
        program: process::variable("GIT_SSH"),
        interactive: process::is_interactive(),
    };
    compose(&wishes, user, host, port, path)
}

fn compose(wishes: &Wishes, user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Command {
    let first = wishes.command.as_deref().and_then(|command| command.split_whitespace().next());
    let named = Path::new(first.or(wishes.program.as_deref()).unwrap_or("ssh")).file_name();
    let mut arguments: Vec<String> = Vec::new();
    // Another program may not know the options of OpenSSH.
    if named.is_some_and(|name| name == "ssh") {
        arguments.extend(["-o", "SendEnv=GIT_PROTOCOL"].map(str::to_owned));
        if !wishes.interactive {
            arguments.extend(["-o", "BatchMode=yes"].map(str::to_owned));
        }
    }
    arguments.extend(port.into_iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
    let host = host.trim_matches(['[', ']']);
    arguments.push(user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}")));
    arguments.push(format!("git-upload-pack {}", quoted(path)));
    let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
    match &wishes.command {
        Some(command) => {
            let script = ["-c", &format!("{command} \"$@\""), first.unwrap_or("ssh")].map(OsString::from);
            arguments.splice(0..0, script);
            Command { program: "sh".into(), arguments }
        }
        None => Command { program: wishes.program.as_deref().unwrap_or("ssh").into(), arguments },
    }
}

/// A path as the shell on the other side is to read it; it may be one without quotes that git's own shell replaces.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wishes: &Wishes, user: Option<&str>, port: Option<u16>, path: &str, expected: &str) {
        let Command { program, arguments } = compose(wishes, user, "a.example", port, path);
        let words: Vec<_> = std::iter::once(program).chain(arguments).map(|word| word.into_string().unwrap()).collect();
        assert_eq!(words.join("|"), expected);
    }

    #[test]
    fn nobody_is_asked_where_nobody_sits() {
        let batch = "ssh|-o|SendEnv=GIT_PROTOCOL|-o|BatchMode=yes|git@a.example|git-upload-pack 'x/y.git'";
        check(&Wishes::default(), Some("git"), None, "x/y.git", batch);
        let interactive = Wishes { interactive: true, ..Wishes::default() };
        check(&interactive, None, Some(22), "/x", "ssh|-o|SendEnv=GIT_PROTOCOL|-p|22|a.example|git-upload-pack '/x'");
    }

    #[test]
    fn paths_are_one_word_for_the_other_shell() {
        let own = Wishes { program: Some("/opt/own".into()), ..Wishes::default() };
        check(&own, None, None, "x'; y!", r"/opt/own|a.example|git-upload-pack 'x'\''; y'\!''");
    }

    #[test]
    fn the_users_own_command_is_heard() {
        let own = Wishes { command: Some("ssh -i key".into()), program: Some("no".into()), interactive: true };
        let expected = "sh|-c|ssh -i key \"$@\"|ssh|-o|SendEnv=GIT_PROTOCOL|a.example|git-upload-pack '/x'";
        check(&own, None, None, "/x", expected);
    }
}
