//! Create, start, wait, stop, kill, remove, and what is left after each.

use std::collections::HashMap;

use skiff_engine::containers::Condition;
use skiff_engine::models::{ContainerStateStatusEnum, RestartPolicy, RestartPolicyNameEnum};
use skiff_engine::{Filters, Kind};

use crate::rig::{self, body, hosted, run, script, state, within};

#[test]
fn a_program_runs_and_its_status_comes_back() {
    rig::engine(async |engine| {
        assert_eq!(run(&engine, body(&["true"])).await.unwrap(), (0, String::new()));
        assert_eq!(run(&engine, script("echo out; echo err >&2; exit 3")).await.unwrap().0, 3);
        assert_eq!(
            run(&engine, script("(sleep 0.1; kill -9 -1) & trap '' TERM; wait; sleep 0.2; exit 9")).await.unwrap().0,
            9
        );
        let (status, output) =
            run(&engine, script("echo $FROM; hostname | wc -c; id -u; pwd; ls /etc/hosts")).await.unwrap();
        assert_eq!((status, output.as_str()), (0, "image\n13\n0\n/\n/etc/hosts\n"));
    });
}

#[test]
fn states_follow_each_other() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let id = containers.create(Some("web"), None, script("sleep 100")).await.unwrap().id;
        let status = |id: String| {
            let engine = engine.clone();
            async move { state(&engine, &id).await.status.unwrap().to_string() }
        };
        assert_eq!(status(id.clone()).await, "created");
        containers.start("web").await.unwrap();
        assert_eq!(status(id.clone()).await, "running");
        assert_eq!(containers.start("web").await.unwrap_err().kind, Kind::NotModified);
        containers.pause("web").await.unwrap();
        assert_eq!(status(id.clone()).await, "paused");
        assert_eq!(containers.pause("web").await.unwrap_err().kind, Kind::Conflict);
        containers.unpause("web").await.unwrap();
        let refused = containers.remove("web", false, false).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.starts_with("cannot remove container \"/web\": container is running"), "{refused}");
        within(containers.stop("web", None, Some(0))).await.unwrap();
        let ended = state(&engine, &id).await;
        assert_eq!((ended.status.unwrap().to_string().as_str(), ended.exit_code), ("exited", Some(137)));
        assert_eq!(containers.stop("web", None, None).await.unwrap_err().kind, Kind::NotModified);
        assert_eq!(containers.kill("web", None).await.unwrap_err().kind, Kind::Conflict);
        within(containers.restart("web", None, Some(0))).await.unwrap();
        within(containers.restart("web", None, Some(0))).await.unwrap();
        assert_eq!(status(id.clone()).await, "running");
        within(containers.remove("web", true, true)).await.unwrap();
        assert_eq!(containers.start(&id).await.unwrap_err().message, format!("No such container: {id}"));
    });
}

#[test]
fn a_program_that_hears_its_stop_signal_ends_by_it() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let listens = script("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
        let id = containers.create(None, None, listens).await.unwrap().id;
        let exit = containers.wait(&id, Condition::NextExit).unwrap();
        containers.start(&id).await.unwrap();
        rig::says(&engine, &id, "ready").await;
        within(containers.stop(&id, None, Some(10))).await.unwrap();
        assert_eq!(within(exit).await.status_code, 7);
    });
}

#[test]
fn a_paused_container_can_be_stopped_and_killed() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let id = containers.create(None, None, script("sleep 100")).await.unwrap().id;
        for _ in 0..2 {
            containers.start(&id).await.unwrap();
            containers.pause(&id).await.unwrap();
            within(containers.stop(&id, Some("KILL"), None)).await.unwrap();
        }
        containers.start(&id).await.unwrap();
        containers.pause(&id).await.unwrap();
        within(containers.kill(&id, None)).await.unwrap();
        assert_eq!(state(&engine, &id).await.status.unwrap().to_string(), "exited");
    });
}

#[test]
fn names_are_unique_and_can_be_changed() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let first = containers.create(Some("one"), None, body(&["true"])).await.unwrap().id;
        let taken = containers.create(Some("one"), None, body(&["true"])).await.unwrap_err();
        assert_eq!(taken.kind, Kind::Conflict);
        assert!(taken.message.contains(&format!("\"/one\" is already in use by container \"{first}\"")), "{taken}");
        containers.rename("one", "two").await.unwrap();
        let second = containers.create(Some("one"), None, body(&["true"])).await.unwrap().id;
        assert_eq!(containers.rename("one", "two").await.unwrap_err().kind, Kind::Conflict);
        let shown = containers.inspect(&first[..12], false).await.unwrap();
        assert_eq!(shown.name.as_deref(), Some("/two"));
        containers.remove(&second, false, false).await.unwrap();
    });
}

