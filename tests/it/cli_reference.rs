//! The reference of the command line is written by this test, from what the program itself knows.
//!
//! `UPDATE_EXPECT=1 cargo test` rewrites it.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use envy::cli::Cli;
use expect_test::expect_file;

#[test]
fn the_reference_of_the_command_line_is_what_the_program_says() {
    let mut command = Cli::command();
    command.build();
    let mut text = "# Command line\n\n\
        This chapter is written by a test from what `envy --help` knows. Results go to stdout, all else to stderr;\n\
        how a command ends is in [exit codes](exit-codes.md).\n\n"
        .to_owned();
    let everywhere: Vec<_> = command.get_arguments().filter(|arg| arg.is_global_set()).map(name).collect();
    text += "## Options of every command\n\n";
    let globals = command.get_arguments().filter(|arg| arg.is_global_set());
    globals.for_each(|arg| describe(arg, &mut text));
    for subcommand in command.get_subcommands().filter(|one| one.get_name() != "help") {
        chapter("envy", subcommand, &everywhere, &mut text);
    }
    expect_file!["../../docs/reference/cli.md"].assert_eq(&text);
}

fn chapter(parent: &str, command: &Command, everywhere: &[String], text: &mut String) {
    let path = format!("{parent} {}", command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    writeln!(text, "\n## `{path}`\n\n{about}.\n\n```text\n{usage}\n```\n").expect("a string takes everything");
    for alias in command.get_visible_aliases() {
        writeln!(text, "Also `{parent} {alias}`.\n").expect("a string takes everything");
    }
    let own = command.get_arguments().filter(|arg| !everywhere.contains(&name(arg)) && arg.get_id() != "help");
    own.for_each(|arg| describe(arg, text));
    for subcommand in command.get_subcommands().filter(|one| one.get_name() != "help") {
        chapter(&path, subcommand, everywhere, text);
    }
}

fn name(arg: &Arg) -> String {
    arg.get_id().to_string()
}

fn describe(arg: &Arg, text: &mut String) {
    let mut shown = Vec::new();
    shown.extend(arg.get_short().map(|short| format!("`-{short}`")));
    let value = match arg.get_action().takes_values() {
        true => arg.get_value_names().unwrap_or_default().join(" "),
        false => String::new(),
    };
    match arg.get_long() {
        Some(long) if value.is_empty() => shown.push(format!("`--{long}`")),
        Some(long) => shown.push(format!("`--{long} <{value}>`")),
        None => shown.push(format!("`<{value}>`")),
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    write!(text, "- {}: {}", shown.join(", "), help.trim_end_matches('.')).expect("a string takes everything");
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        write!(text, "; one of {}", values.join(", ")).expect("a string takes everything");
    }
    for default in arg.get_default_values().iter().filter(|_| arg.get_action().takes_values()) {
        write!(text, "; `{}` by default", default.to_string_lossy()).expect("a string takes everything");
    }
    if let Some(variable) = arg.get_env() {
        write!(text, "; variable `{}`", variable.to_string_lossy()).expect("a string takes everything");
    }
    text.push_str(".\n");
}
