//! The clock, and how the network is to be used.

use std::path::PathBuf;

use jiff::Timestamp;

use super::Subject;
use super::finding::Finding;
use crate::cmd::context::Context;
use crate::cmd::project::Project;
use crate::disk;
use crate::download::Netrc;
use crate::failure::Failure;
use crate::process;
use crate::source::CargoConfig;

/// Look at both.
pub fn look(
    context: &Context<'_>,
    project: Option<&Project>,
    subjects: &[Subject<'_>],
) -> Result<Vec<Finding>, Failure> {
    let mut findings = vec![clock(context, project, subjects)?];
    findings.extend(network(project)?);
    Ok(findings)
}

/// Whether it is later than all that happened.
fn clock(context: &Context<'_>, project: Option<&Project>, subjects: &[Subject<'_>]) -> Result<Finding, Failure> {
    let mut known: Vec<(Timestamp, String)> = Vec::new();
    let store = context.store()?.root();
    for kind in ["blobs", "trees", "results", "roots", "tmp"] {
        if let Some(usage) = disk::usage(&store.join(kind))? {
            known.extend(time(usage.modified).map(|time| (time, format!("the store was written to at {time}"))));
        }
    }
    for subject in subjects {
        let place = project.map(|project| project.place(&subject.site.name));
        let current = place.and_then(|place| place.current().ok().flatten());
        if let Some(generation) = current
            && let Ok(time) = generation.created.parse::<Timestamp>()
        {
            known
                .push((time, format!("generation {} of site `{}` is of {time}", generation.number, subject.site.name)));
        }
        if let Some(time) = subject.lockfile.as_ref().and_then(|lockfile| lockfile.exclude_newer) {
            known.push((time, format!("the lockfile of site `{}` knows of {time}", subject.site.name)));
        }
    }
    Ok(judged(Timestamp::now(), known))
}

/// What file systems say may be this much ahead of what processes are told.
const COARSE: i64 = 60;

/// No host had envy before.
const FIRST: i64 = 1_767_225_600;

fn judged(now: Timestamp, known: Vec<(Timestamp, String)>) -> Finding {
    let latest = known.into_iter().max();
    let hint = "set the clock: `sudo timedatectl set-ntp true`; certificates and histories depend on it";
    match latest {
        Some((time, what)) if time.as_second() > now.as_second() + COARSE => {
            Finding::missing("clock", format!("it says {now}, but {what}")).hint(hint)
        }
        _ if now.as_second() < FIRST => {
            Finding::missing("clock", format!("it says {now}, which is long ago")).hint(hint)
        }
        _ => Finding::ok("clock", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    }
}

fn time(nanoseconds: i128) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(nanoseconds / 1_000_000_000).ok()?).ok()
}

const PROXIES: [&str; 8] = [
    "CARGO_HTTP_PROXY",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "CARGO_HTTP_CAINFO",
];

/// Whether what says how to use the network can be read.
fn network(project: Option<&Project>) -> Result<Vec<Finding>, Failure> {
    let directory = match project {
        Some(project) => project.root.clone(),
        None => process::current_directory().unwrap_or_else(|_| PathBuf::from("/")),
    };
    let mut findings = Vec::new();
    match CargoConfig::load(&directory) {
        Ok(config) => {
            let settings = config.settings();
            if let Some(file) = settings.ca_file.filter(|file| disk::read_head(file, 1).is_err()) {
                let text = format!(
                    "the certificates in `{}`, which cargo's configuration names, cannot be read",
                    file.display()
                );
                findings.push(Finding::missing("network", text).hint("correct `http.cainfo`"));
            }
            if let Some(proxy) = settings.proxy.filter(|proxy| !is_address(proxy)) {
                findings.push(bad_proxy("cargo's configuration", &proxy));
            }
        }
        Err(error) => {
            let text = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let text = text.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            findings.push(Finding::missing("network", text).hint("correct cargo's configuration"));
        }
    }
    for name in PROXIES.into_iter().filter(|name| name.to_ascii_uppercase().ends_with("PROXY")) {
        if let Some(proxy) = process::variable(name).filter(|proxy| !is_address(proxy)) {
            findings.push(bad_proxy(&format!("the variable `{name}`"), &proxy));
        }
    }
    if let Err(error) = Netrc::load() {
        findings.push(Finding::missing("network", error.to_string()).hint("let this user read it"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("network", "cargo's configuration, proxies and `.netrc` can be read"));
    }
    Ok(findings)
}

/// Whether a proxy's address can be used; one without a scheme is one of http.
fn is_address(text: &str) -> bool {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    url::Url::parse(&with_scheme).is_ok_and(|address| address.has_host())
}

fn bad_proxy(origin: &str, proxy: &str) -> Finding {
    // It may hold a password.
    let shown = proxy.rsplit('@').next().unwrap_or_default();
    Finding::missing("network", format!("{origin} names a proxy that is no address: `{shown}`"))
        .hint("write it as `http://HOST:PORT`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Level;

    #[test]
    fn a_clock_is_right_while_nothing_happened_later() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let known = |text| vec![(at(text), "x".to_owned()), (at("2026-01-02T00:00:00Z"), "y".to_owned())];
        let level = |now, known| judged(at(now), known).level;
        assert_eq!(level("2026-05-01T00:00:00Z", known("2026-04-30T23:59:59Z")), Level::Ok);
        assert_eq!(level("2026-05-01T00:00:00Z", known("2026-05-01T00:00:30Z")), Level::Ok);
        assert_eq!(level("2026-05-01T00:00:00Z", known("2026-05-01T00:05:00Z")), Level::Missing);
        assert_eq!(level("1970-01-01T00:00:00Z", Vec::new()), Level::Missing);
    }

    #[test]
    fn a_proxy_is_an_address() {
        let good = ["http://proxy:3128", "proxy.example.org:8080", "socks5://127.0.0.1:1080", "http://u:p@proxy"];
        assert!(good.into_iter().all(is_address));
        assert!(["", "http://", "://", "http://[::1"].into_iter().all(|text| !is_address(text)));
    }
}
