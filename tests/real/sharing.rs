//! Compiled crates of the real world, shared between two tools: with macros, build scripts and C in them.

use std::path::Path;

use crate::World;

#[test]
fn two_real_tools_share_crates_and_come_out_as_they_would_alone() {
    let Some(world) = World::new() else { return };
    world.envy("init --name real");
    let manifest = world.path("project/envy.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let sites =
        "\n[sites.one.dependencies]\nb3sum = \"=1.8.7\"\n\n[sites.two.dependencies]\ncargo-llvm-lines = \"=0.4.48\"\n";
    std::fs::write(&manifest, text + sites).unwrap();
    world.envy("build one");
    let said = world.output("build two -v");
    let said = String::from_utf8_lossy(&said.stderr);
    let calls = said.lines().find(|line| line.contains("calls of the compiler")).unwrap_or_else(|| panic!("{said}"));
    let shared: usize = calls.split([' ', ':']).filter_map(|word| word.parse().ok()).next().expect("a number");
    assert!(shared >= 10 && calls.ends_with(" 0 of its own"), "{calls}");

    // In an empty store and with nothing shared, the same comes out.
    std::fs::rename(world.path("store"), world.path("first-store")).unwrap();
    std::fs::remove_dir_all(world.path("project/.envy")).unwrap();
    let mut alone = world.command(Path::new(env!("CARGO_BIN_EXE_envy")), "build --locked");
    super::text("build --locked", &alone.env("ENVY_SHARE", "off").output().unwrap());
    let status = world.envy("status");
    assert_eq!(status.matches("(proven)").count(), 2, "{status}");
}
