//! Bills of materials of a real site, held against the official schemas by other people's programs.

use std::path::Path;
use std::process::Command;

use super::{World, text};

/// Has the schema of CycloneDX 1.6, and checks formats too.
const CYCLONEDX: &str = "cyclonedx-python-lib[json-validation]==11.5.0";

/// What the authors of SPDX check documents with.
const SPDX: &str = "spdx-tools==0.8.3";

const VALIDATE: &str = "
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(repr(error) if error else 0)
";

/// Runs a program that must succeed.
fn run(world: &World, program: &Path, arguments: &[&str]) -> String {
    let output = world.command(program, "").args(arguments).output().unwrap();
    text(&format!("{} {arguments:?}", program.display()), &output)
}

#[test]
fn bills_of_a_real_site_are_valid() {
    let Some(world) = World::new() else { return };
    let python = world.path("python");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&python).status();
    assert!(made.is_ok_and(|status| status.success()), "python3 with its module venv is needed");
    run(&world, &python.join("bin/pip"), &["install", "--quiet", "--disable-pip-version-check", CYCLONEDX, SPDX]);
    world.envy("init");
    world.envy("create web");
    world.envy("add hexyl@0.16 just --site web --no-build");
    world.envy("add --recipe zstd@1 --site web --no-build");

    world.envy("export web --format cyclonedx -o bill.cdx.json");
    let bill = world.path("project/bill.cdx.json");
    run(&world, &python.join("bin/python"), &["-c", VALIDATE, bill.to_str().unwrap()]);
    let bill: serde_json::Value = serde_json::from_slice(&std::fs::read(bill).unwrap()).unwrap();
    let components = bill["components"].as_array().unwrap();
    assert!(components.len() > 60, "hexyl and just have more crates than {}", components.len());
    let licensed = components.iter().filter(|one| one.get("licenses").is_some()).count();
    assert!(licensed * 20 > components.len() * 19, "of {} components only {licensed} name a licence", components.len());

    world.envy("export web --format spdx -o bill.spdx.json");
    run(&world, &python.join("bin/pyspdxtools"), &["-i", world.path("project/bill.spdx.json").to_str().unwrap()]);
}
