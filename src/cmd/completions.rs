//! `envy completions`

use clap_complete::Shell;

use super::context::Context;
use crate::failure::Failure;

/// Arguments of `envy completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Print a script that completes the commands of envy's command line in a shell.
pub fn run(context: &Context<'_>, args: &Args, mut commands: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut commands, "envy", &mut script);
    context.ui.result(&String::from_utf8_lossy(&script));
    Ok(())
}
