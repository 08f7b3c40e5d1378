//! How a line looks to a syslog server. Four ways, which docker has from Go's `srslog`:
//!
//! ```text
//! <14>Jan  2 03:04:05 TAG[PID]: text                                          to /dev/log
//! <14>Jan  2 03:04:05 HOST TAG[PID]: text                                     RFC 3164
//! <14>1 2026-01-02T03:04:05Z HOST TAG PID TAG - text                          RFC 5424
//! <14>1 2026-01-02T03:04:05.678901Z HOST TAG PID TAG - text                   the same, with microseconds
//! ```
//!
//! The number is the facility times eight and the severity: informational for output, error for error output.

use jiff::ZonedDateTime;

use super::stream::Stream;
use crate::plan::{Syslog, SyslogFormat};

/// The message of one `piece` of a line, with a line feed at its end: a stream has no other mark between two.
pub(crate) fn message(to: &Syslog, stream: Stream, piece: &[u8], now: &ZonedDateTime, pid: u32) -> Vec<u8> {
    let Syslog { facility, format, tag, host, .. } = to;
    let severity = match stream {
        Stream::Output => 6,
        Stream::Error => 3,
    };
    let priority = u32::from(*facility) * 8 + severity;
    let legacy = || now.strftime("%b %e %H:%M:%S");
    let zone = if now.offset().is_zero() { "Z" } else { "%:z" };
    let modern = |pattern: &str| now.strftime(&format!("{pattern}{zone}")).to_string();
    let head = match format {
        SyslogFormat::Local => format!("<{priority}>{} {tag}[{pid}]: ", legacy()),
        SyslogFormat::Rfc3164 => format!("<{priority}>{} {host} {tag}[{pid}]: ", legacy()),
        SyslogFormat::Rfc5424 => {
            format!("<{priority}>1 {} {host} {tag} {pid} {tag} - ", modern("%Y-%m-%dT%H:%M:%S"))
        }
        SyslogFormat::Rfc5424Micro => {
            format!("<{priority}>1 {} {host} {tag} {pid} {tag} - ", modern("%Y-%m-%dT%H:%M:%S%.6f"))
        }
    };
    let text = piece.strip_suffix(b"\n").unwrap_or(piece);
    [head.as_bytes(), text, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Place;

    #[test]
    fn every_format() {
        let now: ZonedDateTime = "2026-01-02T03:04:05.678901234+00:00[UTC]".parse().unwrap();
        let east = now.with_time_zone(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
        let mut all = String::new();
        for format in [SyslogFormat::Local, SyslogFormat::Rfc3164, SyslogFormat::Rfc5424, SyslogFormat::Rfc5424Micro] {
            let (tag, host) = ("c0ffee".to_owned(), "ship".to_owned());
            let to = Syslog { place: Place::Here, facility: 3, format, tag, host };
            let made = [
                message(&to, Stream::Output, b"one line\n", &now, 42),
                message(&to, Stream::Error, b"no line feed \xff", &east, 42),
            ];
            all.extend(made.iter().map(|message| String::from_utf8_lossy(message).into_owned()));
        }
        insta::assert_snapshot!(all);
    }
}
