//! The program: reads the command line, does what it says, and decides how a failure ends.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use envy::cli::Cli;
use envy::cmd::Color;
use envy::{build, failure, ui};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = envy::process::arguments();
    // In a build, this same program takes the place of the compiler.
    if let Some(code) = build::share::rustc(&arguments) {
        return ExitCode::from(code);
    }
    // A build's helper is this same program, under another name for its first argument.
    if let Some(code) = build::sandbox::helper(&arguments) {
        return ExitCode::from(code);
    }
    std::panic::set_hook(Box::new(bug));
    let cli = Cli::parse();
    match cli.globals.color {
        Color::Auto => anstream::ColorChoice::Auto.write_global(),
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let ui = ui::Ui::new(cli.globals.volume());
    match cli.run(&ui) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            ui.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Say that envy broke a promise of its own, and end.
fn bug(panic: &std::panic::PanicHookInfo<'_>) {
    ui::bug(&panic.to_string());
    envy::process::exit(failure::BUG);
}
