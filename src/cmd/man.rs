//! `envy man`

use std::path::{Path, PathBuf};

use clap_mangen::Man;

use super::context::{Context, absolute};
use crate::disk;
use crate::failure::{Exit, Failure};

/// Arguments of `envy man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A command, and one below it: `build`, `recipe list` [default: envy itself]
    command: Vec<String>,
    /// Write the pages of all commands into this directory, as for packages of a distribution
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// Print a page of the manual as `man` reads it, or write them all.
pub fn run(context: &Context<'_>, args: &Args, commands: clap::Command) -> Result<(), Failure> {
    let all = named(commands);
    let Some(directory) = &args.dir else {
        context.ui.result(&rendered(found(all, &args.command)?));
        return Ok(());
    };
    let directory = absolute(directory.clone())?;
    disk::create_directories(&directory)?;
    let count = write(&directory, &all)?;
    context.ui.done("wrote", format!("{} into `{}`", crate::ui::count(count, "page"), directory.display()));
    Ok(())
}

/// The commands, each with the name of its page, and without `help`, which says what the pages say.
fn named(commands: clap::Command) -> clap::Command {
    let mut commands = commands.disable_help_subcommand(true);
    commands.build();
    below(commands, "envy")
}

fn below(command: clap::Command, name: &str) -> clap::Command {
    let page = name.to_owned();
    let command = command.mut_subcommands(|sub| {
        let name = format!("{page}-{}", sub.get_name());
        below(sub, &name)
    });
    command.display_name(name.to_owned())
}

fn found(all: clap::Command, names: &[String]) -> Result<clap::Command, Failure> {
    let mut command = all;
    for name in names {
        let unknown = || {
            Failure::new(Exit::Usage, format!("`{}` has no command `{name}`", command.get_bin_name().unwrap_or("envy")))
                .hint("`envy help` lists the commands")
        };
        command = command.find_subcommand(name).ok_or_else(unknown)?.clone();
    }
    Ok(command)
}

/// Write the page of a command and of all below it; how many that are.
fn write(directory: &Path, command: &clap::Command) -> Result<usize, Failure> {
    let file = format!("{}.1", command.get_display_name().unwrap_or("envy"));
    disk::write_atomic(&directory.join(file), rendered(command.clone()).as_bytes())?;
    let below = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    below.map(|sub| write(directory, sub)).sum::<Result<usize, _>>().map(|count| count + 1)
}

fn rendered(command: clap::Command) -> String {
    let mut page = Vec::new();
    let written = Man::new(command).source(concat!("envy ", env!("CARGO_PKG_VERSION"))).render(&mut page);
    written.expect("a vector takes everything");
    String::from_utf8_lossy(&page).into_owned()
}
