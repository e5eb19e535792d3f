//! Every key that a manifest may have, and the shape of its value. Pure data.

/// What a value must look like.
pub(crate) enum Shape {
    String,
    StringOrFalse,
    Boolean,
    Integer,
    Strings,
    /// Tables, each with these keys, as `[[…]]` writes them.
    Tables(&'static [Key]),
    /// A var: a string, an integer, a float or a boolean.
    Scalar,
    /// A param of a recipe: a boolean, an integer, a string or a list of strings.
    Param,
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table whose keys are names, all with values of one shape.
    Each(&'static Self),
    /// A requirement: a string, or a table with these keys.
    StringOr(&'static [Key]),
}

impl Shape {
    /// The shape in a sentence.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::StringOrFalse => "a string or `false`",
            Self::Boolean => "`true` or `false`",
            Self::Integer => "an integer",
            Self::Strings => "a list of strings",
            Self::Tables(_) => "a list of tables",
            Self::Scalar => "a string, a number, `true` or `false`",
            Self::Param => "a string, an integer, a list of strings, `true` or `false`",
            Self::Table(_) | Self::Each(_) => "a table",
            Self::StringOr(_) => "a version requirement or a table",
        }
    }
}

/// A key and what belongs under it.
pub(crate) struct Key {
    pub name: &'static str,
    pub shape: Shape,
}

pub(crate) const fn now(name: &'static str, shape: Shape) -> Key {
    Key { name, shape }
}

pub(super) const MANIFEST: &[Key] = &[
    now("project", Shape::Table(PROJECT)),
    now("toolchain", Shape::Table(&[now("rust", Shape::String)])),
    now("dependencies", DEPENDENCIES),
    now("sites", Shape::Each(&Shape::Table(SITE))),
    now("settings", Shape::Table(SETTINGS)),
    now("registries", Shape::Each(&Shape::Table(&[now("index", Shape::String)]))),
    now("recipes", Shape::Each(&Shape::Table(RECIPES))),
    now("mirrors", Shape::Each(&Shape::String)),
    now("overrides", DEPENDENCIES),
    now("constraints", Shape::Each(&Shape::String)),
    now(
        "remote",
        Shape::Table(&[now("cache", Shape::String), now("push", Shape::Boolean), now("trust", Shape::Boolean)]),
    ),
];

const PROJECT: &[Key] = &[now("name", Shape::String), now("envy", Shape::String), now("platforms", Shape::Strings)];

const SETTINGS: &[Key] = &[
    now("sandbox", Shape::String),
    now("build-timeout", Shape::String),
    now("exclude-newer", Shape::StringOrFalse),
    now("largest-source", Shape::String),
    now("largest-ratio", Shape::Integer),
    now("keep-generations", Shape::Integer),
    now("require-outputs", Shape::Boolean),
];

const RECIPES: &[Key] = &[
    now("git", Shape::String),
    now("tag", Shape::String),
    now("branch", Shape::String),
    now("rev", Shape::String),
    now("subdir", Shape::String),
    now("path", Shape::String),
];

const SITE: &[Key] = &[
    now("dependencies", DEPENDENCIES),
    now("env", Shape::Each(&Shape::String)),
    now("vars", Shape::Each(&Shape::Scalar)),
    now("extends", Shape::Strings),
    now("check", Shape::Strings),
    now("check-timeout", Shape::String),
    now("after-switch", Shape::Strings),
    now("files", Shape::Each(&Shape::Table(FILE))),
];

const FILE: &[Key] = &[
    now("template", Shape::String),
    now("text", Shape::String),
    now("file", Shape::String),
    now("mode", Shape::String),
];

const DEPENDENCIES: Shape = Shape::Each(&Shape::StringOr(DEPENDENCY));

pub(super) const DEPENDENCY: &[Key] = &[
    now("version", Shape::String),
    now("features", Shape::Strings),
    now("all-features", Shape::Boolean),
    now("no-default-features", Shape::Boolean),
    now("default-features", Shape::Boolean),
    now("bins", Shape::Strings),
    now("profile", Shape::String),
    now("target", Shape::String),
    now("static", Shape::Boolean),
    now("env", Shape::Strings),
    now("tools", Shape::Strings),
    now("params", Shape::Each(&Shape::Param)),
    now("without", Shape::Strings),
    now("git", Shape::String),
    now("tag", Shape::String),
    now("branch", Shape::String),
    now("rev", Shape::String),
    now("subdir", Shape::String),
    now("path", Shape::String),
    now("url", Shape::String),
    now("sha256", Shape::String),
    now("registry", Shape::String),
    now("recipe", Shape::String),
    now("patches", Shape::Strings),
    now("when", Shape::String),
    now("strip", Shape::Integer),
    now("platform", Shape::Each(&Shape::Table(&[now("url", Shape::String), now("sha256", Shape::String)]))),
    now("install", Shape::Each(&Shape::String)),
    now("exclude-newer", Shape::StringOrFalse),
    now("dependencies", NEEDED),
    now("build-dependencies", NEEDED),
];

/// Packages of recipes that are there for another one.
pub(crate) const NEEDED: Shape = Shape::Each(&Shape::StringOr(&[
    now("version", Shape::String),
    now("recipe", Shape::String),
    now("params", Shape::Each(&Shape::Param)),
    now("when", Shape::String),
]));

/// `[package.metadata.envy]` of a Cargo.toml.
pub(super) const METADATA: &[Key] = &[
    now("dependencies", NEEDED),
    now("build-dependencies", NEEDED),
    now("recipe", Shape::String),
    now("params", Shape::Each(&Shape::Param)),
];

/// Keys that say where a dependency comes from.
pub(super) const SOURCE_KEYS: &[&str] =
    &["git", "tag", "branch", "rev", "subdir", "path", "url", "sha256", "strip", "platform", "registry", "recipe"];

/// Params of the cargo recipe that may stand beside `version` instead of under `params`.
pub(super) const SHORT_PARAMS: &[&str] =
    &["all-features", "bins", "env", "features", "no-default-features", "profile", "static", "target", "tools"];
