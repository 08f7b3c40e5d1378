//! Sizes for people: three or four significant digits and a unit, as docker writes them.
//!
//! Images and layers are counted in powers of 1000 (`1.24MB`), memory in powers of 1024 (`1.5MiB`).

const DECIMAL: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `1.24MB`: decimal, three digits. Sizes of images, layers, containers.
pub(crate) fn size(bytes: i64) -> String {
    scaled(to_f64(bytes), 1000.0, 3, &DECIMAL)
}

/// `1.236MB`: decimal, four digits. Reclaimed space.
pub(crate) fn size_exact(bytes: i64) -> String {
    scaled(to_f64(bytes), 1000.0, 4, &DECIMAL)
}

/// `67.1MB`-like traffic: decimal, three digits, from an unsigned counter.
pub(crate) fn traffic(bytes: u64) -> String {
    scaled(unsigned_to_f64(bytes), 1000.0, 3, &DECIMAL)
}

/// `64MiB`: binary, four digits. Memory.
pub(crate) fn memory(bytes: u64) -> String {
    scaled(unsigned_to_f64(bytes), 1024.0, 4, &BINARY)
}

/// Sizes beyond 2^52 lose digits that are not shown anyway.
#[expect(clippy::cast_precision_loss)]
fn to_f64(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss)]
fn unsigned_to_f64(number: u64) -> f64 {
    number as f64
}

fn scaled(mut value: f64, base: f64, digits: usize, units: &[&str; 7]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    for next in units {
        if value < base {
            break;
        }
        value /= base;
        unit = next;
    }
    format!("{}{unit}", significant(value, digits))
}

/// `value` with so many significant digits and no zeros at the end; with an exponent when it has more digits before the
/// point (C's `%.3g`, which is what makes docker say `1e+03kB`).
fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    // Rounding can carry into one more digit, so the exponent is that of the rounded number.
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let limit = i32::try_from(digits).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    trim(&format!("{value:.decimals$}")).to_owned()
}

/// Without the zeros after the last digit that counts.
fn trim(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_with_three_digits() {
        let sizes = [0, 1, 999, 1000, 1536, 999_949, 999_950, 1_235_900, 123_456_789, 4_261_550_000];
        let texts = sizes.map(size);
        assert_eq!(texts, ["0B", "1B", "999B", "1kB", "1.54kB", "1e+03kB", "1e+03kB", "1.24MB", "123MB", "4.26GB"]);
    }

    #[test]
    fn reclaimed_space_has_four_digits() {
        assert_eq!([size_exact(0), size_exact(1_235_900), size_exact(1_048_576)], ["0B", "1.236MB", "1.049MB"]);
    }

    #[test]
    fn memory_is_binary() {
        assert_eq!(
            [memory(0), memory(1536), memory(64 << 20), memory(25_190_400_000)],
            ["0B", "1.5KiB", "64MiB", "23.46GiB"]
        );
    }
}
