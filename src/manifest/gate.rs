//! Reads what a site's generations have to pass, and what is run once one is shown. Pure.

use std::time::Duration;

use toml::de::DeTable;

use super::Site;
use super::parse::{duration, strings};
use super::problem::Findings;

/// What a generation of a site has to pass before it is shown, and what is run once it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Commands of a shell that have to succeed in it before it is shown.
    pub check: Vec<String>,
    /// Commands of a shell that are run once it is shown.
    pub after_switch: Vec<String>,
    /// How long each of them may take, where the site says so.
    pub timeout: Option<Duration>,
}

impl Gate {
    /// How long each command may take.
    pub fn limit(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(30))
    }
}

/// The gate of a site. Checks of those that it extends hold for it too; what is run after a switch is often about one unit,
/// so that a site's own takes the place of theirs.
pub(super) fn gate(table: &DeTable<'_>, parents: &[&Site], findings: &mut Findings<'_>) -> Gate {
    let mut gate = Gate::default();
    let own = commands(table, "check", findings).unwrap_or_default();
    for command in parents.iter().flat_map(|parent| &parent.gate.check).chain(&own) {
        if !gate.check.contains(command) {
            gate.check.push(command.clone());
        }
    }
    let theirs = parents.iter().rev().find(|parent| !parent.gate.after_switch.is_empty());
    gate.after_switch = commands(table, "after-switch", findings)
        .unwrap_or_else(|| theirs.map(|parent| parent.gate.after_switch.clone()).unwrap_or_default());
    let theirs = parents.iter().rev().find_map(|parent| parent.gate.timeout);
    gate.timeout = table.get("check-timeout").and_then(|value| duration(value, findings)).or(theirs);
    gate
}

/// The commands that a site itself names under a key, if it has the key.
fn commands(table: &DeTable<'_>, key: &str, findings: &mut Findings<'_>) -> Option<Vec<String>> {
    let named = strings(table.get(key)?);
    for (at, command) in &named {
        if command.trim().is_empty() {
            findings.add(at.clone(), format!("`{key}` holds a command that is empty"));
        } else if command.contains('\0') {
            findings.add(at.clone(), "a command cannot hold a NUL character");
        }
    }
    Some(named.into_iter().map(|(_, command)| command.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::manifest::Manifest;
    use crate::manifest::tests::brief;

    #[test]
    fn checks_add_up_and_what_is_run_after_a_switch_is_a_sites_own() {
        let text = "[sites.base]\ncheck = ['a', 'b']\nafter-switch = ['reload base']\ncheck-timeout = '5s'\n\
                    [sites.api]\nextends = ['base']\ncheck = ['c', 'a']\nafter-switch = ['reload api']\n\
                    [sites.web]\nextends = ['base']\ncheck-timeout = '2m'\n\
                    [sites.job]\nextends = ['base']\nafter-switch = []\n[sites.bare]";
        let manifest = Manifest::parse("envy.toml", text).unwrap();
        let shown = manifest.sites().map(|site| {
            let gate = &site.gate;
            let name = site.name.as_str();
            format!("{name}: {} | {} | {:?}\n", gate.check.join(", "), gate.after_switch.join(", "), gate.limit())
        });
        expect![[r#"
            api: a, b, c | reload api | 5s
            bare:  |  | 30s
            base: a, b | reload base | 5s
            job: a, b |  | 5s
            web: a, b | reload base | 120s
        "#]]
        .assert_eq(&shown.collect::<String>());
    }

    #[test]
    fn a_command_or_a_time_that_says_nothing_is_refused() {
        brief("[sites.a]\ncheck = ['x', ' ']\nafter-switch = [\"a\\u0000\"]\ncheck-timeout = 'soon'").is(expect![[
            r#"
            envy.toml:2:15: `check` holds a command that is empty
            envy.toml:3:17: a command cannot hold a NUL character
            envy.toml:4:17: `soon` is not a time: write it as `30m` or `2h`
        "#
        ]]);
    }
}
