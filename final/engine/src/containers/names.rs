//! What containers are called: ids, and names given or made up.

use namespaces::Context;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{Error, Result};

/// Moods of the sea and of those on it.
const ADJECTIVES: [&str; 64] = [
    "able", "agile", "amber", "blithe", "bold", "brave", "breezy", "bright", "brisk", "buoyant", "calm", "candid",
    "cheery", "clear", "cobalt", "coral", "crisp", "daring", "dapper", "deft", "distant", "dusky", "eager", "early",
    "fair", "fleet", "frank", "gallant", "gentle", "glad", "golden", "hardy", "hearty", "hidden", "humble", "jaunty",
    "jolly", "keen", "kindly", "lively", "lucid", "mellow", "merry", "misty", "nimble", "noble", "patient", "placid",
    "plucky", "proud", "quick", "quiet", "roving", "salty", "silver", "sober", "steady", "sturdy", "sunny", "swift",
    "tidal", "trusty", "windy", "witty",
];

/// People of ships, charts, tides and stars.
const SURNAMES: [&str; 64] = [
    "amundsen",
    "baffin",
    "baret",
    "beaufort",
    "bering",
    "bligh",
    "bowditch",
    "cabot",
    "cartier",
    "carson",
    "cheng",
    "columb",
    "cook",
    "coriolis",
    "cousteau",
    "dampier",
    "davis",
    "diaz",
    "drake",
    "ekman",
    "earle",
    "ericson",
    "fitzroy",
    "flinders",
    "forel",
    "franklin",
    "frobisher",
    "galvez",
    "gama",
    "halley",
    "harrison",
    "hudson",
    "humboldt",
    "joshi",
    "kelvin",
    "krusenstern",
    "magellan",
    "maury",
    "mercator",
    "mitchell",
    "munk",
    "nansen",
    "nordenskiold",
    "okeanos",
    "park",
    "piccard",
    "polo",
    "ptolemy",
    "pytheas",
    "raleigh",
    "ross",
    "sacagawea",
    "scott",
    "shackleton",
    "slocum",
    "somerville",
    "tasman",
    "tharp",
    "torres",
    "tupaia",
    "vancouver",
    "vespucci",
    "wegener",
    "weddell",
];

/// 64 hexadecimal digits that nobody has had before. Never only digits in the first 12: a host name of digits alone would be
/// taken for a number by programs.
pub(crate) fn new_id() -> Result<String> {
    loop {
        let mut bytes = [0_u8; 32];
        getrandom(&mut bytes, GetRandomFlags::empty()).during("ask the kernel for", "random bytes")?;
        let (high, low) = bytes.split_at(16);
        let half = |bytes: &[u8]| bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        let id = format!("{:032x}{:032x}", half(high), half(low));
        if id.bytes().take(12).any(|digit| digit.is_ascii_alphabetic()) {
            return Ok(id);
        }
    }
}

/// The first 12 digits of an id: what people see of it, and the container's host name unless it has another.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// A made-up name, `adjective_surname`, that `taken` does not know. When ten in a row are taken, a digit makes the difference.
pub(crate) fn make_up(taken: impl Fn(&str) -> bool) -> Result<String> {
    for attempt in 0_usize.. {
        let mut bytes = [0_u8; 3];
        getrandom(&mut bytes, GetRandomFlags::empty()).during("ask the kernel for", "random bytes")?;
        let [adjective, surname, digit] = bytes.map(usize::from);
        let pick = |words: [&'static str; 64], index: usize| words.get(index % 64).copied().unwrap_or("skiff");
        let mut name = format!("{}_{}", pick(ADJECTIVES, adjective), pick(SURNAMES, surname));
        if attempt >= 10 {
            name.push_str(&(digit + attempt).to_string());
        }
        if !taken(&name) {
            return Ok(name);
        }
    }
    Err(Error::internal("no name is left"))
}

/// A given name, without the slash that some clients write in front of it.
///
/// # Errors
/// In docker's words, when it is not a letter or digit followed by at least one of letters, digits, `_`, `.`, `-`.
pub(crate) fn check(name: &str) -> Result<&str> {
    // SOLUTION name-check
    let bare = name.strip_prefix('/').unwrap_or(name);
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let good = bare.len() > 1 && bare.starts_with(|c: char| c.is_ascii_alphanumeric()) && bare.chars().all(rest);
    if good {
        return Ok(bare);
    }
    Err(Error::invalid(format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")))
    // END SOLUTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_docker_checks_them() {
        assert_eq!(check("/web-1.a_B").unwrap(), "web-1.a_B");
        for name in ["", "/", "a", "-a", "a b", "a/b", "äö", "_a"] {
            assert!(check(name).is_err(), "{name:?}");
        }
        insta::assert_snapshot!(check("a b").unwrap_err(), @"Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    }

    #[test]
    fn a_made_up_name_is_valid_and_free() {
        let name = make_up(|_| false).unwrap();
        assert_eq!(check(&name).unwrap(), name);
        let other = make_up(|candidate| candidate.bytes().all(|byte| !byte.is_ascii_digit())).unwrap();
        assert!(other.ends_with(|c: char| c.is_ascii_digit()), "{other}");
    }

    #[test]
    fn every_word_makes_a_valid_name() {
        for word in ADJECTIVES.iter().chain(&SURNAMES) {
            assert!(check(word).is_ok(), "{word}");
        }
    }

    #[test]
    fn ids_have_64_digits() {
        let id = new_id().unwrap();
        assert!(id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
        assert_eq!(short(&id).len(), 12);
    }
}
