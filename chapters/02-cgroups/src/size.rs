//! Sizes as people write them: `64m`, `1.5g`, `512k`, `4096`.

use namespaces::{Failure, Result};

/// Units and their weight in bytes. Powers of 1024: memory is sold and limited in those.
const UNITS: [(char, u64); 6] =
    [('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40), ('p', 1 << 50)];

/// Bytes of a size in docker's notation: a number, then one of `b k m g t p` in either case, which may be followed by
/// `b` or `ib`. Without a unit the number is bytes. A fraction is allowed (`0.5g`) and rounded down.
///
/// ```
/// assert_eq!(cgroups::parse_size("64m").unwrap(), 64 * 1024 * 1024);
/// assert_eq!(cgroups::parse_size("1.5 GiB").unwrap(), 1536 * 1024 * 1024);
/// assert!(cgroups::parse_size("64 bananas").is_err());
/// ```
///
/// # Errors
/// Not a number, an unknown unit, a negative size, or one of 2^63 bytes or more (the kernel's counters are signed).
pub fn parse_size(text: &str) -> Result<u64> {
    let wrong = |cause: &str| {
        Failure::new("read the size", cause).on(text).hint("Write a number and a unit, such as 512k, 64m or 1.5g.")
    };
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let weight = unit_weight(unit.trim()).ok_or_else(|| wrong("it has an unknown unit"))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().map_err(|_| wrong("it is not a number"))?;
    let bytes = u128::from(whole) * u128::from(weight)
        + fraction_of(fraction, weight).ok_or_else(|| wrong("it is not a number"))?;
    u64::try_from(bytes).ok().filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(|| wrong("it is too large"))
}

/// Bytes as people read them: the largest unit that leaves at least 1, with at most two decimals.
///
/// ```
/// assert_eq!(cgroups::format_size(64 * 1024 * 1024), "64MiB");
/// assert_eq!(cgroups::format_size(1536), "1.5KiB");
/// ```
pub fn format_size(bytes: u64) -> String {
    let (letter, weight) = UNITS.into_iter().rev().find(|(_, weight)| bytes >= *weight).unwrap_or(('b', 1));
    if weight == 1 {
        return format!("{bytes}B");
    }
    let hundredths = u128::from(bytes) * 100 / u128::from(weight);
    let number = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number}{}iB", letter.to_ascii_uppercase())
}

/// `m`, `MB` and `MiB` are the same.
fn unit_weight(unit: &str) -> Option<u64> {
    // SOLUTION cg-unit
    let unit = unit.to_ascii_lowercase();
    let mut letters = unit.chars();
    let Some(first) = letters.next() else { return Some(1) };
    let (_, weight) = UNITS.into_iter().find(|(letter, _)| *letter == first)?;
    match letters.as_str() {
        "" => Some(weight),
        "b" | "ib" if first != 'b' => Some(weight),
        _ => None,
    }
    // END SOLUTION
}

/// The bytes that decimals such as `5` in `0.5g` stand for. Twelve digits are more than any size needs.
fn fraction_of(digits: &str, weight: u64) -> Option<u128> {
    let digits = digits.get(..digits.len().min(12))?;
    let numerator: u128 = if digits.is_empty() { 0 } else { digits.parse::<u64>().ok()?.into() };
    let denominator = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    Some(numerator * u128::from(weight) / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn docker_notation() {
        for (text, bytes) in [
            ("0", 0),
            ("1", 1),
            ("1b", 1),
            ("2k", 2048),
            ("2KB", 2048),
            ("3 MiB", 3 << 20),
            ("1G", 1 << 30),
            ("0.5t", 1 << 39),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_text_in_it() {
        for text in
            ["", "m", "-1", "1.2.3m", "64 bananas", "bb", "1bb", "9223372036854775808", "99999999999p", "1e3", "0x10"]
        {
            let failure = parse_size(text).unwrap_err();
            assert_eq!(failure.target.as_deref(), Some(text));
            assert!(failure.hint.is_some());
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_never_panics(text in "\\PC*") {
            let _ = parse_size(&text);
        }

        #[test]
        fn plain_bytes_are_themselves(bytes in 0..=i64::MAX as u64) {
            prop_assert_eq!(parse_size(&bytes.to_string()).unwrap(), bytes);
        }

        #[test]
        fn what_is_formatted_can_be_read_back_within_a_hundredth(bytes in 0..=1_u64 << 60) {
            let back = parse_size(&format_size(bytes)).unwrap();
            prop_assert!(back <= bytes && bytes - back <= bytes / 50);
        }
    }
}
