//! Programs that know tokens, after cargo's book (*Registry Authentication*, *Credential Provider Protocol*).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use cargo_config2::{CredentialProvider, PathAndArgs};
use serde::Deserialize;

use super::{Asked, Error};
use crate::download::Secret;
use crate::process;

/// The version of the protocol that we speak.
const VERSION: u32 = 1;

/// Someone who may know a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) enum Provider {
    /// `cargo:token`: variables and files.
    Cargo,
    /// `cargo:token-from-stdout`: a program that prints it.
    FromStdout(Program),
    /// A program that speaks cargo's protocol.
    Plugin(Program),
    /// One that is built into cargo, or that nothing has a name for.
    Unsupported(String),
}

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    fn of(command: &PathAndArgs) -> Self {
        Self { path: command.path.clone(), arguments: command.args.clone() }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Whether a provider that failed is to be passed over.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Refusal {
    UrlNotSupported,
    NotFound,
    OperationNotSupported,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Hello {
    v: Vec<u32>,
}

#[derive(Deserialize)]
enum Reply {
    Ok(Given),
    Err(serde_json::Value),
}

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
}

impl Provider {
    pub(super) fn of(provider: &CredentialProvider, aliases: &BTreeMap<&str, &PathAndArgs>) -> Self {
        match provider {
            CredentialProvider::CargoToken => Self::Cargo,
            CredentialProvider::CargoWincred => Self::Unsupported("cargo:wincred".to_owned()),
            CredentialProvider::CargoMacosKeychain => Self::Unsupported("cargo:macos-keychain".to_owned()),
            CredentialProvider::CargoLibsecret => Self::Unsupported("cargo:libsecret".to_owned()),
            CredentialProvider::CargoTokenFromStdout(command) => Self::FromStdout(Program::of(command)),
            CredentialProvider::Plugin(command) => Self::plugin(command),
            CredentialProvider::Alias(name) => match aliases.get(name.as_str()) {
                Some(command) => Self::aliased(command),
                None => Self::Unsupported(name.clone()),
            },
            other => Self::Unsupported(format!("{other:?}")),
        }
    }

    /// An alias may stand for one of cargo's own too.
    fn aliased(command: &PathAndArgs) -> Self {
        match command.path.to_str().map(|path| path.rsplit('/').next().unwrap_or(path)) {
            Some("cargo:token") => Self::Cargo,
            Some("cargo:token-from-stdout") => match command.args.split_first() {
                Some((program, arguments)) => {
                    Self::FromStdout(Program { path: program.into(), arguments: arguments.to_vec() })
                }
                None => Self::Unsupported("cargo:token-from-stdout".to_owned()),
            },
            _ => Self::plugin(command),
        }
    }

    fn plugin(command: &PathAndArgs) -> Self {
        let name = command.path.display().to_string();
        match name.find("cargo:") {
            Some(at) => Self::Unsupported(name[at..].to_owned()),
            None => Self::Plugin(Program::of(command)),
        }
    }

    /// The token that it knows, if it does.
    pub(super) fn token(&self, asked: &Asked<'_>) -> Result<Option<Secret>, Error> {
        match self {
            Self::Cargo => Ok(None),
            Self::FromStdout(program) => from_stdout(program, asked).map(Some),
            Self::Plugin(program) => by_protocol(program, asked),
            Self::Unsupported(provider) => {
                Err(Error::Unsupported { registry: asked.title.to_owned(), provider: provider.clone() })
            }
        }
    }
}

fn from_stdout(program: &Program, asked: &Asked<'_>) -> Result<Secret, Error> {
    let name = asked.name.unwrap_or(if asked.is_crates_io { "crates-io" } else { "" });
    let environment = [("CARGO_REGISTRY_INDEX_URL", asked.index), ("CARGO_REGISTRY_NAME_OPT", name)];
    let told = process::ask(&program.path, &program.arguments, &environment, b"")
        .map_err(|source| failed(program, asked, source))?;
    let broken = |what| Error::Protocol { provider: program.name(), what };
    let text = String::from_utf8(told).map_err(|_| broken("printed something that is no text"))?;
    let token = text.trim_end_matches(['\r', '\n']);
    match token {
        "" => Err(broken("printed no token")),
        token if token.contains('\n') => Err(broken("printed more than one line")),
        token => Ok(Secret::new(token)),
    }
}

fn by_protocol(program: &Program, asked: &Asked<'_>) -> Result<Option<Secret>, Error> {
    let name = asked.name.or_else(|| asked.is_crates_io.then_some("crates-io"));
    let arguments: Vec<_> = program.arguments.iter().map(|one| one.to_string_lossy()).collect();
    let question = serde_json::json!({
        "v": VERSION,
        "registry": { "index-url": asked.index, "name": name },
        "kind": "get",
        "operation": "read",
        "args": arguments,
    });
    let told = process::ask(&program.path, ["--cargo-plugin"], &[], format!("{question}\n").as_bytes())
        .map_err(|source| failed(program, asked, source))?;
    let broken = |what| Error::Protocol { provider: program.name(), what };
    let mut lines = told.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let hello: Option<Hello> = lines.next().and_then(|line| serde_json::from_slice(line).ok());
    if !hello.ok_or_else(|| broken("does not speak cargo's protocol"))?.v.contains(&VERSION) {
        return Err(broken("speaks another version of cargo's protocol"));
    }
    match lines.next().and_then(|line| serde_json::from_slice(line).ok()) {
        Some(Reply::Ok(Given { token: Some(token) })) => Ok(Some(Secret::new(token))),
        Some(Reply::Ok(Given { token: None })) => Err(broken("says that it has a token, and gives none")),
        Some(Reply::Err(refusal)) => refused(program, asked, &refusal),
        None => Err(broken("gave an answer that cannot be understood")),
    }
}

/// Who does not know is passed over; who has trouble stops it all.
fn refused(program: &Program, asked: &Asked<'_>, refusal: &serde_json::Value) -> Result<Option<Secret>, Error> {
    match Refusal::deserialize(refusal).unwrap_or(Refusal::Other) {
        Refusal::UrlNotSupported | Refusal::NotFound | Refusal::OperationNotSupported => return Ok(None),
        Refusal::Other => {}
    }
    let causes = refusal["caused-by"].as_array().into_iter().flatten();
    let said = refusal["message"].as_str().into_iter().chain(causes.filter_map(serde_json::Value::as_str));
    let said = said.map(|text| text.trim().to_owned()).collect();
    Err(Error::Said { registry: asked.title.to_owned(), provider: program.name(), said })
}

fn failed(program: &Program, asked: &Asked<'_>, source: process::Error) -> Error {
    Error::Failed { registry: asked.title.to_owned(), provider: program.name(), source }
}
