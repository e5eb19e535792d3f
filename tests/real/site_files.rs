//! Files of a site's own, as who reads them takes them: the unit that the guide shows, and systemd.

use std::path::Path;
use std::process::{Command, Output};

use crate::{World, text};

/// The first block of a language in the guide.
fn block(language: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/site-files.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let after = guide.split_once(&format!("```{language}\n")).expect("the guide shows one").1;
    after.split_once("```").expect("a block ends").0.to_owned()
}

impl World {
    fn write(&self, path: &str, text: &str) {
        let path = self.path("project").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// What systemd says about a unit, as one of the whole system and as one of a user.
    fn verify(&self, unit: &Path) -> [Output; 2] {
        let runtime = self.path("runtime");
        std::fs::create_dir_all(&runtime).unwrap();
        ["--system", "--user"].map(|whose| {
            let mut command = Command::new("systemd-analyze");
            command.args(["verify", "--man=no", whose]).arg(unit).env("XDG_RUNTIME_DIR", &runtime);
            command.output().unwrap()
        })
    }
}

#[test]
fn systemd_takes_the_unit_that_the_guide_shows() {
    let Some(world) = World::new() else { return };
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("left out: there is no `systemd-analyze`");
        return;
    }
    // The program by that name is made here: the unit is what is looked at.
    world.write("miniserve/Cargo.toml", "[package]\nname = \"miniserve\"\nversion = \"0.31.0\"\nedition = \"2024\"\n");
    world.write("miniserve/src/main.rs", "fn main() {}\n");
    world.write("envy.toml", &block("toml").replace("miniserve = \"0.31\"", "miniserve = { path = \"miniserve\" }"));
    world.write("templates/web.service.j2", &block("ini"));
    world.envy("build web");
    let unit = world.path("project/.envy/sites/web/current/systemd/web.service");
    let rendered = std::fs::read_to_string(&unit).unwrap();
    assert!(rendered.contains("/sites/web/current/bin/miniserve --port 8001"), "{rendered}");
    for output in world.verify(&unit) {
        text("systemd-analyze verify", &output);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nothing is to be said about it");
    }

    // It would say so if the program were missing, and if a key were none.
    world.write("templates/web.service.j2", &block("ini").replace("bin/miniserve", "bin/none"));
    world.envy("build web");
    for output in world.verify(&unit) {
        assert!(!output.status.success(), "{output:?}");
    }
    world.envy("rollback web");
    for output in world.verify(&unit) {
        text("systemd-analyze verify", &output);
    }
}
