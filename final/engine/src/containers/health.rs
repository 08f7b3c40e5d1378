//! Health checks: a program that is run in the container every now and then, and whose exit status says whether the container
//! does what it is for.
//!
//! Docker's rules. A container is `starting` until the first check succeeds, then `healthy`; it is `unhealthy` after
//! `Retries` failures in a row. Failures within the start period do not count as long as it is `starting`. A check that
//! takes longer than its timeout is killed, and has failed. The last five results are kept, of each at most 4 KiB of output.

use std::sync::Arc;
use std::time::Duration;

use bollard_stubs::models::{
    ContainerConfig, ExecConfig, ExecStartConfig, Health, HealthConfig, HealthStatusEnum, HealthcheckResult,
};
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::Containers;
use super::attach::Attached;
use super::container::{Container, Life};
use super::record::{State, Status};
use crate::error::{Error, Result};

/// How many results are kept.
const KEPT: usize = 5;
/// How much of a check's output is kept, in bytes.
const OUTPUT: usize = 4096;

/// What is run, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    words: Vec<String>,
    interval: Duration,
    timeout: Duration,
    retries: i64,
    start_period: Duration,
    start_interval: Duration,
}

impl Check {
    /// The check of a container, with docker's defaults; `None` when it has none.
    pub(super) fn of(config: &ContainerConfig) -> Option<Self> {
        let health = config.healthcheck.as_ref()?;
        let (kind, rest) = health.test.as_deref()?.split_first()?;
        let words = match kind.as_str() {
            "CMD" => rest.to_vec(),
            "CMD-SHELL" => {
                let shell = config.shell.clone().filter(|shell| !shell.is_empty());
                let shell = shell.unwrap_or_else(|| ["/bin/sh", "-c"].map(str::to_owned).into());
                shell.into_iter().chain(rest.first().cloned()).collect()
            }
            _ => return None,
        };
        let span = |nanos: Option<i64>, default| {
            let nanos = nanos.and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos > 0);
            nanos.map_or(Duration::from_secs(default), Duration::from_nanos)
        };
        Some(Self {
            words,
            interval: span(health.interval, 30),
            timeout: span(health.timeout, 30),
            retries: health.retries.filter(|retries| *retries > 0).unwrap_or(3),
            start_period: span(health.start_period, 0),
            start_interval: span(health.start_interval, 5),
        })
    }

    /// How long to wait before the next check.
    fn pause(&self, state: &State, now: Timestamp) -> Duration {
        if self.is_starting(state, now) { self.start_interval } else { self.interval }
    }

    /// Whether it is too early for a failure to count.
    fn is_starting(&self, state: &State, now: Timestamp) -> bool {
        let since = state.started_at.map(|began| now.duration_since(began));
        let early =
            since.and_then(|since| Duration::try_from(since).ok()).is_some_and(|since| since < self.start_period);
        early && status(state) == Some(HealthStatusEnum::STARTING)
    }

    /// Takes a result into the state. `began` is when the check began.
    fn note(&self, state: &mut State, began: Timestamp, result: HealthcheckResult) {
        let early = self.is_starting(state, began);
        let health = state.health.get_or_insert_with(beginning);
        let failures = match result.exit_code {
            Some(0) => 0,
            _ if early => health.failing_streak.unwrap_or(0),
            _ => health.failing_streak.unwrap_or(0).saturating_add(1),
        };
        health.failing_streak = Some(failures);
        if result.exit_code == Some(0) {
            health.status = Some(HealthStatusEnum::HEALTHY);
        } else if failures >= self.retries {
            health.status = Some(HealthStatusEnum::UNHEALTHY);
        }
        let log = health.log.get_or_insert_default();
        log.push(result);
        log.drain(..log.len().saturating_sub(KEPT));
    }
}

/// How healthy a container is; `None` for one without a check.
pub(super) fn status(state: &State) -> Option<HealthStatusEnum> {
    state.health.as_ref().and_then(|health| health.status)
}

/// The health of a container that has just been started.
pub(super) fn beginning() -> Health {
    Health { status: Some(HealthStatusEnum::STARTING), failing_streak: Some(0), log: Some(Vec::new()) }
}

/// Refuses what docker refuses of a request's check.
pub(crate) fn validate(health: &HealthConfig) -> Result<()> {
    let spans = [
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ];
    for (name, nanos) in spans {
        if nanos.is_some_and(|nanos| nanos != 0 && nanos < 1_000_000) {
            return Err(Error::invalid(format!("{name} in Healthcheck cannot be less than 1ms")));
        }
    }
    if health.retries.is_some_and(|retries| retries < 0) {
        return Err(Error::invalid("Retries in Healthcheck cannot be negative"));
    }
    Ok(())
}

impl Containers {
    /// Checks a container that runs until its program has ended, in a task of its own.
    pub(super) fn watch_health(&self, container: &Arc<Container>) {
        let Some(check) = Check::of(&container.asked().config) else { return };
        let (this, container) = (self.clone(), Arc::clone(container));
        tokio::spawn(async move {
            let mut life = container.watch();
            let exits = life.borrow().exits;
            let over = move |life: &Life| life.gone || life.exits != exits || !life.state.status.has_process();
            loop {
                let pause = check.pause(&container.state(), Timestamp::now());
                if timeout(pause, life.wait_for(over)).await.is_ok() {
                    return;
                }
                // What is frozen cannot answer, which says nothing about its health.
                let lost = life.wait_for(|life| over(life) || life.state.status == Status::Running).await.is_err();
                if lost || over(&life.borrow()) {
                    return;
                }
                let began = Timestamp::now();
                let result = this.check(&container, &check, began).await;
                if over(&life.borrow()) {
                    return;
                }
                this.take_in(&container, |state| check.note(state, began, result));
            }
        });
    }

