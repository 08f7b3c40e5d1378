//! Lists of processors and memory nodes: `0-2,4` (cpuset(7), "List format").

use namespaces::{Failure, Result};

/// One more than the largest number that any Linux kernel is built for (`CONFIG_NR_CPUS` and `MAX_NUMNODES` of x86-64
/// end at 8192).
const BOUND: u32 = 8192;

/// Reads a list such as `0-2,4` into its ranges, both ends included, in the order written.
///
/// Ranges stay ranges. A parser that expands them needs memory for as many numbers as someone types: `1-4294967295`
/// took the docker daemon down (CVE-2018-20699). Here it is out of bounds, and 8192 numbers are the most a list can
/// mean.
///
/// ```
/// assert_eq!(cgroups::parse_cpuset("0-2,4").unwrap(), [(0, 2), (4, 4)]);
/// assert!(cgroups::parse_cpuset("1-4294967295").is_err());
/// ```
pub fn parse_cpuset(list: &str) -> Result<Vec<(u32, u32)>> {
    // SOLUTION cg-cpuset
    let wrong = |cause: String| {
        Failure::new("read the list of CPUs or memory nodes", cause).on(list).hint("Write numbers and ranges: 0-2,4.")
    };
    let number = |text: &str| -> Result<u32> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = digits
            .then(|| text.parse().unwrap_or(u32::MAX))
            .ok_or_else(|| wrong(format!("{text:?} is not a number")))?;
        if value < BOUND { Ok(value) } else { Err(wrong(format!("{text} is more than any machine has"))) }
    };
    let range = |part: &str| -> Result<(u32, u32)> {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (number(from)?, number(to)?);
        if from <= to { Ok((from, to)) } else { Err(wrong(format!("the range {part} is backwards"))) }
    };
    list.trim().split(',').map(|part| range(part.trim())).collect()
    // END SOLUTION
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists() {
        assert_eq!(parse_cpuset("0").unwrap(), [(0, 0)]);
        assert_eq!(parse_cpuset(" 0-1, 3 ").unwrap(), [(0, 1), (3, 3)]);
        assert_eq!(parse_cpuset("8191").unwrap(), [(8191, 8191)]);
    }

    #[test]
    fn hostile_lists() {
        for list in [
            "",
            ",",
            "0,",
            "-1",
            "1-",
            "3-1",
            "a",
            "1-4294967295",
            "8192",
            "99999999999999999999",
            "0-1-2",
            "+1",
            "0x1",
        ] {
            assert!(parse_cpuset(list).is_err(), "{list}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_bounded(list in "[0-9,-]{0,40}") {
            for (first, last) in parse_cpuset(&list).unwrap_or_default() {
                prop_assert!(first <= last && last < BOUND);
            }
        }
    }
}
