//! An engine that is killed while containers run, and the one after it.

use std::time::Duration;

use skiff_engine::containers::{AttachOptions, Condition, LogsOptions};
use skiff_engine::models::{ExecConfig, ExecStartConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum};

use crate::rig::{self, Rig, body, eventually, hosted, read, script, state, within};

#[test]
fn containers_run_on_and_are_found_again() {
    let rig = Rig::new();
    rig.with(async |engine| {
        let words = "echo before; while [ ! -e /go ]; do sleep 0.05; done; echo after; exit 6";
        let published = hosted(script(words), |host| {
            host.network_mode = Some("bridge".into());
            let binding = PortBinding { host_ip: None, host_port: Some("8080".into()) };
            host.port_bindings = Some([("80/tcp".to_owned(), Some(vec![binding]))].into());
        });
        engine.containers.create(Some("web"), None, published).await.unwrap();
        engine.containers.start("web").await.unwrap();
        rig::says(&engine, "web", "before").await;
    });
    rig.with(async |engine| {
        let containers = &engine.containers;
        assert_eq!(state(&engine, "web").await.status.unwrap().to_string(), "running");
        // What it holds is known: nobody else gets it.
        let other = hosted(body(&["true"]), |host| {
            host.network_mode = Some("bridge".into());
            let binding = PortBinding { host_ip: None, host_port: Some("8080".into()) };
            host.port_bindings = Some([("80/tcp".to_owned(), Some(vec![binding]))].into());
        });
        let other = containers.create(None, None, other).await.unwrap().id;
        assert!(containers.start(&other).await.unwrap_err().message.ends_with("port is already allocated"));
        let exit = containers.wait("web", Condition::NextExit).unwrap();
        let options = AttachOptions { stdout: true, stream: true, ..AttachOptions::default() };
        let client = containers.attach("web", options).await.unwrap();
        let touch = ExecConfig { cmd: Some(vec!["touch".into(), "/go".into()]), ..ExecConfig::default() };
        let touch = containers.exec_create("web", touch).unwrap();
        containers.exec_start(&touch, ExecStartConfig { detach: Some(true), ..Default::default() }).await.unwrap();
        assert_eq!(read(client).await, "after\n");
        assert_eq!(within(exit).await.status_code, 6);
        let log = containers.logs("web", LogsOptions { stdout: true, follow: true, ..Default::default() }).unwrap();
        let log: Vec<_> = tokio_stream::StreamExt::collect(log.stream).await;
        assert_eq!(crate::rig::unframed(&log.concat()), "before\nafter\n");
        // The port is free again.
        within(containers.start(&other)).await.unwrap();
        within(containers.wait(&other, Condition::NotRunning).unwrap()).await;
    });
    rig.finish();
}

#[test]
fn an_end_in_the_meantime_is_known_with_its_status() {
    let rig = Rig::new();
    rig.with(async |engine| {
        for (name, remove) in [("kept", false), ("gone", true)] {
            let body = hosted(script("sleep 0.3; exit 9"), |host| host.auto_remove = Some(remove));
            engine.containers.create(Some(name), None, body).await.unwrap();
            engine.containers.start(name).await.unwrap();
        }
    });
    eventually(
        || rig.exec("containers").read_dir().unwrap().all(|entry| !entry.unwrap().path().join("monitor.sock").exists()),
        || "monitors stay".into(),
    );
    rig.with(async |engine| {
        let kept = state(&engine, "kept").await;
        assert_eq!((kept.status.unwrap().to_string().as_str(), kept.exit_code), ("exited", Some(9)));
        assert_eq!(engine.containers.inspect("gone", false).await.unwrap_err().message, "No such container: gone");
        within(engine.containers.start("kept")).await.unwrap();
        assert_eq!(within(engine.containers.wait("kept", Condition::NotRunning).unwrap()).await.status_code, 9);
    });
    rig.finish();
}

