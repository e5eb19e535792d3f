use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(code) = envy::build::sandbox::helper(&arguments) {
        return ExitCode::from(code);
    }
    ExitCode::SUCCESS
}
