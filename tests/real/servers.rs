//! Servers of the catalogue, started out of a site's prefix and asked something.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::catalogue::{built, of_site};
use crate::{World, text};

/// A process that ends with its test.
struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Start a server, and wait until it listens.
    fn start(port: u16, command: &mut Command) -> Self {
        let mut running = Self { child: command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")), port };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(running.child.try_wait().unwrap().is_none(), "{command:?} has ended");
            assert!(begun.elapsed() < Duration::from_secs(30), "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    /// Say something, and read until the answer ends like this.
    fn ask(&self, words: &str, end: &str) -> String {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        connection.write_all(words.as_bytes()).unwrap();
        let (mut answer, mut buffer) = (String::new(), [0; 4096]);
        while !answer.ends_with(end) {
            let count = connection.read(&mut buffer).unwrap();
            assert!(count > 0, "after {answer:?} there is nothing more");
            answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn program(world: &World, site: &str, name: &str) -> Command {
    Command::new(of_site(world, site, "bin").join(name))
}

fn redis(world: &World, site: &str, data: &Path) -> Running {
    let port = free_port();
    let mut command = program(world, site, "redis-server");
    command.args(["--bind", "127.0.0.1", "--appendonly", "yes", "--loglevel", "warning"]);
    Running::start(port, command.arg("--port").arg(port.to_string()).arg("--dir").arg(data))
}

#[test]
fn redis_keeps_what_was_set_over_a_restart() {
    let Some(world) = built() else { return };
    let site = "new";
    let data = tempfile::tempdir().unwrap();
    let mut first = redis(world, site, data.path());
    assert_eq!(first.ask("PING\r\n", "\r\n"), "+PONG\r\n");
    assert_eq!(first.ask("SET site envy\r\n", "\r\n"), "+OK\r\n");
    let port = first.port.to_string();
    text("redis-cli", &program(world, site, "redis-cli").args(["-p", &port, "shutdown"]).output().unwrap());
    first.child.wait().unwrap();

    let second = redis(world, site, data.path());
    assert_eq!(second.ask("GET site\r\n", "envy\r\n"), "$4\r\nenvy\r\n");
}

#[test]
fn memcached_stores_a_key() {
    let Some(world) = built() else { return };
    for site in ["old", "new"] {
        let port = free_port();
        let mut command = program(world, site, "memcached");
        let server =
            Running::start(port, command.args(["-l", "127.0.0.1", "-U", "0", "-u", "root", "-p", &port.to_string()]));
        assert_eq!(server.ask("set site 0 0 4\r\nenvy\r\n", "\r\n"), "STORED\r\n");
        assert_eq!(server.ask("get site\r\n", "END\r\n"), "VALUE site 0 4\r\nenvy\r\nEND\r\n");
    }
}

#[test]
fn nginx_serves_a_file_over_tls_that_curl_takes() {
    let Some(world) = built() else { return };
    let site = "new";
    let (port, home) = (free_port(), tempfile::tempdir().unwrap());
    let subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    let mut certify = program(world, site, "openssl");
    certify.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"]);
    text("openssl", &certify.args(subject).current_dir(&home).output().unwrap());
    let types = of_site(world, site, "etc/nginx/mime.types");
    let configuration = format!(
        "user root root; daemon off; events {{}}
        http {{
            include {};
            server {{
                listen 127.0.0.1:{port} ssl;
                ssl_certificate cert.pem;
                ssl_certificate_key key.pem;
                root www;
                gzip on; gzip_min_length 1; gzip_types text/css;
                location ~ ^/hidden-(?=a) {{ return 403; }}
            }}
        }}\n",
        types.display()
    );
    std::fs::write(home.path().join("nginx.conf"), configuration).unwrap();
    std::fs::create_dir(home.path().join("www")).unwrap();
    std::fs::write(home.path().join("www/site.css"), "body { color: teal }\n").unwrap();

    let mut command = program(world, site, "nginx");
    let _server = Running::start(port, command.arg("-p").arg(home.path()).args(["-c", "nginx.conf"]));

    let curl = |path: &str| {
        let mut curl = program(world, site, "curl");
        curl.args(["-si", "--compressed", "--cacert", "cert.pem"]).arg(format!("https://127.0.0.1:{port}/{path}"));
        text("curl", &curl.current_dir(&home).output().unwrap())
    };
    let page = curl("site.css");
    assert!(page.contains("Content-Type: text/css") || page.contains("content-type: text/css"), "{page}");
    assert!(page.to_lowercase().contains("content-encoding: gzip"), "{page}");
    assert!(page.ends_with("body { color: teal }\n"), "{page}");
    assert!(curl("hidden-a").contains(" 403"));
    assert!(curl("hidden-b").contains(" 404"));
    assert!(home.path().join("access.log").exists(), "logs go where `-p` says");
}
