//! `envy completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::context::Context;
use crate::cli::Cli;
use crate::failure::Failure;

/// Arguments of `envy completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Print a script that completes envy's commands in a shell.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "envy", &mut script);
    context.ui.result(&String::from_utf8_lossy(&script));
    Ok(())
}
