//! Package URLs: how the world names a package of any kind (<https://github.com/package-url/purl-spec>). Pure.

use std::fmt::Write as _;

/// A package URL with qualifiers, sorted.
pub fn purl(kind: &str, name: &str, version: &str, qualifiers: &[(&str, String)]) -> String {
    let mut sorted: Vec<_> = qualifiers.iter().filter(|(_, value)| !value.is_empty()).collect();
    sorted.sort();
    let mut text = format!("pkg:{kind}/{}@{}", encoded(name), encoded(version));
    for (place, (key, value)) in sorted.into_iter().enumerate() {
        let between = if place == 0 { '?' } else { '&' };
        write!(text, "{between}{key}={}", encoded(value)).expect("a string takes everything");
    }
    text
}

/// How purls and others name a commit of a repository: `git+https://example.org/x.git@COMMIT`.
pub fn vcs(url: &str, commit: &str) -> String {
    let url = plain(url);
    if commit.is_empty() { format!("git+{url}") } else { format!("git+{url}@{commit}") }
}

/// An address as all understand it: git's own `USER@HOST:PATH` is one of ssh.
pub fn plain(url: &str) -> String {
    match url.split_once(':') {
        Some((host, path)) if !path.starts_with("//") && host.contains('@') && !host.contains('/') => {
            format!("ssh://{host}/{}", path.trim_start_matches('/'))
        }
        _ if url.starts_with('/') => format!("file://{url}"),
        _ => url.to_owned(),
    }
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => encoded.push(byte as char),
            _ => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_as_the_specification_has_it() {
        assert_eq!(purl("cargo", "hexyl", "0.16.0", &[]), "pkg:cargo/hexyl@0.16.0");
        let qualifiers = [("vcs_url", vcs("git@example.org:a/b.git", "4f1c")), ("checksum", "sha256:00".to_owned())];
        assert_eq!(
            purl("generic", "a+b", "1.0", &qualifiers),
            "pkg:generic/a%2Bb@1.0?checksum=sha256:00&vcs_url=git%2Bssh:%2F%2Fgit%40example.org%2Fa%2Fb.git%404f1c"
        );
        assert_eq!(plain("https://example.org/x.git"), "https://example.org/x.git");
    }
}
