//! Which programs a script of the shell runs, as far as its words tell. Pure.
//!
//! This is no shell: a command whose name is expanded as the script runs is not known here, and is left out. So is what
//! is a path, what the shell does itself, and what the script defines.

mod words;

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use words::{Token, Word};

/// What `sh` does itself.
const BUILT_IN: &[&str] = &[
    ".", ":", "[", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return", "set",
    "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
];

/// Words after which a command begins, where one could begin.
const BEFORE_COMMANDS: &[&str] = &["!", "do", "elif", "else", "if", "then", "time", "until", "while", "{"];

/// Words that end something, where a command could begin.
const ENDS: &[&str] = &["done", "fi", "}"];

/// Programs that run what stands behind them.
const RUNNERS: &[&str] = &["command", "env", "exec"];

/// The names of the programs that a script runs.
pub(super) fn commands(script: &str) -> BTreeSet<String> {
    let mut reader = Reader { letters: script.chars().peekable(), found: BTreeSet::new(), functions: BTreeSet::new() };
    while reader.letters.peek().is_some() {
        reader.list();
    }
    let Reader { mut found, functions, .. } = reader;
    found.retain(|name| {
        let is_path = name.contains('/') || name.is_empty();
        !is_path && !functions.contains(name) && !BUILT_IN.contains(&name.as_str())
    });
    found
}

/// Where in the language a list of commands is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Parentheses,
    /// In `case`: where a pattern stands, or what is done if it fits.
    Pattern,
    Branch,
}

/// What the next word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Command,
    Argument,
    /// The word that `case` looks at, and the `in` behind it.
    Subject,
    In,
    /// After `for`: everything up to the end of the line.
    Names,
}

/// Commands that are being read.
struct List {
    inside: Vec<Inside>,
    expected: Expected,
    command: Vec<Word>,
}

impl Default for List {
    fn default() -> Self {
        Self { inside: Vec::new(), expected: Expected::Command, command: Vec::new() }
    }
}

impl List {
    /// A parenthesis that opens. After a first word it makes a function of that.
    fn open(&mut self) -> Option<String> {
        if self.inside.last() == Some(&Inside::Pattern) {
            return None;
        }
        if self.expected == Expected::Argument && self.command.len() == 1 {
            self.expected = Expected::Command;
            return self.command.pop().map(|word| word.text);
        }
        self.inside.push(Inside::Parentheses);
        None
    }

    /// A parenthesis that closes; whether it closes something of this list.
    fn close(&mut self) -> bool {
        self.command.clear();
        self.expected = Expected::Command;
        match self.inside.last_mut() {
            Some(pattern @ Inside::Pattern) => *pattern = Inside::Branch,
            Some(Inside::Parentheses) => {
                self.inside.pop();
                self.expected = Expected::Argument;
            }
            Some(Inside::Branch) | None => return false,
        }
        true
    }

    fn separate(&mut self, separator: &str) {
        self.command.clear();
        // `in` may stand on the next line.
        if !matches!((self.expected, separator), (Expected::In, "\n")) {
            self.expected = Expected::Command;
        }
        if let (";;", Some(branch @ Inside::Branch)) = (separator, self.inside.last_mut()) {
            *branch = Inside::Pattern;
        }
    }

    fn word(&mut self, word: Word) {
        let is_pattern = self.inside.last() == Some(&Inside::Pattern);
        match self.expected {
            _ if is_pattern && !word.is_one_of(&["esac"]) => {}
            Expected::Command if word.is_one_of(&["esac"]) => {
                self.inside.pop();
                self.expected = Expected::Argument;
            }
            Expected::Command if word.is_one_of(BEFORE_COMMANDS) || word.is_assignment() => {}
            Expected::Command if word.is_one_of(ENDS) => self.expected = Expected::Argument,
            Expected::Command if word.is_one_of(&["case"]) => self.expected = Expected::Subject,
            Expected::Command if word.is_one_of(&["for"]) => self.expected = Expected::Names,
            Expected::Command => {
                self.command.push(word);
                self.expected = Expected::Argument;
            }
            Expected::Argument if !self.command.is_empty() => self.command.push(word),
            Expected::Subject => self.expected = Expected::In,
            Expected::In => {
                self.inside.push(Inside::Pattern);
                self.expected = Expected::Command;
            }
            Expected::Argument | Expected::Names => {}
        }
    }
}

