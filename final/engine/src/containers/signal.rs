//! Signals as people write them: `SIGTERM`, `term`, `15`, `RTMIN+3` (signal(7)).

use nix::sys::signal::Signal;

use crate::error::{Error, Result};

/// The real-time signals that glibc leaves to programs.
const RT_MIN: i32 = 34;
const RT_MAX: i32 = 64;

/// The number of a signal.
///
/// # Errors
/// `Invalid signal: TEXT`, docker's words.
pub(crate) fn parse(text: &str) -> Result<i32> {
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = bare.parse().ok().or_else(|| real_time(bare)).or_else(|| named(bare));
    number
        .filter(|number| (1..=RT_MAX).contains(number))
        .ok_or_else(|| Error::invalid(format!("Invalid signal: {text}")).hint("signal(7) lists them."))
}

fn named(bare: &str) -> Option<i32> {
    let signal: Signal = format!("SIG{bare}").parse().ok()?;
    Some(signal as i32)
}

/// `RTMIN`, `RTMIN+3`, `RTMAX-1`.
fn real_time(bare: &str) -> Option<i32> {
    let (from, rest) = match bare.split_at_checked(5)? {
        ("RTMIN", rest) => (RT_MIN, rest),
        ("RTMAX", rest) => (RT_MAX, rest),
        _ => return None,
    };
    let offset = if rest.is_empty() { 0 } else { rest.parse().ok()? };
    Some(from + offset).filter(|number| (RT_MIN..=RT_MAX).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("kill", 9),
            ("2", 2),
            ("sigusr1", 10),
            ("RTMIN+3", 37),
            ("SIGRTMAX-1", 63),
            ("rtmin", 34),
        ] {
            assert_eq!(parse(text), Ok(number), "{text}");
        }
        for text in ["", "0", "65", "-1", "SIGNOTHING", "RTMIN+40", "RTMAX+1"] {
            assert_eq!(parse(text).unwrap_err().message, format!("Invalid signal: {text}"));
        }
    }
}
