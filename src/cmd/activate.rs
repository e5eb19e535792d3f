//! `envy activate`

use std::path::Path;

use clap::ValueEnum;

use super::context::Context;
use crate::failure::{Exit, Failure};
use crate::package::SiteName;
use crate::process;
use crate::site::{Error, scripts};

/// Arguments of `envy activate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// The shell that reads it [default: that of `SHELL`]
    #[arg(long, value_enum, value_name = "SHELL")]
    shell: Option<Shell>,
}

/// A shell that a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// bash.
    Bash,
    /// fish.
    Fish,
    /// Any shell that is as POSIX says.
    Sh,
    /// zsh.
    Zsh,
}

impl Shell {
    /// The name of the script for it, as it lies in the site's directory.
    fn script(self) -> &'static str {
        match self {
            Self::Bash | Self::Sh | Self::Zsh => "activate",
            Self::Fish => "activate.fish",
        }
    }

    /// The shell of this user.
    fn of_user() -> Result<Self, Failure> {
        let path = process::path_variable("SHELL").unwrap_or_else(|| "/bin/sh".into());
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name {
            "dash" | "ash" | "ksh" | "mksh" => Ok(Self::Sh),
            name => Self::from_str(name, false).map_err(|_| unknown(&path)),
        }
    }
}

fn unknown(path: &Path) -> Failure {
    Failure::new(Exit::Failed, format!("there is no script for `{}`, the shell that `SHELL` names", path.display()))
        .hint("say which one to print, as in `--shell sh`")
}

/// Print the script that makes a shell use a site, for `eval`.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    project.site(&args.site)?;
    let shell = args.shell.map_or_else(Shell::of_user, Ok)?;
    let place = project.place(&args.site);
    let generation = place.current()?.ok_or_else(|| Error::NotBuilt(args.site.clone()))?;
    let scripts = scripts(&place, &generation);
    let script = scripts.iter().find(|(name, _)| *name == shell.script());
    context.ui.result(&script.expect("there is one of each name").1);
    Ok(())
}
