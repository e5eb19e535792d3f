//! A script of the shell as words and what stands between them. Pure.

use std::collections::BTreeSet;

use super::{Reader, commands};

/// One word, without its quotes.
#[derive(Debug, Default)]
pub(super) struct Word {
    pub text: String,
    /// Part of it is known only when the script runs.
    pub is_expanded: bool,
    is_quoted: bool,
}

impl Word {
    /// Whether it is this, as part of the language.
    pub fn is_one_of(&self, words: &[&str]) -> bool {
        !self.is_quoted && !self.is_expanded && words.contains(&self.text.as_str())
    }

    pub fn is_assignment(&self) -> bool {
        let name = self.text.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            !name.is_empty() && name.chars().all(plain) && !name.starts_with(|letter: char| letter.is_ascii_digit())
        })
    }
}

#[derive(Debug)]
pub(super) enum Token {
    Word(Word),
    /// What separates commands: `;`, `;;`, `&`, `|`, a newline and the like.
    Separator(&'static str),
    Open,
    Close,
    /// A redirection; the next word is where to.
    Redirection,
    End,
}

impl Reader<'_> {
    /// What comes next; the ends of the documents that begin on a line are kept until it is over.
    pub(super) fn token(&mut self, documents: &mut Vec<String>) -> Token {
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
