//! A cache that hosts share, served by nginx as the guide has it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{World, text};

/// A package of many small files that needs nothing from anywhere.
const RECIPE: &str = "summary = \"Many files\"\n[versions.\"1.0\"]\n[[step]]\nname = \"install\"\nrun = '''\n\
    mkdir -p {{ destdir }}{{ prefix }}/bin {{ destdir }}{{ prefix }}/share\n\
    printf '#!/bin/sh\\necho it runs\\n' >{{ destdir }}{{ prefix }}/bin/many\nchmod +x {{ destdir }}{{ prefix }}/bin/many\n\
    i=0; while [ $i -lt 700 ]; do echo $i >{{ destdir }}{{ prefix }}/share/$i; i=$((i+1)); done\n\
    : >{{ destdir }}{{ prefix }}/share/empty\n'''\n";

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, out of Debian's package, which is not installed.
fn program(directory: &Path) -> PathBuf {
    let run = |name: &str, arguments: &[&str]| {
        let output = Command::new(name).args(arguments).current_dir(directory).output().unwrap();
        text(&format!("{name} {arguments:?}"), &output);
    };
    run("apt-get", &["download", "-q", "nginx"]);
    let is_it = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    let package = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).find(is_it).unwrap();
    run("dpkg", &["-x", package.to_str().unwrap(), "nginx"]);
    directory.join("nginx/usr/sbin/nginx")
}

/// nginx on a free port of the loopback; whoever sends has to name himself.
fn start(directory: &Path) -> (Nginx, u16) {
    let program = program(directory);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|place| format!("{place}_temp_path {}/{place};", directory.display()));
    // Started by root it would serve as somebody who may not write here.
    let user = if Path::new("/root").metadata().is_ok() && fs::read_dir("/root").is_ok() { "user root;" } else { "" };
    let config = format!(
        "{user} daemon off; pid {0}/pid; error_log {0}/error.log; worker_processes 1;\nevents {{}}\n\
         http {{ access_log off; {1}\nserver {{ listen 127.0.0.1:{port};\nlocation /envy/ {{\n root {0}/srv;\n dav_methods PUT;\n \
         create_full_put_path on;\n client_max_body_size 0;\n limit_except GET HEAD {{ auth_basic \"envy\"; \
         auth_basic_user_file {0}/htpasswd; }}\n}} }} }}\n",
        directory.display(),
        places.join(" "),
    );
    fs::write(directory.join("nginx.conf"), config).unwrap();
    fs::write(directory.join("htpasswd"), "ci:{PLAIN}sesame\n").unwrap();
    fs::create_dir_all(directory.join("srv")).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(directory.join("nginx.conf")).stdout(Stdio::null()).stderr(Stdio::null());
    let nginx = Nginx(command.spawn().unwrap());
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (nginx, port)
}

#[test]
fn nginx_is_a_cache() {
    let (Some(world), Some(other)) = (World::new(), World::new()) else { return };
    let place = world.path("server");
    fs::create_dir_all(&place).unwrap();
    let (_nginx, port) = start(&place);
    let manifest = format!(
        "[sites.web.dependencies]\nmany = {{ recipe = \"many\", version = \"1\" }}\n\n\
         [remote]\ncache = \"http://127.0.0.1:{port}/envy\"\n"
    );
    for world in [&world, &other] {
        fs::create_dir_all(world.path("project/recipes")).unwrap();
        fs::write(world.path("project/recipes/many.toml"), RECIPE).unwrap();
        fs::write(world.path("project/envy.toml"), &manifest).unwrap();
    }
    world.envy("build");
    let nobody = world.output("push");
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("401"), "{nobody:?}");
    let netrc = world.path("netrc");
    fs::write(&netrc, "machine 127.0.0.1 login ci password sesame\n").unwrap();
    let envy = Path::new(env!("CARGO_BIN_EXE_envy"));
    let pushed = world.command(envy, "push").env("NETRC", &netrc).output().unwrap();
    text("push", &pushed);
    let content = fs::read_dir(place.join("srv/envy/cas")).unwrap().count();
    assert!(content > 700, "{content}");

    fs::create_dir_all(other.path("project/lockfiles")).unwrap();
    fs::write(other.path("project/lockfiles/web.lock"), world.lockfile("web")).unwrap();
    let built = other.output("build --locked");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && said.contains("pulled 1 output") && !said.contains("building"), "{said}");
    assert_eq!(other.envy("run web --locked -- many"), "it runs\n");
}
