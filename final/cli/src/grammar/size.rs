//! Sizes in bytes: a number, a unit in powers of 1024, and an optional `b` or `ib`: `64m`, `1.5GiB`, `512`.

/// Bytes.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let bad = || format!("invalid size: '{text}'");
    let lower = text.trim_end_matches(['b', 'B']).trim_end_matches(['i', 'I']);
    let unit = lower.chars().next_back().ok_or_else(bad)?.to_ascii_lowercase();
    let power = "kmgtp".find(unit).map_or(0, |place| place + 1);
    let digits = if power > 0 { lower.get(..lower.len() - 1).unwrap_or_default() } else { lower };
    // `1ib` has no unit that the `i` could belong to.
    if power == 0 && text.to_ascii_lowercase().ends_with("ib") {
        return Err(bad());
    }
    let digits = digits.strip_suffix(' ').unwrap_or(digits);
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(bad());
    }
    let scale = 1_i64 << (10 * power);
    if let Ok(whole) = digits.parse::<i64>() {
        return whole.checked_mul(scale).ok_or_else(bad);
    }
    let fraction: f64 = digits.parse().map_err(|_| bad())?;
    Ok(scaled(fraction, scale))
}

/// A fraction of a unit; what is less than a byte is dropped.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn scaled(fraction: f64, scale: i64) -> i64 {
    (fraction * scale as f64) as i64
}

/// Bytes, or -1 for no limit.
pub(crate) fn parse_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { parse(text) }
}

/// Processors as billionths: `1.5` is 1500000000. Digits beyond the ninth are refused.
pub(crate) fn cpus(text: &str) -> Result<i64, String> {
    let bad = || format!("failed to parse {text} as a rational number");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 9 {
        return Err(format!("{text}: value is too precise"));
    }
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(bad());
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
    let billionths: i64 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    whole.checked_mul(1_000_000_000).and_then(|nano| nano.checked_add(billionths)).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("512b", 512),
            ("1k", 1024),
            ("1KB", 1024),
            ("1kib", 1024),
            ("64m", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("1 g", 1 << 30),
            ("2t", 2 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "x", "-1", "m", "1x", "1ib", "1.2.3", "9999999999t", "1  k", "b"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse_or_unlimited("-1"), Ok(-1));
    }

    #[test]
    fn processors() {
        assert_eq!(cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(cpus(".5"), Ok(500_000_000));
        assert_eq!(cpus("2"), Ok(2_000_000_000));
        assert_eq!(cpus("0.000000001"), Ok(1));
        assert!(cpus("0.0000000001").unwrap_err().contains("too precise"));
        assert!(cpus("x").is_err());
        assert!(cpus("-1").is_err());
        assert!(cpus(".").is_err());
    }
}
