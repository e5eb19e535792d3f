//! What is likely to blame for a difference: guessed from two texts that should be one. Pure.

use std::fmt;

use super::{Circumstances, common};

/// What makes two builds differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// When it was built.
    Time,
    /// Where it was built.
    Path,
    /// A language, or how it sorts and writes numbers.
    Locale,
    /// The order in which files were found or jobs ended.
    Order,
    /// A random number, an id made of one, or the number of a process.
    Random,
    /// How many jobs ran at a time.
    Jobs,
}

impl Cause {
    /// The word for it in documents for machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Path => "path",
            Self::Locale => "locale",
            Self::Order => "order",
            Self::Random => "random",
            Self::Jobs => "jobs",
        }
    }
}

impl Cause {
    /// What helps against it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Time => {
                "a build is told the time that counts by `SOURCE_DATE_EPOCH`: `date -u -d @$SOURCE_DATE_EPOCH`"
            }
            Self::Path => "no path but that of its prefix is the same everywhere: keep others out of what is installed",
            Self::Locale => "sort and write numbers with `LC_ALL=C`",
            Self::Order => {
                "sort what is listed, as in `find … | LC_ALL=C sort`, and let no job write what another does too"
            }
            Self::Random => "give it a fixed seed, or an id that is made of its content",
            Self::Jobs => "keep `$JOBS` out of what is installed",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "a time",
            Self::Path => "a path",
            Self::Locale => "a locale",
            Self::Order => "an order",
            Self::Random => "a random number or id",
            Self::Jobs => "the number of jobs",
        })
    }
}

/// What is likely to blame for two texts that differ; nothing where there is no telling.
pub(super) fn of_texts(first: &str, second: &str, circumstances: Circumstances) -> Option<Cause> {
    let digits = |text: &str, core: (usize, usize)| widened(text, core, |byte| byte.is_ascii_digit());
    let (one_core, other_core) = cores(first, second);
    let (one_number, other_number) = (digits(first, one_core), digits(second, other_core));
    if is_jobs(&one_number, &other_number, circumstances) {
        return Some(Cause::Jobs);
    }
    let word = |text: &str, core| widened(text, core, |byte| byte.is_ascii_alphanumeric() || b"-_:.+".contains(&byte));
    let (one, other) = (word(first, one_core), word(second, other_core));
    if is_uuid(&one) && is_uuid(&other) {
        return Some(Cause::Random);
    }
    if (is_time(&one) && is_time(&other)) || (is_moment(&one_number) && is_moment(&other_number)) {
        return Some(Cause::Time);
    }
    if names_month(first) && names_month(second) && is_number(&one_number) && is_number(&other_number) {
        return Some(Cause::Time);
    }
    let path =
        |text: &str, core| widened(text, core, |byte| byte.is_ascii_graphic() && !b"\"'`=,;()<>".contains(&byte));
    if path(first, one_core).contains('/') && path(second, other_core).contains('/') {
        return Some(Cause::Path);
    }
    if is_locale(first, second) {
        return Some(Cause::Locale);
    }
    if has_same_words(first, second) {
        return Some(Cause::Order);
    }
    (is_random(&one, &other) || (is_number(&one_number) && is_number(&other_number))).then_some(Cause::Random)
}

/// Where in each of two texts lies what differs: from and to.
fn cores(first: &str, second: &str) -> ((usize, usize), (usize, usize)) {
    let (one, other) = (first.as_bytes(), second.as_bytes());
    let from = common(one, other);
    let room = one.len().min(other.len()) - from;
    let same = one.iter().rev().zip(other.iter().rev()).take(room).take_while(|(one, other)| one == other).count();
    ((from, one.len() - same), (from, other.len() - same))
}

/// A part of a text with all that belongs to it on both sides.
fn widened(text: &str, (from, to): (usize, usize), belongs: impl Fn(u8) -> bool) -> String {
    let bytes = text.as_bytes();
    let before = bytes[..from].iter().rev().take_while(|byte| belongs(**byte)).count();
    let after = bytes[to..].iter().take_while(|byte| belongs(**byte)).count();
    String::from_utf8_lossy(&bytes[from - before..to + after]).into_owned()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_jobs(first: &str, second: &str, circumstances: Circumstances) -> bool {
    let number = |text: &str| text.parse::<usize>().ok().filter(|_| text.len() <= 4 && !text.starts_with('0'));
    let (Some(first), Some(second)) = (number(first), number(second)) else { return false };
    second == circumstances.second_jobs && circumstances.first_jobs.is_none_or(|jobs| jobs == first)
}

/// Whether a number is seconds since 1970, or a smaller part of a second since then, or the nanoseconds of one.
fn is_moment(text: &str) -> bool {
    let seconds = |digits: usize| text.get(..digits).and_then(|text| text.parse::<u64>().ok());
    let is_recent = || seconds(10).is_some_and(|seconds| (978_307_200..4_102_444_800).contains(&seconds));
    is_number(text)
        && match text.len() {
            9 => true,
            10 | 13 | 16 | 19 => is_recent(),
            _ => false,
        }
}

/// Whether a word is a date or a time of day.
fn is_time(word: &str) -> bool {
    let bytes = word.as_bytes();
    let like = |pattern: &str| {
        bytes.windows(pattern.len()).any(|window| {
            window.iter().zip(pattern.bytes()).all(|(byte, kind)| match kind {
                b'9' => byte.is_ascii_digit(),
                kind => *byte == kind,
            })
        })
    };
    let is_day = word.len() == 8 && is_number(word) && (word.starts_with("19") || word.starts_with("20"));
    is_day || is_moment(word) || ["99:99", "9999-99-99", "9999.99.99"].into_iter().any(like)
}

fn names_month(text: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mut words = text.split(|letter: char| !letter.is_ascii_alphabetic());
    words.any(|word| word.len() >= 3 && MONTHS.contains(&&*word[..3].to_ascii_lowercase()))
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<_> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Letters in the other case, a comma for a point, or a question mark for what could not be written.
fn is_locale(first: &str, second: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(',', ".");
    let replaced =
        |text: &str| text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect::<String>();
    let has_other = |text: &str| !text.is_ascii();
    plain(first) == plain(second) || (has_other(first) != has_other(second) && replaced(first) == replaced(second))
}

/// Whether two texts have the same words in another order.
fn has_same_words(first: &str, second: &str) -> bool {
    let words = |text: &str| {
        let separates = |letter: char| letter.is_whitespace() || ",;|{}[]()".contains(letter);
        let mut words: Vec<String> = text.split(separates).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    let (one, other) = (words(first), words(second));
    one.len() > 1 && one == other
}

/// Whether two words are as long as each other, and look like nothing that anybody chose.
fn is_random(first: &str, second: &str) -> bool {
    let is_hex = |word: &str| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_mixed = |word: &str| {
        let kinds = [u8::is_ascii_digit, u8::is_ascii_lowercase, u8::is_ascii_uppercase]
            .map(|is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte)));
        word.len() >= 6 && kinds.into_iter().filter(|kind| *kind).count() >= 2
    };
    first.len() == second.len() && ((is_hex(first) && is_hex(second)) || (is_mixed(first) && is_mixed(second)))
}
