//! Which programs a script of the shell runs, as far as its words tell. Pure.
//!
//! This is no shell: a command whose name is expanded as the script runs is not known here, and is left out. So is what
//! is a path, what the shell does itself, and what the script defines.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

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

/// One word, without its quotes.
#[derive(Debug, Default)]
struct Word {
    text: String,
    /// Part of it is known only when the script runs.
    is_expanded: bool,
    is_quoted: bool,
}

impl Word {
    /// Whether it is this, as part of the language.
    fn is_one_of(&self, words: &[&str]) -> bool {
        !self.is_quoted && !self.is_expanded && words.contains(&self.text.as_str())
    }

    fn is_assignment(&self) -> bool {
        let name = self.text.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            !name.is_empty() && name.chars().all(plain) && !name.starts_with(|letter: char| letter.is_ascii_digit())
        })
    }
}

#[derive(Debug)]
enum Token {
    Word(Word),
    /// What separates commands: `;`, `;;`, `&`, `|`, a newline and the like.
    Separator(&'static str),
    Open,
    Close,
    /// A redirection; the next word is where to.
    Redirection,
    End,
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

struct Reader<'s> {
    letters: Peekable<Chars<'s>>,
    found: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Reader<'_> {
    /// Read commands up to the end, or up to a parenthesis that closes what was opened before.
    fn list(&mut self) {
        let (mut inside, mut expected, mut command): (Vec<Inside>, _, Vec<Word>) =
            (Vec::new(), Expected::Command, vec![]);
        let mut documents: Vec<String> = Vec::new();
        loop {
            match self.token(&mut documents) {
                Token::End => return self.run(&command),
                Token::Redirection => drop(self.token(&mut documents)),
                Token::Open if inside.last() == Some(&Inside::Pattern) => {}
                Token::Open if expected == Expected::Argument && command.len() == 1 => {
                    // `name()`
                    self.functions.insert(command.remove(0).text);
                    drop(self.token(&mut documents));
                    expected = Expected::Command;
                }
                Token::Open => inside.push(Inside::Parentheses),
                Token::Close => {
                    self.run(&command);
                    command.clear();
                    expected = Expected::Command;
                    match inside.last_mut() {
                        Some(pattern @ Inside::Pattern) => *pattern = Inside::Branch,
                        Some(Inside::Parentheses) => {
                            inside.pop();
                            expected = Expected::Argument;
                        }
                        Some(Inside::Branch) | None => return,
                    }
                }
                Token::Separator(separator) => {
                    self.run(&command);
                    command.clear();
                    if !matches!((expected, separator), (Expected::In, "\n")) {
                        expected = Expected::Command;
                    }
                    if let (";;", Some(branch @ Inside::Branch)) = (separator, inside.last_mut()) {
                        *branch = Inside::Pattern;
                    }
                }
                Token::Word(word) => match expected {
                    _ if inside.last() == Some(&Inside::Pattern) => {
                        if word.is_one_of(&["esac"]) {
                            inside.pop();
                            expected = Expected::Argument;
                        }
                    }
                    Expected::Command if word.is_one_of(BEFORE_COMMANDS) || word.is_assignment() => {}
                    Expected::Command if word.is_one_of(ENDS) => expected = Expected::Argument,
                    Expected::Command if word.is_one_of(&["case"]) => expected = Expected::Subject,
                    Expected::Command if word.is_one_of(&["for"]) => expected = Expected::Names,
                    Expected::Command if word.is_one_of(&["esac"]) => {
                        inside.pop();
                        expected = Expected::Argument;
                    }
                    Expected::Command => {
                        command.push(word);
                        expected = Expected::Argument;
                    }
                    Expected::Argument if !command.is_empty() => command.push(word),
                    Expected::Subject => expected = Expected::In,
                    Expected::In => {
                        inside.push(Inside::Pattern);
                        expected = Expected::Command;
                    }
                    Expected::Argument | Expected::Names => {}
                },
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

    fn token(&mut self, documents: &mut Vec<String>) -> Token {
        loop {
            let Some(&letter) = self.letters.peek() else { return Token::End };
            match letter {
                ' ' | '\t' | '\r' => drop(self.letters.next()),
                '#' => while self.letters.next_if(|letter| *letter != '\n').is_some() {},
                '\n' => {
                    self.letters.next();
                    std::mem::take(documents).iter().for_each(|end| self.skip_document(end));
                    return Token::Separator("\n");
                }
                ';' => {
                    self.letters.next();
                    let is_double = self.letters.next_if_eq(&';').is_some();
                    return Token::Separator(if is_double { ";;" } else { ";" });
                }
                '&' | '|' => {
                    self.letters.next();
                    self.letters.next_if_eq(&letter);
                    return Token::Separator("&");
                }
                '(' => return self.letters.next().map_or(Token::End, |_| Token::Open),
                ')' => return self.letters.next().map_or(Token::End, |_| Token::Close),
                '<' | '>' => {
                    self.redirection(documents);
                    return Token::Redirection;
                }
                _ => {
                    let word = self.word();
                    let is_number = !word.text.is_empty() && word.text.chars().all(|letter| letter.is_ascii_digit());
                    // The number of a file that is redirected.
                    if !(is_number && matches!(self.letters.peek(), Some('<' | '>'))) {
                        return Token::Word(word);
                    }
                }
            }
        }
    }

    fn redirection(&mut self, documents: &mut Vec<String>) {
        let first = self.letters.next();
        if first == Some('<') && self.letters.next_if_eq(&'<').is_some() {
            self.letters.next_if_eq(&'-');
            while self.letters.next_if_eq(&' ').is_some() {}
            let mut ahead = Self { letters: self.letters.clone(), found: BTreeSet::new(), functions: BTreeSet::new() };
            documents.push(ahead.word().text);
            return;
        }
        self.letters.next_if(|letter| matches!(letter, '>' | '&' | '|'));
    }

    fn skip_document(&mut self, end: &str) {
        while self.letters.peek().is_some() {
            let line: String = std::iter::from_fn(|| self.letters.next_if(|letter| *letter != '\n')).collect();
            self.letters.next();
            if line.trim_start_matches('\t') == end {
                return;
            }
        }
    }

    fn word(&mut self) -> Word {
        let mut word = Word::default();
        while let Some(&letter) = self.letters.peek() {
            if matches!(letter, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>') {
                break;
            }
            self.letters.next();
            match letter {
                '\\' => {
                    let escaped = self.letters.next().filter(|letter| *letter != '\n');
                    word.is_quoted |= escaped.is_some();
                    word.text.extend(escaped);
                }
                '\'' => {
                    word.is_quoted = true;
                    word.text.extend(self.letters.by_ref().take_while(|letter| *letter != '\''));
                }
                '"' => self.quoted(&mut word),
                '$' | '`' => self.expansion(letter, &mut word),
                _ => word.text.push(letter),
            }
        }
        word
    }

    fn quoted(&mut self, word: &mut Word) {
        word.is_quoted = true;
        while let Some(letter) = self.letters.next() {
            match letter {
                '"' => return,
                '\\' => word.text.extend(self.letters.next().filter(|letter| *letter != '\n')),
                '$' | '`' => self.expansion(letter, word),
                _ => word.text.push(letter),
            }
        }
    }

    /// What follows a `$` or a backtick. The commands in it count.
    fn expansion(&mut self, begin: char, word: &mut Word) {
        word.is_expanded = true;
        if begin == '`' {
            let inner: String = self.letters.by_ref().take_while(|letter| *letter != '`').collect();
            self.found.extend(commands(&inner));
        } else if self.letters.next_if_eq(&'{').is_some() {
            self.skip_braces();
        } else if self.letters.next_if_eq(&'(').is_some() {
            match self.letters.next_if_eq(&'(') {
                Some(_) => self.skip_arithmetic(),
                None => self.list(),
            }
        } else if self.letters.next_if(|letter| "@*#?-$!".contains(*letter)).is_none() {
            let is_name = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
            while self.letters.next_if(is_name).is_some() {}
        }
    }

    fn skip_braces(&mut self) {
        let mut ignored = Word::default();
        while let Some(letter) = self.letters.next() {
            match letter {
                '}' => return,
                '\\' => drop(self.letters.next()),
                '\'' => self.letters.by_ref().take_while(|letter| *letter != '\'').for_each(drop),
                '"' => self.quoted(&mut ignored),
                '$' | '`' => self.expansion(letter, &mut ignored),
                _ => {}
            }
        }
    }

    fn skip_arithmetic(&mut self) {
        let mut depth = 2;
        for letter in self.letters.by_ref() {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            if depth == 0 {
                return;
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
