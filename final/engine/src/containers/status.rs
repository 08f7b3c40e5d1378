//! The column STATUS of `docker ps`: `Up 3 seconds`, `Exited (0) 2 minutes ago`.

use bollard_stubs::models::HealthStatusEnum;
use jiff::Timestamp;

use super::record::{State, Status};

/// How a container is, at the moment `now`, for a person.
pub(crate) fn text(state: &State, now: Timestamp) -> String {
    let since = |moment: Option<Timestamp>| moment.map(|moment| duration(now.duration_since(moment).as_secs()));
    let up = || since(state.started_at).unwrap_or_default();
    let ago = || since(state.finished_at).unwrap_or_default();
    match state.status {
        Status::Running => format!("Up {}{}", up(), health(state)),
        Status::Paused => format!("Up {} (Paused)", up()),
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, ago()),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, ago()),
        Status::Dead => "Dead".to_owned(),
        Status::Created => "Created".to_owned(),
    }
}

/// What docker adds for a container with a health check.
fn health(state: &State) -> String {
    match super::health::status(state) {
        Some(HealthStatusEnum::STARTING) => " (health: starting)".to_owned(),
        Some(status) => format!(" ({status})"),
        None => String::new(),
    }
}

/// A number of seconds, about, in docker's words: `Less than a second`, `About a minute`, `5 weeks`.
///
/// A unit is used from two of it on (weeks are 7 days, months 30, years 365), so nobody reads "1 weeks": 13 days are still days.
fn duration(seconds: i64) -> String {
    // SOLUTION ps-duration
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let hours = (seconds + HOUR / 2) / HOUR;
    match seconds {
        ..=0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..MINUTE => format!("{seconds} seconds"),
        MINUTE..120 => "About a minute".to_owned(),
        120..HOUR => format!("{} minutes", seconds / MINUTE),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / (24 * 7)),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / (24 * 30)),
        _ => format!("{} years", seconds / (DAY * 365)),
    }
    // END SOLUTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_about_right() {
        let days = [1, 2, 13, 14, 59, 60, 729, 730].map(|days| days * 86_400);
        let moments = [0, 1, 2, 59, 60, 119, 120, 3599, 3600, 5399, 5400].into_iter().chain(days);
        let words: Vec<_> = moments.map(duration).collect();
        insta::assert_snapshot!(words.join(", "), @"Less than a second, 1 second, 2 seconds, 59 seconds, About a minute, About a minute, 2 minutes, 59 minutes, About an hour, About an hour, 2 hours, 24 hours, 2 days, 13 days, 2 weeks, 8 weeks, 2 months, 24 months, 2 years");
    }

    #[test]
    fn each_status_has_its_words() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |seconds: i64| Timestamp::from_second(1_000_000 - seconds).ok();
        let state =
            |status| State { status, started_at: at(200), finished_at: at(120), exit_code: 3, ..State::default() };
        let statuses =
            [Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Exited, Status::Dead];
        let words = statuses.map(|status| text(&state(status), now));
        insta::assert_snapshot!(words.join("\n"), @r"
        Created
        Up 3 minutes
        Up 3 minutes (Paused)
        Restarting (3) 2 minutes ago
        Exited (3) 2 minutes ago
        Dead
        ");
    }
}
