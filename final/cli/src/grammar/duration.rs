//! Lengths of time as Go writes them: `300ms`, `1.5h`, `1h30m`.

/// Nanoseconds. The whole text may have a sign; `0` needs no unit.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1, text.get(1..).unwrap_or_default()),
        Some(b'+') => (1, text.get(1..).unwrap_or_default()),
        _ => (1, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    let bad = || format!("time: invalid duration \"{text}\"");
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if number.is_empty() || number == "." {
            return Err(bad());
        }
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration \"{text}\""));
        }
        let scale = scale(unit).ok_or_else(|| format!("time: unknown unit \"{unit}\" in duration \"{text}\""))?;
        total = nanoseconds(number, scale).and_then(|part| total.checked_add(part)).ok_or_else(bad)?;
        rest = after;
    }
    Ok(total * sign)
}

/// Nanoseconds per unit.
fn scale(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `1.5` units. The fraction is counted in whole numbers, so that `0.1s` is exact.
fn nanoseconds(number: &str, scale: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(scale)?;
    let mut weight = scale;
    for digit in fraction.bytes() {
        weight /= 10;
        total = total.checked_add(i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * weight)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("1s", 1_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("300ms", 300_000_000),
            ("0.1s", 100_000_000),
            (".5m", 30_000_000_000),
            ("-2s", -2_000_000_000),
            ("3us4ns", 3_004),
        ] {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(parse("1").unwrap_err(), "time: missing unit in duration \"1\"");
        assert_eq!(parse("1d").unwrap_err(), "time: unknown unit \"d\" in duration \"1d\"");
        for text in ["", "-", "s", ".s", "1.2.3s", "99999999999h", "2026-11-24"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