struct Reader<'s> {
    letters: Peekable<Chars<'s>>,
    found: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Reader<'_> {
    /// Read commands up to the end, or up to a parenthesis that closes what was opened before.
    pub(super) fn list(&mut self) {
        let (mut list, mut documents) = (List::default(), Vec::new());
        loop {
            match self.token(&mut documents) {
                Token::End => return self.run(&list.command),
                Token::Redirection => drop(self.token(&mut documents)),
                Token::Open => {
                    if let Some(function) = list.open() {
                        self.functions.insert(function);
                        drop(self.token(&mut documents));
                    }
                }
                Token::Close => {
                    self.run(&list.command);
                    if !list.close() {
                        return;
                    }
                }
                Token::Separator(separator) => {
                    self.run(&list.command);
                    list.separate(separator);
                }
                Token::Word(word) => list.word(word),
            }
        }
    }

    /// Note what one command runs: itself, and whatever it is told to run.
    fn run(&mut self, command: &[Word]) {
        let Some((name, arguments)) = command.split_first() else { return };
        if name.is_expanded {
            return;
        }
        self.found.insert(name.text.clone());
        let name = name.text.as_str();
        if RUNNERS.contains(&name) {
            let first = arguments.iter().position(|word| !word.is_assignment()).unwrap_or(arguments.len());
            // Options take words of their own, so what stands behind them is not clear.
            if arguments.get(first).is_some_and(|word| !word.text.starts_with('-')) {
                self.run(&arguments[first..]);
            }
        }
        for pair in arguments.windows(2).filter(|pair| !pair[1].is_expanded) {
            let (option, next) = (pair[0].text.as_str(), &pair[1].text);
            let is_script = option.starts_with('-') && !option.starts_with("--") && option.ends_with('c');
            match name {
                "sh" if is_script => self.found.extend(commands(next)),
                "find" if matches!(option, "-exec" | "-execdir" | "-ok") => drop(self.found.insert(next.clone())),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, expected: &[&str]) {
        assert_eq!(commands(script), expected.iter().map(|name| (*name).to_owned()).collect(), "{script}");
    }

    #[test]
    fn commands_are_found_wherever_one_can_begin() {
        check("make -j4 all; install x /y && strip z | tee log", &["install", "make", "strip", "tee"]);
        check("if ! grep x y; then sed s/a/b/; else\n  awk 1\nfi", &["awk", "grep", "sed"]);
        check("for f in a b c; do gzip $f; done", &["gzip"]);
        check("while read x; do bar; done < file", &["bar"]);
        check("(cd x && meson y) & { ninja; }", &["meson", "ninja"]);
        check("CC=gcc A=\"b c\" ./configure --x", &[]);
        check("CC=gcc A='b c' cmake --x", &["cmake"]);
    }

    #[test]
    fn words_are_no_commands() {
        check("echo make 'cmake x' \"meson\" # ninja", &[]);
        check("$CC -o x; \"$tool\" y; /usr/bin/perl; ./x; ${CC:-cc} x", &[]);
        check("make > cc 2>gcc 2>&1 <perl", &["make"]);
        check("cat <<END\nperl x\nEND\ntar x", &["cat", "tar"]);
        check("cat <<-'END' > y\nperl x\n\tEND\ntar x", &["cat", "tar"]);
        check("make \\\n  perl", &["make"]);
        check("x=$((1 + 2)) y=1\necho $((x * (2 + y)))", &[]);
    }

    #[test]
    fn commands_in_expansions_count() {
        check("x=$(uname -m) y=`nproc` \"$(cat \"$(dirname z)\")\"", &["cat", "dirname", "nproc", "uname"]);
        check("echo ${x:-$(date)} \"${x%\"$(wc)\"}\"", &["date", "wc"]);
        check("x=$(case a in a) perl;; esac) sed", &["perl", "sed"]);
    }

    #[test]
    fn patterns_and_functions_are_no_commands() {
        check("case $x in make) perl ;; (a|b) ;;\n*) tar; esac; gzip", &["gzip", "perl", "tar"]);
        check("case $1 in\n  *=*) ;;\n  *) fail x ;;\nesac\nfail() {\n  printf x\n}\n", &[]);
        check("put() { cp \"$@\"; }\nput a b", &["cp"]);
        check("esac=1 perl esac", &["perl"]);
    }

    #[test]
    fn what_others_run_counts() {
        check("exec env A=b perl x", &["env", "perl"]);
        check("command -v perl || env -i ruby", &["env"]);
        check("find . -name x -exec strip {} +", &["find", "strip"]);
        check("sh -euc 'ln -s a b; perl'", &["ln", "perl", "sh"]);
    }
}
