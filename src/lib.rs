//! envy: isolated, repeatable environments for Rust services.
//!
//! An environment is a hash. `envy.toml` says what each site requires; a lockfile pins what goes in, by digest, and
//! records what comes out; `envy build --locked` makes exactly that, proves it, and switches the site atomically.
//!
//! # The rooms
//!
//! Ground floor first. A room owns one noun and uses only rooms above it in this list; a test holds that order.
//!
//! | room | owns |
//! | --- | --- |
//! | [`digest`], [`package`], [`platform`], [`placeholder`], [`tree`], [`progress`] | values: no disk, no network, no clock |
//! | [`disk`], [`process`], [`download`] | the doors to the world, one each, and the only ones |
//! | [`store`] | blobs, trees, results, ready prefixes, by digest |
//! | [`manifest`] | `envy.toml` |
//! | [`source`] | where bytes come from: registries, git repositories, archives, directories; patches |
//! | [`recipe`] | how a package is made, as data |
//! | [`resolve`] | requirements and an index in, a resolution or a conflict out |
//! | [`index`] | what the sources offer, as an index |
//! | [`lock`] | `lockfiles/SITE.lock`: pins, outputs, drift |
//! | [`build`] | actions, the sandbox, running them |
//! | [`remote`] | caches that several hosts share |
//! | [`bundle`] | one file with all that a site is installed from |
//! | [`export`] | bills of materials, statements of provenance, archives |
//! | [`site`] | prefixes, generations, switching, activation |
//! | [`failure`], [`ui`] | errors as exit codes and hints; the only printer |
//! | [`cmd`], [`cli`] | one file a command; what can be typed |
//!
//! # Every file on disk
//!
//! | file | room that reads and writes it |
//! | --- | --- |
//! | `envy.toml` | [`manifest`] |
//! | `lockfiles/SITE.lock`, `lockfiles/SITE/NAME.Cargo.lock` | [`lock`] |
//! | `recipes/*.toml` (embedded in the program) | [`recipe`] |
//! | `$XDG_DATA_HOME/envy/store/**` | [`store`] |
//! | `$XDG_CACHE_HOME/envy/index/**` | [`source`] |
//! | `$XDG_CACHE_HOME/envy/git/**` | [`source`] |
//! | `$XDG_CACHE_HOME/envy/paths/**` | [`source`] |
//! | `$XDG_CACHE_HOME/envy/identity.json` | [`build`] |
//! | `.envy/sites/SITE/**` | [`site`] |
//! | `$XDG_CONFIG_HOME/envy/config.toml` | [`remote`] |
//! | bundles, as `envy bundle` writes them | [`bundle`] |
//! | `.envy/lock`, `.envy/undo.json`, `.envy/imported.json` | [`cmd`] |

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, clippy::print_stderr, reason = "tests look at the world for themselves")
)]

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "envy runs on Linux, on x86_64 and aarch64: it builds in Linux namespaces and makes prefixes of Linux programs"
);

pub mod digest;
pub mod package;
pub mod placeholder;
pub mod platform;
pub mod progress;
pub mod tree;

pub mod disk;
pub mod download;
pub mod process;

pub mod store;

pub mod manifest;

pub mod source;

pub mod recipe;

pub mod resolve;

pub mod index;

pub mod lock;

pub mod build;

pub mod remote;

pub mod bundle;

pub mod export;

pub mod site;

pub mod failure;
pub mod ui;

pub mod cli;
pub mod cmd;
