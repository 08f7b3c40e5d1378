//! Health checks of containers that run.

use futures_util::StreamExt;
use skiff_engine::Engine;
use skiff_engine::containers::ListOptions;
use skiff_engine::models::{ContainerCreateBody, ExecStartConfig, Health, HealthConfig, HealthStatusEnum};

use crate::rig::{self, script, state, within};

/// Milliseconds as the API has them.
const MS: i64 = 1_000_000;

fn checked(words: &str, test: &str) -> ContainerCreateBody {
    let health = HealthConfig {
        test: Some(vec!["CMD-SHELL".into(), test.into()]),
        interval: Some(50 * MS),
        timeout: Some(30_000 * MS),
        retries: Some(2),
        ..HealthConfig::default()
    };
    ContainerCreateBody { healthcheck: Some(health), ..script(words) }
}

async fn health(engine: &Engine, id: &str) -> Health {
    state(engine, id).await.health.unwrap()
}

async fn becomes(engine: &Engine, id: &str, wanted: HealthStatusEnum) {
    within(async {
        while health(engine, id).await.status != Some(wanted) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

async fn listed(engine: &Engine, wanted: &str) -> Vec<String> {
    let filters = std::collections::HashMap::from([("health".to_owned(), vec![wanted.to_owned()])]).into();
    let rows = engine.containers.list(&ListOptions { filters, ..ListOptions::default() }).await.unwrap();
    rows.into_iter().map(|row| row.status.unwrap()).collect()
}

#[test]
fn a_container_becomes_healthy_and_unhealthy_and_tells() {
    rig::engine(async |engine| {
        let events = engine.events.subscribe(None, None);
        let body = checked("touch /well; sleep 1000", "echo checked; test -e /well");
        let id = engine.containers.create(Some("web"), None, body).await.unwrap().id;
        engine.containers.start("web").await.unwrap();
        becomes(&engine, &id, HealthStatusEnum::HEALTHY).await;
        let found = health(&engine, &id).await;
        let last = found.log.unwrap().pop().unwrap();
        assert_eq!(
            (last.exit_code, last.output.as_deref(), found.failing_streak),
            (Some(0), Some("checked\n"), Some(0))
        );
        let rows = listed(&engine, "healthy").await;
        assert!(rows.len() == 1 && rows[0].starts_with("Up ") && rows[0].ends_with(" (healthy)"), "{rows:?}");
        assert!(listed(&engine, "none").await.is_empty());
        let removed =
            skiff_engine::models::ExecConfig { cmd: Some(vec!["rm".into(), "/well".into()]), ..Default::default() };
        let exec = engine.containers.exec_create("web", removed).unwrap();
        engine.containers.exec_start(&exec, ExecStartConfig::default()).await.unwrap();
        becomes(&engine, &id, HealthStatusEnum::UNHEALTHY).await;
        assert!(health(&engine, &id).await.failing_streak >= Some(2));
        let mut told = Box::pin(
            events.filter_map(async |event| event.action.filter(|action| action.starts_with("health_status"))),
        );
        let told = within(async { [told.next().await.unwrap(), told.next().await.unwrap()] }).await;
        assert_eq!(told, ["health_status: healthy", "health_status: unhealthy"]);
        // Checks are nobody's execs.
        assert_eq!(engine.containers.inspect("web", false).await.unwrap().exec_ids, None);
    });
}

#[test]
fn a_check_that_hangs_is_killed_and_has_failed() {
    rig::engine(async |engine| {
        let mut body = checked("sleep 1000", "sleep 1000");
        body.healthcheck.as_mut().unwrap().timeout = Some(100 * MS);
        let id = engine.containers.create(None, None, body).await.unwrap().id;
        engine.containers.start(&id).await.unwrap();
        becomes(&engine, &id, HealthStatusEnum::UNHEALTHY).await;
        let log = health(&engine, &id).await.log.unwrap();
        assert_eq!(log[0].output.as_deref(), Some("Health check exceeded timeout (100ms)"));
        let processes = async || engine.containers.top(&id, "-o cmd").await.unwrap().processes.unwrap().len();
        engine.containers.pause(&id).await.unwrap();
        // The program, and at most the check of this moment.
        assert!(processes().await <= 3, "{}", processes().await);
        engine.containers.unpause(&id).await.unwrap();
    });
}

#[test]
fn one_without_a_check_has_no_health() {
    rig::engine(async |engine| {
        let mut body = checked("sleep 1000", "true");
        body.healthcheck.as_mut().unwrap().test = Some(vec!["NONE".into()]);
        let id = engine.containers.create(None, None, body).await.unwrap().id;
        engine.containers.start(&id).await.unwrap();
        assert_eq!(state(&engine, &id).await.health, None);
        let mut odd = checked("true", "true");
        odd.healthcheck.as_mut().unwrap().interval = Some(5);
        let refusal = engine.containers.create(None, None, odd).await.unwrap_err();
        assert_eq!(refusal.message, "Interval in Healthcheck cannot be less than 1ms");
    });
}
