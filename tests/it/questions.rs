//! A world for the read-only questions: recipes of shell alone, which need each other.

use crate::scratch::Scratch;

/// A recipe with versions, of nothing but its own step: it makes `lib/NAME` and, of its own name, `bin/NAME`.
pub fn recipe(versions: &[&str], rest: &str) -> String {
    let versions: String = versions.iter().map(|version| format!("[versions.\"{version}\"]\n")).collect();
    format!(
        r#"
summary = "A package of the tests"
{versions}{rest}
[params]
loud = {{ type = "bool", default = false, doc = "Whether it shouts." }}
flags = {{ type = "list", default = [], doc = "What it is built with." }}
[[step]]
name = "build"
run = '''
mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/bin {{{{ destdir }}}}{{{{ prefix }}}}/share
printf '#!/bin/sh\necho %s %s\n' {{{{ name }}}} {{{{ version }}}} >{{{{ destdir }}}}{{{{ prefix }}}}/bin/{{{{ name }}}}
chmod +x {{{{ destdir }}}}{{{{ prefix }}}}/bin/{{{{ name }}}}
ln -s {{{{ name }}}} {{{{ destdir }}}}{{{{ prefix }}}}/bin/{{{{ name }}}}-link
echo {{{{ flags | join(' ') }}}} >{{{{ destdir }}}}{{{{ prefix }}}}/share/{{{{ name }}}}
'''
"#
    )
}

/// A site `api` that asks for `app`, which needs `tls` and `http`, which need `tls` and `zlib`, and a tool to build.
pub fn world() -> Scratch {
    let scratch = Scratch::new();
    let needs = |name: &str, versions: &[&str], needs: &str| {
        scratch.write(format!("recipes/{name}.toml"), recipe(versions, needs));
    };
    needs("app", &["1.0.0"], "[dependencies]\nhttp = '1'\ntls = { version = '3', params = { loud = true } }\n");
    needs("http", &["1.2.0"], "[dependencies]\ntls = '3'\n[build-dependencies]\ntool = '1'\n");
    needs("tls", &["3.1.0", "3.2.0", "4.0.0"], "[dependencies]\nzlib = '1'\n[build-dependencies]\ntool = '>=1'\n");
    needs("tool", &["1.0.0"], "");
    needs("zlib", &["1.3.0"], "");
    scratch.write("envy.toml", "[sites.api.dependencies]\napp = { recipe = 'app', version = '1' }\n");
    scratch
}