#[test]
fn a_failed_start_leaves_nothing_but_its_reason() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let cases = [
            ("nothere", "exec: \"nothere\": executable file not found in $PATH", 127),
            ("/bin/nothere", "exec: \"/bin/nothere\": stat /bin/nothere: no such file or directory", 127),
            ("/etc/text", "exec: \"/etc/text\": permission denied", 126),
        ];
        for (program, words, code) in cases {
            let id = containers.create(None, None, body(&[program])).await.unwrap().id;
            let error = containers.start(&id).await.unwrap_err();
            assert!(error.message.contains(words), "{error}");
            assert_eq!(error.kind, Kind::Invalid);
            let after = state(&engine, &id).await;
            assert_eq!((after.status.unwrap().to_string().as_str(), after.exit_code), ("created", Some(code)));
            assert!(after.error.unwrap().contains(words));
            containers.remove(&id, false, false).await.unwrap();
        }
        let nobody = skiff_engine::models::ContainerCreateBody { user: Some("nobody-here".into()), ..body(&["true"]) };
        let error = run(&engine, nobody).await.unwrap_err();
        assert!(error.message.contains("nobody-here"), "{error}");
    });
}

#[test]
fn a_container_that_removes_itself_is_gone_when_the_wait_says_so() {
    rig::engine(async |engine| {
        let body = hosted(script("echo hi; exit 4"), |host| host.auto_remove = Some(true));
        for _ in 0..3 {
            assert_eq!(run(&engine, body.clone()).await.unwrap(), (4, "hi\n".into()));
            assert_eq!(engine.containers.list(&all()).await.unwrap().len(), 0);
        }
    });
}

#[test]
fn memory_that_runs_out_is_told() {
    rig::engine(async |engine| {
        let hungry = script("x=a; while :; do x=$x$x; done");
        let hungry = hosted(hungry, |host| (host.memory, host.memory_swap) = (Some(32 << 20), Some(32 << 20)));
        let id = engine.containers.create(None, None, hungry).await.unwrap().id;
        let exit = engine.containers.wait(&id, Condition::NextExit).unwrap();
        engine.containers.start(&id).await.unwrap();
        assert_eq!(within(exit).await.status_code, 137);
        assert_eq!(state(&engine, &id).await.oom_killed, Some(true));
    });
}

#[test]
fn a_restart_policy_starts_it_again_until_it_is_stopped() {
    rig::engine(async |engine| {
        let policy = |name, most| Some(RestartPolicy { name: Some(name), maximum_retry_count: Some(most) });
        let fails = hosted(script("exit 5"), |host| {
            host.restart_policy = policy(RestartPolicyNameEnum::ON_FAILURE, 2);
        });
        let id = engine.containers.create(None, None, fails).await.unwrap().id;
        engine.containers.start(&id).await.unwrap();
        // An exit is told to who waits although the program begins anew.
        while state(&engine, &id).await.status != Some(ContainerStateStatusEnum::EXITED) {
            assert_eq!(within(engine.containers.wait(&id, Condition::NotRunning).unwrap()).await.status_code, 5);
        }
        let shown = engine.containers.inspect(&id, false).await.unwrap();
        assert_eq!(shown.restart_count, Some(2));

        let always = hosted(script("sleep 0.1"), |host| {
            host.restart_policy = policy(RestartPolicyNameEnum::ALWAYS, 0);
        });
        let id = engine.containers.create(None, None, always).await.unwrap().id;
        engine.containers.start(&id).await.unwrap();
        for _ in 0..3 {
            within(engine.containers.wait(&id, Condition::NextExit).unwrap()).await;
        }
        within(engine.containers.stop(&id, None, Some(0))).await.unwrap();
        assert_eq!(state(&engine, &id).await.running, Some(false));
    });
}

