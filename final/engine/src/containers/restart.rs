//! Restart policies: whether a container is started again after its program has ended, and how soon.

use std::sync::Arc;
use std::time::Duration;

use bollard_stubs::models::RestartPolicyNameEnum as Policy;
use jiff::Timestamp;

use super::Containers;
use super::container::Container;
use super::explain::Measure;
use super::record::{State, Status};

/// The first pause. It doubles with every restart, so that a program that fails at once does not keep the machine busy.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_mins(1);
/// A program that ran for this long has not failed at once: the pauses begin anew.
const STEADY: Duration = Duration::from_secs(10);

/// How long to wait before the next start; `None` when there is none. `most` is the number of restarts that `on-failure`
/// allows, 0 is any.
pub(super) fn after((policy, most): (Policy, u32), state: &State, code: i32, now: Timestamp) -> Option<Duration> {
    let again = match policy {
        Policy::ALWAYS | Policy::UNLESS_STOPPED => true,
        Policy::ON_FAILURE => code != 0 && (most == 0 || state.restarts < most),
        Policy::NO | Policy::EMPTY => false,
    };
    if !again || state.stopped {
        return None;
    }
    let ran = state.started_at.and_then(|since| Duration::try_from(now.duration_since(since)).ok()).unwrap_or_default();
    if ran >= STEADY {
        return Some(FIRST);
    }
    let doubled = FIRST.saturating_mul(1 << state.restarts.min(16));
    Some(doubled.min(LONGEST))
}

impl Containers {
    /// Starts a container again after `pause`, unless somebody has stopped it meanwhile.
    pub(super) fn start_again(&self, container: Arc<Container>, pause: Duration) {
        let this = self.clone();
        tokio::spawn(async move {
            let mut pause = pause;
            loop {
                let stopped = |life: &super::container::Life| life.state.status != Status::Restarting || life.gone;
                if tokio::time::timeout(pause, container.watch().wait_for(stopped)).await.is_ok() {
                    return;
                }
                let _turn = container.turn.lock().await;
                if container.status() != Status::Restarting {
                    return;
                }
                let Err(error) = this.launch(&container, Measure::No).await else { return };
                tracing::warn!("restart of {}: {error}", container.id);
                // What kept it from starting may pass: an address, a port.
                container.change(|life| life.state.restarts += 1);
                let state = container.state();
                match after(container.asked().restart_policy(), &state, state.exit_code, Timestamp::now()) {
                    Some(next) => pause = next,
                    None => return container.change(|life| life.state.status = Status::Exited),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(policy: Policy, most: u32, code: i32, change: impl FnOnce(&mut State)) -> Option<u64> {
        let now = Timestamp::from_second(1000).unwrap();
        let mut state = State { started_at: Timestamp::from_second(999).ok(), ..State::default() };
        change(&mut state);
        after((policy, most), &state, code, now).map(|pause| u64::try_from(pause.as_millis()).unwrap())
    }

    #[test]
    fn policies_say_when() {
        assert_eq!(pause(Policy::NO, 0, 1, |_| ()), None);
        assert_eq!(pause(Policy::ALWAYS, 0, 0, |_| ()), Some(100));
        assert_eq!(pause(Policy::UNLESS_STOPPED, 0, 0, |state| state.stopped = true), None);
        assert_eq!(pause(Policy::ALWAYS, 0, 137, |state| state.stopped = true), None);
        assert_eq!(pause(Policy::ON_FAILURE, 0, 0, |_| ()), None);
        assert_eq!(pause(Policy::ON_FAILURE, 0, 1, |_| ()), Some(100));
        assert_eq!(pause(Policy::ON_FAILURE, 2, 1, |state| state.restarts = 1), Some(200));
        assert_eq!(pause(Policy::ON_FAILURE, 2, 1, |state| state.restarts = 2), None);
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew() {
        let after = |restarts| pause(Policy::ALWAYS, 0, 1, |state| state.restarts = restarts);
        assert_eq!([0, 1, 2, 9, 10, 40].map(after), [100, 200, 400, 51_200, 60_000, 60_000].map(Some));
        let long = pause(Policy::ALWAYS, 0, 1, |state| {
            state.restarts = 9;
            state.started_at = Timestamp::from_second(990).ok();
        });
        assert_eq!(long, Some(100));
    }
}