#[test]
fn execs_run_on_and_are_found_again() {
    let rig = Rig::new();
    let ids = std::cell::RefCell::new(Vec::new());
    let exec = |script: &str| {
        let words = ["sh", "-c", script].map(str::to_owned).into();
        ExecConfig { cmd: Some(words), attach_stdout: Some(true), ..ExecConfig::default() }
    };
    rig.with(async |engine| {
        engine.containers.create(Some("web"), None, script("sleep 1000")).await.unwrap();
        engine.containers.start("web").await.unwrap();
        for script in ["while [ ! -e /go ]; do sleep 0.05; done; exit 7", "exit 3"] {
            let id = engine.containers.exec_create("web", exec(script)).unwrap();
            let detached = ExecStartConfig { detach: Some(true), ..ExecStartConfig::default() };
            engine.containers.exec_start(&id, detached).await.unwrap();
            ids.borrow_mut().push(id);
        }
    });
    let ids = ids.into_inner();
    rig.with(async |engine| {
        let [running, ended] = [&ids[0], &ids[1]];
        let ends = async |id: &str| {
            within(async {
                while engine.containers.exec_inspect(id).unwrap().running == Some(true) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
            engine.containers.exec_inspect(id).unwrap().exit_code
        };
        assert_eq!(engine.containers.exec_inspect(running).unwrap().running, Some(true));
        assert_eq!(engine.containers.inspect("web", false).await.unwrap().exec_ids, Some(vec![running.clone()]));
        assert_eq!(ends(ended).await, Some(3));
        let go = engine.containers.exec_create("web", exec("touch /go")).unwrap();
        engine.containers.exec_start(&go, ExecStartConfig::default()).await.unwrap();
        assert_eq!(ends(running).await, Some(7));
        engine.containers.remove("web", true, false).await.unwrap();
        assert!(rig::entries(&rig.exec("execs")).is_empty());
    });
    rig.finish();
}

#[test]
fn a_lost_monitor_is_noticed_and_its_container_is_not_left_alone() {
    let rig = Rig::new();
    rig.with(async |engine| {
        let id = engine.containers.create(None, None, script("sleep 100")).await.unwrap().id;
        let exit = engine.containers.wait(&id, Condition::NextExit).unwrap();
        engine.containers.start(&id).await.unwrap();
        let pid = state(&engine, &id).await.pid.unwrap();
        kill_parent_of(pid);
        assert_eq!(within(exit).await.status_code, 137);
        let after = state(&engine, &id).await;
        assert!(after.error.unwrap().contains("the monitor ended unexpectedly"));
        let alive = || std::path::Path::new(&format!("/proc/{pid}/root/bin")).exists();
        eventually(|| !alive(), || format!("process {pid} lives on"));
        within(engine.containers.start(&id)).await.unwrap();
    });
    rig.finish();
}

fn kill_parent_of(pid: i64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(parent), nix::sys::signal::SIGKILL).unwrap();
}

#[test]
fn what_should_always_run_is_started_with_the_engine() {
    let rig = Rig::new();
    rig.with(async |engine| {
        for (name, policy) in
            [("always", RestartPolicyNameEnum::ALWAYS), ("unless", RestartPolicyNameEnum::UNLESS_STOPPED)]
        {
            let body = hosted(script("sleep 100"), |host| {
                host.restart_policy = Some(RestartPolicy { name: Some(policy), maximum_retry_count: None });
            });
            engine.containers.create(Some(name), None, body).await.unwrap();
            engine.containers.start(name).await.unwrap();
            within(engine.containers.stop(name, None, Some(0))).await.unwrap();
        }
    });
    rig.with(async |engine| {
        for _ in 0..200 {
            if state(&engine, "always").await.pid != Some(0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(state(&engine, "always").await.status.unwrap().to_string(), "running");
        assert_eq!(state(&engine, "unless").await.status.unwrap().to_string(), "exited");
    });
    rig.finish();
}

#[test]
fn half_made_things_are_swept() {
    let rig = Rig::new();
    rig.with(async |_engine| ());
    for place in [rig.data("containers/half"), rig.data("trash/old"), rig.exec("containers/stale")] {
        std::fs::create_dir_all(place.join("upper")).unwrap();
    }
    rig.finish();
}
