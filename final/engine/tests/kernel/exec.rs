//! Further programs in a running container.

use skiff_engine::Kind;
use skiff_engine::models::{ExecConfig, ExecStartConfig};
use tokio::io::AsyncWriteExt;

use crate::rig::{self, read, script, state};

fn exec(words: &[&str]) -> ExecConfig {
    ExecConfig {
        cmd: Some(words.iter().map(|&word| word.to_owned()).collect()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    }
}

async fn sleeper(engine: &skiff_engine::Engine) -> String {
    let id = engine.containers.create(None, None, script("sleep 100")).await.unwrap().id;
    engine.containers.start(&id).await.unwrap();
    id
}

/// Output and exit code.
async fn run(engine: &skiff_engine::Engine, container: &str, config: ExecConfig) -> (String, Option<i64>) {
    let id = engine.containers.exec_create(container, config).unwrap();
    let client = engine.containers.exec_start(&id, ExecStartConfig::default()).await.unwrap().unwrap();
    let output = read(client).await;
    // A client asks as soon as the stream has ended.
    let shown = engine.containers.exec_inspect(&id).unwrap();
    assert_eq!(shown.running, Some(false));
    (output, shown.exit_code)
}

#[test]
fn an_exec_sees_the_container_and_its_code_is_known_at_once() {
    rig::engine(async |engine| {
        let id = sleeper(&engine).await;
        for code in 0..5 {
            let words = format!("cat /proc/1/cmdline | tr '\\0' ' '; exit {code}");
            let (output, exit) = run(&engine, &id, exec(&["sh", "-c", &words])).await;
            assert_eq!((output.as_str(), exit), ("sleep 100 ", Some(code)));
        }
        let web = ExecConfig {
            user: Some("web".into()),
            working_dir: Some("/tmp".into()),
            env: Some(vec!["OWN=x".into()]),
            ..exec(&["sh", "-c", "id -u; pwd; echo $OWN$FROM; grep CapEff /proc/self/status"])
        };
        let (output, _) = run(&engine, &id, web).await;
        assert_eq!(output, "1000\n/tmp\nximage\nCapEff:\t0000000000000000\n");
        assert!(engine.containers.inspect(&id, false).await.unwrap().exec_ids.is_none());
    });
}

#[test]
fn an_exec_has_input_or_a_terminal() {
    rig::engine(async |engine| {
        let id = sleeper(&engine).await;
        let config = ExecConfig { attach_stdin: Some(true), ..exec(&["cat"]) };
        let cat = engine.containers.exec_create(&id, config).unwrap();
        let mut client = engine.containers.exec_start(&cat, ExecStartConfig::default()).await.unwrap().unwrap();
        client.stream.write_all(b"through").await.unwrap();
        client.stream.shutdown().await.unwrap();
        assert_eq!(read(client).await, "through");
        let config = ExecConfig { tty: Some(true), console_size: Some(vec![20, 70]), ..exec(&["stty", "size"]) };
        assert_eq!(run(&engine, &id, config).await, ("20 70\r\n".into(), Some(0)));
    });
}

#[test]
fn what_cannot_be_run_is_said_on_the_stream() {
    rig::engine(async |engine| {
        let id = sleeper(&engine).await;
        let (output, code) = run(&engine, &id, exec(&["nothere"])).await;
        assert!(output.contains("exec: \"nothere\": executable file not found in $PATH"), "{output}");
        assert_eq!(code, Some(127));
        let detached = ExecStartConfig { detach: Some(true), ..ExecStartConfig::default() };
        let exec_id = engine.containers.exec_create(&id, exec(&["true"])).unwrap();
        assert!(engine.containers.exec_start(&exec_id, detached.clone()).await.unwrap().is_none());
        assert_eq!(engine.containers.exec_start(&exec_id, detached).await.unwrap_err().kind, Kind::Conflict);
        assert_eq!(engine.containers.exec_create(&id, exec(&[])).unwrap_err().kind, Kind::Invalid);
        engine.containers.kill(&id, None).await.unwrap();
        assert_eq!(state(&engine, &id).await.running, Some(false));
        assert_eq!(engine.containers.exec_create(&id, exec(&["true"])).unwrap_err().kind, Kind::Conflict);
    });
}
