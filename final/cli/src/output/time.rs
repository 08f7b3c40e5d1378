//! Points in time and ages: `2 minutes ago`, `2026-11-24 09:10:45 +0000 UTC`, `--since 10m`.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::error::{Error, Result};
use crate::grammar::duration;

/// An RFC 3339 time of the daemon's. Docker writes the year 1 for "never"; that and nonsense are `None`.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    if text.starts_with("0001-") { None } else { text.parse().ok() }
}

/// Seconds since 1970 as a point in time.
pub(crate) fn from_seconds(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// How long ago, in words: `About a minute`, `3 weeks`.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    duration_in_words(now.duration_since(then).as_secs())
}

/// A length of time in words, in its largest unit that reads well. The steps are those docker's users know.
pub(crate) fn duration_in_words(seconds: i64) -> String {
    let minutes = seconds / 60;
    // From here on the nearest hour counts, not the last full one.
    let hours = (seconds + 1800) / 3600;
    match (seconds, minutes, hours) {
        (..1, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, ..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (.., ..48) => format!("{hours} hours"),
        (.., ..336) => format!("{} days", hours / 24),
        (.., ..1440) => format!("{} weeks", hours / 24 / 7),
        (.., ..17520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// `2026-11-24 09:10:45.5 +0000 UTC` in this machine's time zone.
pub(crate) fn full(then: Timestamp) -> String {
    let zoned = then.to_zoned_datetime(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S%.f %z %Z").to_string()
}

/// `Tue Nov 24 09:10:45 2026`, as `version` has it.
pub(crate) fn ansi(then: Timestamp) -> String {
    let zoned = then.to_zoned_datetime(TimeZone::UTC);
    zoned.strftime("%a %b %e %H:%M:%S %Y").to_string()
}

/// `2026-11-24T09:10:45.123456789+00:00`, as `events` has it.
pub(crate) fn precise(then: Timestamp) -> String {
    let zoned = then.to_zoned_datetime(TimeZone::system());
    zoned.strftime("%Y-%m-%dT%H:%M:%S.%9f%:z").to_string().replace("+00:00", "Z")
}

/// What `--since` and `--until` accept: a time (RFC 3339, with or without zone), seconds since 1970, or a length of time
/// before now (`10m`). The result is the API's form, `SECONDS.NANOSECONDS`.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<String> {
    if let Some(length) = duration::parse(text).ok().filter(|_| text != "0") {
        let then = now.checked_sub(SignedDuration::from_nanos(length));
        return then.map(api).map_err(|_| bad_moment(text));
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.split('.').count() <= 2 && text.split('.').all(is_number) {
        return Ok(text.to_owned());
    }
    if let Ok(then) = text.parse::<Timestamp>() {
        return Ok(api(then));
    }
    let local: jiff::civil::DateTime = text.parse().map_err(|_| bad_moment(text))?;
    let zoned = local.to_zoned_datetime(TimeZone::system()).map_err(|_| bad_moment(text))?;
    Ok(api(zoned.timestamp()))
}

fn api(then: Timestamp) -> String {
    format!("{}.{:09}", then.as_second(), then.subsec_nanosecond())
}

fn bad_moment(text: &str) -> Error {
    Error::new(format!("failed to parse value as time or duration: \"{text}\""))
        .hint("Write it as 2026-11-24T09:10:45Z, as seconds since 1970, or as a length of time before now: 10m, 1h30m.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_change_their_unit_where_docker_does() {
        let ages = [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5399, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (13 * 86400, "13 days"),
            (14 * 86400, "2 weeks"),
            (59 * 86400, "8 weeks"),
            (60 * 86400, "2 months"),
            (729 * 86400, "24 months"),
            (730 * 86400, "2 years"),
        ];
        for (seconds, words) in ages {
            assert_eq!(duration_in_words(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn never_is_not_a_time() {
        assert_eq!(parse("0001-01-01T00:00:00Z"), None);
        assert_eq!(parse("2026-11-24T09:10:45.5Z").unwrap().as_second(), 1_795_511_445);
    }

    #[test]
    fn moments_may_be_written_in_four_ways() {
        let now = from_seconds(1_000_000).unwrap();
        assert_eq!(moment("10m", now).unwrap(), "999400.000000000");
        assert_eq!(moment("1700000000.5", now).unwrap(), "1700000000.5");
        assert_eq!(moment("1970-01-02T00:00:00.25Z", now).unwrap(), "86400.250000000");
        assert!(moment("1970-01-02", now).is_ok());
        assert!(moment("yesterday", now).is_err());
    }

    #[test]
    fn times_for_version_and_events() {
        let then = parse("2026-11-04T09:10:45.5Z").unwrap();
        assert_eq!(ansi(then), "Wed Nov  4 09:10:45 2026");
    }
}
