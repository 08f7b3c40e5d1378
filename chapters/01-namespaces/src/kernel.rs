//! Which kernel this is (uname(2)): the one thing about a machine that a plan may depend on.

/// The version of this machine's kernel: major, minor. What cannot be read as one is older than all.
pub(crate) fn kernel() -> (u32, u32) {
    version(&rustix::system::uname().release().to_string_lossy()).unwrap_or_default()
}

/// `6.18.44-generic` as (6, 18).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        assert_eq!(version("6.18.44-fc-v657"), Some((6, 18)));
        assert_eq!(version("5.12-rc3"), Some((5, 12)));
        assert_eq!(version("unknown"), None);
    }
}