    /// Changes a container's health, and tells when it is another one now.
    fn take_in(&self, container: &Container, change: impl FnOnce(&mut State)) {
        let before = status(&container.state());
        container.change(|life| change(&mut life.state));
        container.keep();
        let after = status(&container.state());
        if let Some(now) = after.filter(|_| before != after) {
            self.tell(container, &format!("health_status: {now}"), &[]);
        }
    }

    /// Runs the check once.
    async fn check(&self, container: &Arc<Container>, check: &Check, began: Timestamp) -> HealthcheckResult {
        let (code, output) = match self.run_check(container, check).await {
            Ok(done) => done,
            Err(error) => (-1, error.message),
        };
        HealthcheckResult {
            start: Some(began.to_string()),
            end: Some(Timestamp::now().to_string()),
            exit_code: Some(code),
            output: Some(output),
        }
    }

    async fn run_check(&self, container: &Arc<Container>, check: &Check) -> Result<(i64, String)> {
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(check.words.clone()),
            ..ExecConfig::default()
        };
        let id = self.exec_create(&container.id, config)?;
        let run = async {
            let attached = self.exec_start(&id, ExecStartConfig::default()).await?;
            let output = match attached {
                Some(attached) => read(attached).await,
                None => Vec::new(),
            };
            let code = self.exec_inspect(&id)?.exit_code.unwrap_or(-1);
            Ok((code, String::from_utf8_lossy(&output).into_owned()))
        };
        let done = timeout(check.timeout, run).await;
        if done.is_err() {
            self.exec_kill(&id);
        }
        self.forget_exec(&id);
        done.unwrap_or_else(|_| Ok((-1, format!("Health check exceeded timeout ({:?})", check.timeout))))
    }
}

/// The output of an exec until its end, without its frames' heads, cut at the most that is kept.
async fn read(mut attached: Attached) -> Vec<u8> {
    let mut output = Vec::new();
    let mut head = [0; 8];
    while attached.stream.read_exact(&mut head).await.is_ok() {
        let [.., a, b, c, d] = head;
        let length = u64::from(u32::from_be_bytes([a, b, c, d]));
        let mut data = Vec::new();
        if (&mut attached.stream).take(length).read_to_end(&mut data).await.is_err() {
            break;
        }
        output.extend(data.into_iter().take(OUTPUT - output.len()));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut HealthConfig)) -> Option<Check> {
        let mut health = HealthConfig { test: Some(vec!["CMD-SHELL".into(), "ping me".into()]), ..Default::default() };
        change(&mut health);
        Check::of(&ContainerConfig { healthcheck: Some(health), ..ContainerConfig::default() })
    }

    fn results(check: &Check, codes: &[(i64, i64)]) -> String {
        let mut state =
            State { started_at: Timestamp::from_second(1000).ok(), health: Some(beginning()), ..State::default() };
        let mut seen = Vec::new();
        for &(second, code) in codes {
            let began = Timestamp::from_second(1000 + second).unwrap();
            let result = HealthcheckResult { exit_code: Some(code), ..HealthcheckResult::default() };
            check.note(&mut state, began, result);
            let health = state.health.as_ref().unwrap();
            seen.push(format!("{}/{}", health.status.unwrap(), health.failing_streak.unwrap()));
        }
        seen.join(" ")
    }

    #[test]
    fn the_program_is_words_or_a_line_for_the_shell() {
        let words = |test: &[&str]| {
            check(|health| health.test = Some(test.iter().map(|&word| word.to_owned()).collect()))
                .map(|check| check.words.join(" "))
        };
        assert_eq!(words(&["CMD", "a", "b"]).as_deref(), Some("a b"));
        assert_eq!(words(&["CMD-SHELL", "a b"]).as_deref(), Some("/bin/sh -c a b"));
        assert_eq!((words(&["NONE"]), words(&[])), (None, None));
    }

    #[test]
    fn failures_in_a_row_make_it_unhealthy() {
        let check = check(|health| health.retries = Some(2)).unwrap();
        assert_eq!(
            results(&check, &[(1, 0), (2, 1), (3, 0), (4, 1), (5, 1), (6, 0)]),
            "healthy/0 healthy/1 healthy/0 healthy/1 unhealthy/2 healthy/0"
        );
    }

    #[test]
    fn early_failures_do_not_count_until_the_first_success() {
        let check = check(|health| (health.retries, health.start_period) = (Some(1), Some(5_000_000_000))).unwrap();
        assert_eq!(results(&check, &[(1, 1), (2, 1), (6, 1)]), "starting/0 starting/0 unhealthy/1");
        assert_eq!(results(&check, &[(1, 1), (2, 0), (3, 1)]), "starting/0 healthy/0 unhealthy/1");
    }

    #[test]
    fn five_results_are_kept() {
        let check = check(|_| ()).unwrap();
        let mut state = State::default();
        for _ in 0..9 {
            check.note(&mut state, Timestamp::UNIX_EPOCH, HealthcheckResult::default());
        }
        assert_eq!(state.health.unwrap().log.unwrap().len(), 5);
    }
}
