use super::*;
use crate::digest::BlobDigest;
use crate::disk;
use crate::download::{Downloader, Settings};
use crate::resolve::Index as _;
use crate::source::{CargoConfig, Registry};

fn line(version: &str, rest: &str) -> String {
    let checksum = BlobDigest::of(b"").hex();
    format!("{{\"name\":\"abcd\",\"vers\":\"{version}\",\"cksum\":\"{checksum}\"{rest}}}\n")
}

#[test]
fn what_is_too_new_is_hidden_even_if_it_is_locked() {
    let directory = tempfile::tempdir().unwrap();
    let lines = [
        line("1.0.0", r#","pubtime":"2026-11-01T00:00:00Z""#),
        line("1.1.0", r#","pubtime":"2026-11-20T00:00:00Z""#),
        line("1.2.0", ""),
        line("1.3.0", r#","pubtime":"2026-11-20T00:00:00Z","yanked":true"#),
    ];
    disk::write_atomic(&directory.path().join("index/ab/cd/abcd"), lines.concat().as_bytes()).unwrap();
    let mut config = CargoConfig::default();
    config.registry = Registry::Local { directory: directory.path().to_owned() };
    let downloader = Downloader::new(Settings { offline: true, ..Settings::default() });
    let crates = Crates::new(&config, &downloader, directory.path());
    let name: PackageName = "abcd".parse().unwrap();
    let locked = [(name.clone(), "1.1.0".parse().unwrap())].into();
    let (published, cutoff) = ("2026-11-20T00:00:00Z".parse().unwrap(), "2026-11-17T00:00:00Z".parse().unwrap());
    let hidden = |cutoffs: Cutoffs| -> Vec<_> {
        let index = CrateIndex::new(&crates, &locked, None).with_cutoffs(cutoffs);
        index.candidates(&name).unwrap().unwrap().into_iter().map(|candidate| candidate.hidden).collect()
    };

    let all = Cutoffs { all: Some(cutoff), ..Cutoffs::default() };
    let expected =
        [None, Some(Hidden::Newer { published, cutoff }), Some(Hidden::NoTime { cutoff }), Some(Hidden::Yanked)];
    assert_eq!(hidden(all.clone()), expected);
    let free = Cutoffs { own: [(name.clone(), None)].into(), ..all };
    assert_eq!(hidden(free), [None, None, None, Some(Hidden::Yanked)]);
}
