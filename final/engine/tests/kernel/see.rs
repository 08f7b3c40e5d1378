//! What people see: inspect, list, top, stats, update, events.

use std::collections::HashMap;

use futures_util::StreamExt;
use skiff_engine::containers::{Condition, ListOptions, Update};
use skiff_engine::models::ContainerUpdateBody;
use skiff_engine::{Filters, Kind};

use crate::rig::{self, body, hosted, script, within};

fn filters(name: &str, value: &str) -> Filters {
    HashMap::from([(name.to_owned(), vec![value.to_owned()])]).into()
}

#[test]
fn lists_are_filtered() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let mut labelled = script("sleep 100");
        labelled.labels = Some([("tier".to_owned(), "db".to_owned())].into());
        let db = containers
            .create(Some("db"), None, hosted(labelled, |host| host.binds = Some(vec!["shelf:/d".into()])))
            .await
            .unwrap()
            .id;
        containers.start("db").await.unwrap();
        let web = containers.create(Some("web"), None, body(&["false"])).await.unwrap().id;
        containers.start("web").await.unwrap();
        within(containers.wait("web", Condition::NotRunning).unwrap()).await;
        containers.create(Some("new"), None, body(&["true"])).await.unwrap();
        let names = async |options: ListOptions| -> String {
            let rows = containers.list(&options).await.unwrap();
            rows.into_iter().map(|row| row.names.unwrap()[0][1..].to_owned()).collect::<Vec<_>>().join(" ")
        };
        let all = || ListOptions { all: true, ..ListOptions::default() };
        assert_eq!(names(ListOptions::default()).await, "db");
        assert_eq!(names(all()).await, "new web db");
        assert_eq!(names(ListOptions { limit: Some(2), ..ListOptions::default() }).await, "new web");
        let cases = [
            ("status", "exited", "web"),
            ("status", "created", "new"),
            ("label", "tier=db", "db"),
            ("exited", "1", "web"),
            ("name", "^/we", "web"),
            ("id", &db[..10], "db"),
            ("since", "web", "new"),
            ("before", &web, "db"),
            ("volume", "shelf", "db"),
            ("volume", "/d", "db"),
            ("network", "none", "new web db"),
            ("health", "none", "new web db"),
            ("ancestor", "busybox", "new web db"),
            ("ancestor", "hello", ""),
            ("is-task", "true", ""),
            ("publish", "80", ""),
        ];
        for (name, value, expected) in cases {
            assert_eq!(names(ListOptions { filters: filters(name, value), ..all() }).await, expected, "{name}={value}");
        }
        let odd = ListOptions { filters: filters("colour", "red"), ..all() };
        assert_eq!(containers.list(&odd).await.unwrap_err().kind, Kind::Invalid);
        let sized = containers.list(&ListOptions { size: true, ..all() }).await.unwrap();
        assert!(sized.iter().all(|row| row.size_root_fs.unwrap() > 1 << 20));
        let pruned = containers.prune(&Filters::default()).await.unwrap();
        assert_eq!(pruned.containers_deleted.unwrap().len(), 2);
    });
}

#[test]
fn processes_and_what_they_use() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let busy = hosted(script("while :; do :; done"), |host| host.memory = Some(64 << 20));
        let id = containers.create(None, None, busy).await.unwrap().id;
        assert_eq!(containers.top(&id, "").await.unwrap_err().kind, Kind::Conflict);
        assert_eq!(containers.stats(&id, None).await.unwrap().pids_stats.unwrap().current, None);
        containers.start(&id).await.unwrap();
        let rows = containers.top(&id, "").await.unwrap().processes.unwrap();
        assert_eq!((rows.len(), rows[0][0].as_str(), rows[0][7].as_str()), (1, "root", "sh -c while :; do :; done"));
        let first = containers.stats(&id, None).await.unwrap();
        // The clock of a v1 group is exact, but a busy machine may not run the program for a while.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let second = containers.stats(&id, Some(&first)).await.unwrap();
        let used =
            |stats: &skiff_engine::models::ContainerCpuStats| stats.cpu_usage.clone().unwrap().total_usage.unwrap();
        assert!(used(&second.cpu_stats.clone().unwrap()) > used(&second.precpu_stats.clone().unwrap()));
        assert_eq!(second.memory_stats.unwrap().limit, Some(64 << 20));
        assert_eq!(second.pids_stats.unwrap().current, Some(1));
        let more =
            ContainerUpdateBody { memory: Some(128 << 20), memory_swap: Some(-1), ..ContainerUpdateBody::default() };
        containers.update(&id, Update { body: more, ..Update::default() }).await.unwrap();
        assert_eq!(containers.stats(&id, None).await.unwrap().memory_stats.unwrap().limit, Some(128 << 20));
        let shown = containers.inspect(&id, true).await.unwrap();
        assert_eq!(shown.host_config.unwrap().memory, Some(128 << 20));
        assert_eq!(shown.path.as_deref(), Some("sh"));
    });
}

#[test]
fn a_life_is_told() {
    rig::engine(async |engine| {
        let events = engine.events.subscribe(Some(jiff::Timestamp::now()), None);
        rig::run(&engine, hosted(script("exit 2"), |host| host.auto_remove = Some(true))).await.unwrap();
        let told: Vec<_> = within(events.take(5).collect::<Vec<_>>()).await;
        let actions: Vec<_> = told.iter().map(|event| event.action.clone().unwrap()).collect();
        assert_eq!(actions, ["create", "attach", "start", "die", "destroy"]);
        let attributes = told[3].actor.clone().unwrap().attributes.unwrap();
        assert_eq!((attributes["exitCode"].as_str(), attributes["image"].as_str()), ("2", "busybox"));
    });
}
