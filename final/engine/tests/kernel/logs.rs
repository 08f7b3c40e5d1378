//! The log, read back.

use std::collections::HashMap;

use skiff_engine::containers::{Condition, LogsOptions};
use skiff_engine::models::{ContainerCreateBody, HostConfigLogConfig};
use skiff_engine::{Engine, Kind};

use crate::rig::{self, hosted, logged, script, within};

const BOTH: LogsOptions = LogsOptions {
    follow: false,
    stdout: true,
    stderr: true,
    since: None,
    until: None,
    timestamps: false,
    details: false,
    tail: None,
};

fn rotating(body: ContainerCreateBody, files: &str) -> ContainerCreateBody {
    hosted(body, |host| {
        let options = [("max-size", "4k"), ("max-file", files)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        host.log_config =
            Some(HostConfigLogConfig { typ: Some("json-file".into()), config: Some(HashMap::from(options)) });
    })
}

async fn started(engine: &Engine, body: ContainerCreateBody) -> String {
    let id = engine.containers.create(None, None, body).await.unwrap().id;
    engine.containers.start(&id).await.unwrap();
    id
}

#[test]
fn what_was_written_is_there_after_the_end() {
    rig::engine(async |engine| {
        let id = started(&engine, script("echo one; echo two >&2; echo three; printf four")).await;
        within(engine.containers.wait(&id, Condition::NotRunning).unwrap()).await;
        let all = logged(&engine, &id, BOTH).await;
        assert!(all.contains("one\n") && all.contains("two\n") && all.ends_with("four"), "{all}");
        assert_eq!(logged(&engine, &id, LogsOptions { stdout: false, ..BOTH }).await, "two\n");
        // The two outputs are two pipes: which of them was read first is not said.
        let out = LogsOptions { stderr: false, tail: Some(4), follow: true, ..BOTH };
        assert_eq!(logged(&engine, &id, out).await, "one\nthree\nfour");
        let stamped = logged(&engine, &id, LogsOptions { timestamps: true, tail: Some(1), ..BOTH }).await;
        assert!(stamped.starts_with("20") && stamped.ends_with("Z four"), "{stamped}");
        let error = engine.containers.logs(&id, LogsOptions::default()).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
    });
}

#[test]
fn following_ends_with_the_container_and_misses_nothing_across_files() {
    rig::engine(async |engine| {
        let lines =
            "i=0; while [ $i -lt 400 ]; do echo line number $i; i=$((i+1)); [ $((i % 20)) = 0 ] && sleep 0.02; done";
        let id = started(&engine, rotating(script(lines), "4")).await;
        let expected = rig::numbered("line number", 400);
        let followed = logged(&engine, &id, LogsOptions { follow: true, ..BOTH }).await;
        assert!(followed == expected, "{} of {} bytes", followed.len(), expected.len());
        let kept = logged(&engine, &id, BOTH).await;
        assert!(expected.ends_with(&kept) && kept.len() < expected.len(), "the oldest lines are gone");
    });
}

#[test]
fn a_container_without_a_log_says_so() {
    rig::engine(async |engine| {
        let silent = hosted(script("echo x"), |host| {
            host.log_config = Some(HostConfigLogConfig { typ: Some("none".into()), config: None });
        });
        assert_eq!(rig::run(&engine, silent.clone()).await.unwrap().1, "x\n");
        let id = engine.containers.create(None, None, silent).await.unwrap().id;
        assert_eq!(engine.containers.logs(&id, BOTH).unwrap_err().kind, Kind::Unsupported);
    });
}
