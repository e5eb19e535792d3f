//! Compilers that know where packages are: whatever they link finds its libraries in the prefix when it runs.
//!
//! A build that may link libraries of its site gets small scripts in the place of the C compilers. They add the
//! placeholder's `lib` to the run path, which is made relative to the file when it is captured. Only the last step of
//! compiling takes a run path, so that other steps are left alone.

use super::action::{PLACEHOLDER, TOOLS};

/// Compilers that link.
const NAMES: [&str; 6] = ["cc", "c++", "gcc", "g++", "clang", "clang++"];

/// Whether a tool is a compiler that links.
pub fn is_one(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The script that stands for the compiler at a path, with `root` before every path of `/envy`.
pub fn script(compiler: &str, root: &str) -> String {
    format!(
        "#!{root}{TOOLS}/sh\n\
         links=\n\
         for word do\n\
         \x20 case $word in\n\
         \x20   -c | -E | -S | -M | -MM | -fsyntax-only) exec {compiler} \"$@\" ;;\n\
         \x20   -*) ;;\n\
         \x20   *) links=yes ;;\n\
         \x20 esac\n\
         done\n\
         [ \"$links\" ] || exec {compiler} \"$@\"\n\
         exec {compiler} \"$@\" -Wl,-rpath,{PLACEHOLDER}/lib\n"
    )
}

/// Variables by which compilers and their helpers find what lies at the placeholder.
pub fn variables() -> [(&'static str, String); 5] {
    [
        ("C_INCLUDE_PATH", format!("{PLACEHOLDER}/include")),
        ("CPLUS_INCLUDE_PATH", format!("{PLACEHOLDER}/include")),
        ("LIBRARY_PATH", format!("{PLACEHOLDER}/lib")),
        ("PKG_CONFIG_PATH", format!("{PLACEHOLDER}/lib/pkgconfig:{PLACEHOLDER}/share/pkgconfig")),
        ("CMAKE_PREFIX_PATH", PLACEHOLDER.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_what_links_gets_a_run_path() {
        let said = |words: &[&str]| {
            let script = script("echo", "").replace("#!/envy/tools/sh", "");
            let output = Command::new("sh").args(["-c", &script, "cc"]).args(words).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().replace(PLACEHOLDER, "@")
        };
        assert_eq!(said(&["x.o", "-o", "x"]), "x.o -o x -Wl,-rpath,@/lib");
        assert_eq!(said(&["-c", "x.c"]), "-c x.c");
        assert_eq!(said(&["-v"]), "-v");
        assert_eq!(said(&["a b.o"]), "a b.o -Wl,-rpath,@/lib");
    }
}
