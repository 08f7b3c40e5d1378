//! Command lines: a table says which options there are, the parser takes them apart.
//!
//! Written by hand because this program starts for every container: what it does not link it does not load.

use namespaces::{Failure, Result};

/// What was given on a command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    given: Vec<(String, String)>,
    /// The words that are no options.
    pub(crate) words: Vec<String>,
}

/// Which words may follow the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// Options and words in any order.
    Mixed,
    /// So many words, then everything belongs to somebody else's command line.
    Then(usize),
}

impl Options {
    /// Takes `line` apart. `known` is a table in one string: `--name` is a switch, `--name=` takes a value, and a letter
    /// `-n` before a name is short for it.
    pub(crate) fn parse(known: &str, words: Words, line: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut line = line.iter();
        let mut rest = false;
        while let Some(word) = line.next() {
            if matches!(words, Words::Then(count) if options.words.len() >= count) {
                rest = true;
            }
            if rest || !word.starts_with('-') || word == "-" {
                options.words.push(word.clone());
                continue;
            }
            if word == "--" {
                rest = true;
                continue;
            }
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let (name, takes_value) = find(known, name)?;
            let value = match (takes_value, attached) {
                (true, None) => line.next().cloned().ok_or_else(|| wrong("a value must follow", word))?,
                (true, Some(value)) => value,
                (false, attached) => attached.unwrap_or_else(|| "true".to_owned()),
            };
            options.given.push((name, value));
        }
        Ok(options)
    }

    /// The value of `--name`, the last one given.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// All values of `--name`.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether the switch `--name` is on.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }

    /// The first word, which every command but a few needs.
    pub(crate) fn id(&self) -> Result<&str> {
        self.words.first().map(String::as_str).ok_or_else(|| {
            Failure::new("understand the command line", "the container id is missing").hint("See --help.")
        })
    }
}

/// The full name of an option, and whether it takes a value.
fn find(known: &str, wanted: &str) -> Result<(String, bool)> {
    let mut short = None;
    for word in known.split_ascii_whitespace() {
        let name = word.trim_end_matches('=');
        if !name.starts_with("--") {
            short = Some(name);
        } else if name == wanted || short.take() == Some(wanted) {
            return Ok((name.trim_start_matches('-').to_owned(), word.ends_with('=')));
        }
    }
    Err(wrong("there is no such option", wanted))
}

fn wrong(cause: &str, word: &str) -> Failure {
    Failure::new("understand the command line", cause).on(word).hint("See --help.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "-b --bundle= --detach -e --env=";

    fn parse(words: Words, line: &str) -> Result<Options> {
        Options::parse(KNOWN, words, &line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_same_option_in_all_its_shapes() {
        for line in
            ["--bundle /b --detach c1", "-b /b c1 --detach", "--bundle=/b --detach=true -- c1", "-b=/b --detach c1"]
        {
            let options = parse(Words::Mixed, line).unwrap();
            assert_eq!(options.value("bundle"), Some("/b"), "{line}");
            assert!(options.has("detach"));
            assert_eq!(options.id().unwrap(), "c1");
        }
        assert!(!parse(Words::Mixed, "--detach=false c1").unwrap().has("detach"));
    }

    #[test]
    fn what_follows_the_id_is_another_command_line() {
        let options = parse(Words::Then(1), "-e A=1 --env=B=2 c1 ls --detach -l").unwrap();
        assert_eq!(options.all("env").collect::<Vec<_>>(), ["A=1", "B=2"]);
        assert_eq!(options.words, ["c1", "ls", "--detach", "-l"]);
        assert!(!options.has("detach"));
    }

    #[test]
    fn mistakes_are_named() {
        let failure = |line| parse(Words::Mixed, line).unwrap_err().to_string();
        insta::assert_snapshot!(failure("--nope c1"), @"cannot understand the command line --nope: there is no such option");
        insta::assert_snapshot!(failure("-x c1"), @"cannot understand the command line -x: there is no such option");
        insta::assert_snapshot!(failure("c1 --bundle"), @"cannot understand the command line --bundle: a value must follow");
    }
}