#[test]
fn two_networks_one_address_each_and_the_port_is_given_back() {
    rig::engine(async |engine| {
        let on_bridge = |words: &[&str]| {
            hosted(body(words), |host| {
                host.network_mode = Some("bridge".into());
                let binding = skiff_engine::models::PortBinding { host_ip: None, host_port: Some("8080".into()) };
                host.port_bindings = Some([("80/tcp".to_owned(), Some(vec![binding]))].into());
            })
        };
        let containers = &engine.containers;
        let id = containers.create(Some("first"), None, on_bridge(&["sleep", "100"])).await.unwrap().id;
        containers.start(&id).await.unwrap();
        let shown = containers.inspect(&id, false).await.unwrap().network_settings.unwrap();
        assert!(shown.ip_address.unwrap().starts_with('1'), "an address");
        let second = containers.create(Some("second"), None, on_bridge(&["true"])).await.unwrap().id;
        let error = containers.start(&second).await.unwrap_err();
        assert_eq!(error.kind, Kind::Internal);
        assert!(
            error.message.contains("driver failed programming external connectivity on endpoint second"),
            "{error}"
        );
        assert!(error.message.ends_with("Bind for 0.0.0.0:8080 failed: port is already allocated"), "{error}");
        within(containers.stop(&id, None, Some(0))).await.unwrap();
        containers.start(&second).await.unwrap();
        within(containers.wait(&second, Condition::NotRunning).unwrap()).await;
        let listed = containers.list(&all()).await.unwrap();
        let rows: Vec<_> = listed.iter().map(|row| (row.names.clone().unwrap(), row.status.clone().unwrap())).collect();
        insta::with_settings!({filters => [(r"\) .* ago", ") [time] ago")]}, {
            insta::assert_debug_snapshot!(rows, @r#"
            [
                (
                    [
                        "/second",
                    ],
                    "Exited (0) [time] ago",
                ),
                (
                    [
                        "/first",
                    ],
                    "Exited (137) [time] ago",
                ),
            ]
            "#);
        });
    });
}

#[test]
fn what_one_volume_gets_the_next_container_sees() {
    rig::engine(async |engine| {
        let with = |text: &str, bind: &str| hosted(script(text), |host| host.binds = Some(vec![bind.into()]));
        run(&engine, with("echo kept > /data/file", "shelf:/data")).await.unwrap();
        let (_, output) = run(&engine, with("cat /data/file; echo x > /data/x", "shelf:/data:ro")).await.unwrap();
        assert!(output.starts_with("kept\n") && output.contains("Read-only file system"), "{output}");
        engine.remove_volume("shelf".into(), false).await.unwrap();
        let mut anonymous = script("echo x > /cache/x");
        anonymous.volumes = Some([("/cache".to_owned(), HashMap::default())].into());
        run(&engine, anonymous).await.unwrap();
        let volumes = engine.list_volumes(Filters::default()).await.unwrap().volumes.unwrap();
        assert!(volumes.is_empty(), "{volumes:?}");
    });
}

fn all() -> skiff_engine::containers::ListOptions {
    skiff_engine::containers::ListOptions { all: true, ..Default::default() }
}

#[test]
fn many_containers_at_once_leave_no_descriptor_and_no_name() {
    rig::engine(async |engine| {
        let one = || hosted(script("echo x"), |host| host.auto_remove = Some(true));
        run(&engine, one()).await.unwrap();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for _ in 0..5 {
            let eight: Vec<_> = (0..8).map(|_| run(&engine, one())).collect();
            for ran in futures_util::future::join_all(eight).await {
                assert_eq!(ran.unwrap(), (0, "x\n".into()));
            }
        }
        // Other tests run in this process and have descriptors of their own: what grows with every container would be 40.
        rig::eventually(|| open() < before + 40, || format!("{before} descriptors before, {} after", open()));
        assert!(engine.containers.list(&all()).await.unwrap().is_empty());
    });
}

#[test]
fn another_containers_namespaces() {
    rig::engine(async |engine| {
        let containers = &engine.containers;
        let first = hosted(script("sleep 100"), |host| {
            host.network_mode = Some("bridge".into());
            host.ipc_mode = Some("shareable".into());
        });
        containers.create(Some("first"), None, first).await.unwrap();
        let join = |words: &str| {
            hosted(script(words), |host| {
                host.network_mode = Some("container:first".into());
                host.pid_mode = Some("container:first".into());
                host.ipc_mode = Some("container:first".into());
            })
        };
        let error = run(&engine, join("true")).await.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert!(error.message.contains("non running container"), "{error}");
        containers.start("first").await.unwrap();
        let pid = state(&engine, "first").await.pid.unwrap();
        let names = ["net", "pid", "ipc"].map(|kind| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap());
        let (_, output) = run(&engine, join("for n in net pid ipc; do readlink /proc/self/ns/$n; done")).await.unwrap();
        assert_eq!(
            output.lines().collect::<Vec<_>>(),
            names.iter().map(|name| name.to_str().unwrap()).collect::<Vec<_>>()
        );
    });
}
