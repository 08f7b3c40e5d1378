//! bollard, the docker client library of Rust, against `skiffd`: the operations that clients live by, with good and bad input.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::future::Future;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerCreateBody, ExecConfig, HostConfig, NetworkCreateRequest, PortBinding, VolumeCreateOptions,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder, EventsOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StatsOptionsBuilder,
    TagImageOptionsBuilder,
};
use futures_util::{StreamExt, TryStreamExt};
use skiff_tests::Daemon;

/// Runs `test` with a client of a daemon of its own.
fn with_client<F: Future<Output = ()>>(test: impl FnOnce(Docker) -> F) {
    let daemon = Daemon::start();
    let socket = daemon.socket().display().to_string();
    let docker = Docker::connect_with_unix(&socket, 120, bollard::API_DEFAULT_VERSION).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(test(docker));
    daemon.finish();
}

fn busybox(words: &[&str]) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some("busybox".into()),
        cmd: Some(words.iter().map(|&word| word.to_owned()).collect()),
        ..ContainerCreateBody::default()
    }
}

async fn create(docker: &Docker, name: &str, body: ContainerCreateBody) -> Result<String, Error> {
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    docker.create_container(Some(options), body).await.map(|made| made.id)
}

async fn remove(docker: &Docker, name: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    docker.remove_container(name, Some(options)).await.unwrap();
}

/// The status and the words of a refusal.
fn refused<T>(result: Result<T, Error>) -> (u16, String) {
    match result.err() {
        Some(Error::DockerResponseServerError { status_code, message }) => (status_code, message),
        other => (0, format!("{other:?}")),
    }
}

async fn text(output: impl futures_util::Stream<Item = Result<LogOutput, Error>>) -> String {
    let pieces: Vec<LogOutput> = output.try_collect().await.unwrap();
    pieces.into_iter().map(|piece| piece.to_string()).collect()
}

#[test]
fn a_container_from_create_to_remove() {
    with_client(async |docker| {
        let body = busybox(&["sh", "-c", "read line; echo got $line; echo err >&2; exit 3"]);
        let body =
            ContainerCreateBody { open_stdin: Some(true), stdin_once: Some(true), attach_stdin: Some(true), ..body };
        let id = create(&docker, "life", body).await.unwrap();
        let all = AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
        let mut attached = docker.attach_container("life", Some(all)).await.unwrap();
        let mut waiting = docker.wait_container("life", None::<bollard::query_parameters::WaitContainerOptions>);
        docker.start_container("life", None::<bollard::query_parameters::StartContainerOptions>).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut attached.input, b"me\n").await.unwrap();
        assert_eq!(text(attached.output).await, "got me\nerr\n");
        match waiting.next().await.unwrap() {
            Err(Error::DockerContainerWaitError { code, .. }) => assert_eq!(code, 3),
            other => assert_eq!(format!("{other:?}"), "an exit code of 3"),
        }
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).follow(true).build();
        assert_eq!(text(docker.logs("life", Some(options))).await, "got me\nerr\n");
        let shown =
            docker.inspect_container("life", None::<bollard::query_parameters::InspectContainerOptions>).await.unwrap();
        assert_eq!((shown.id.as_deref(), shown.state.unwrap().exit_code), (Some(id.as_str()), Some(3)));
        assert_eq!(refused(create(&docker, "life", busybox(&["true"])).await).0, 409);
        remove(&docker, "life").await;
        let gone = docker.inspect_container("life", None::<bollard::query_parameters::InspectContainerOptions>).await;
        assert_eq!(refused(gone), (404, "No such container: life".into()));
        let mut nothing = busybox(&["true"]);
        nothing.image = Some("no/such-image".into());
        let (status, words) = refused(create(&docker, "none", nothing).await);
        assert!(status == 404 && words.starts_with("No such image: no/such-image"), "{status} {words}");
    });
}

#[test]
fn execs_lists_statistics_and_events() {
    with_client(async |docker| {
        let labels = HashMap::from([("team".to_owned(), "sea".to_owned())]);
        let body = ContainerCreateBody { labels: Some(labels), ..busybox(&["sleep", "1000"]) };
        let id = create(&docker, "up", body).await.unwrap();
        docker.start_container("up", None::<bollard::query_parameters::StartContainerOptions>).await.unwrap();
        let config = ExecConfig {
            attach_stdout: Some(true),
            cmd: Some(["sh", "-c", "echo inside; exit 5"].map(str::to_owned).into()),
            ..ExecConfig::default()
        };
        let exec = docker.create_exec("up", config).await.unwrap().id;
        let StartExecResults::Attached { output, .. } = docker.start_exec(&exec, None).await.unwrap() else {
            return assert_eq!("detached", "attached");
        };
        assert_eq!(text(output).await, "inside\n");
        assert_eq!(docker.inspect_exec(&exec).await.unwrap().exit_code, Some(5));
        assert_eq!(refused(docker.inspect_exec("nothing").await).0, 404);
        for (label, found) in [("team=sea", 1), ("team=land", 0)] {
            let filters = HashMap::from([("label", vec![label])]);
            let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
            assert_eq!(docker.list_containers(Some(options)).await.unwrap().len(), found, "{label}");
        }
        let once = StatsOptionsBuilder::new().stream(false).build();
        let sample = docker.stats("up", Some(once)).next().await.unwrap().unwrap();
        assert!(sample.memory_stats.unwrap().usage.unwrap() > 0);
        let top = docker.top_processes("up", None::<bollard::query_parameters::TopOptions>).await.unwrap();
        assert_eq!(top.processes.unwrap().len(), 1);
        docker.pause_container("up").await.unwrap();
        assert_eq!(refused(docker.pause_container("up").await).0, 409);
        docker.unpause_container("up").await.unwrap();
        remove(&docker, "up").await;
        let filters = HashMap::from([("container", vec![id.as_str()])]);
        let options = EventsOptionsBuilder::new().since("1").until("1").filters(&filters).build();
        let told: Vec<_> = docker.events(Some(options)).try_collect().await.unwrap();
        assert_eq!(told.len(), 0, "nothing happened in 1970");
    });
}

#[test]
fn networks_volumes_images_and_the_daemon_itself() {
    with_client(async |docker| {
        let network = NetworkCreateRequest { name: "front".into(), ..NetworkCreateRequest::default() };
        docker.create_network(network.clone()).await.unwrap();
        assert_eq!(refused(docker.create_network(network).await).0, 409);
        let volume = VolumeCreateOptions { name: Some("data".into()), ..VolumeCreateOptions::default() };
        assert_eq!(docker.create_volume(volume).await.unwrap().name, "data");
        let binding = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(String::new()) };
        let host = HostConfig {
            binds: Some(vec!["data:/data".into()]),
            network_mode: Some("front".into()),
            port_bindings: Some([("80/tcp".to_owned(), Some(vec![binding]))].into()),
            ..HostConfig::default()
        };
        create(&docker, "web", ContainerCreateBody { host_config: Some(host), ..busybox(&["sleep", "1000"]) })
            .await
            .unwrap();
        docker.start_container("web", None::<bollard::query_parameters::StartContainerOptions>).await.unwrap();
        let shown =
            docker.inspect_container("web", None::<bollard::query_parameters::InspectContainerOptions>).await.unwrap();
        let settings = shown.network_settings.unwrap();
        assert!(settings.networks.unwrap()["front"].ip_address.as_ref().is_some_and(|address| !address.is_empty()));
        assert!(
            settings.ports.unwrap()["80/tcp"].as_ref().unwrap()[0].host_port.as_ref().is_some_and(|port| port != "0")
        );
        let in_use = docker.remove_volume("data", None::<bollard::query_parameters::RemoveVolumeOptions>).await;
        assert_eq!(refused(in_use).0, 409);
        assert_eq!(refused(docker.remove_network("front").await).0, 403);
        remove(&docker, "web").await;
        docker.remove_volume("data", None::<bollard::query_parameters::RemoveVolumeOptions>).await.unwrap();
        docker.remove_network("front").await.unwrap();
        docker.tag_image("busybox", Some(TagImageOptionsBuilder::new().repo("other").tag("1").build())).await.unwrap();
        assert!(docker.inspect_image("other:1").await.unwrap().repo_tags.unwrap().contains(&"other:1".to_owned()));
        let options = None::<bollard::query_parameters::RemoveImageOptions>;
        docker.remove_image("other:1", options, None).await.unwrap();
        assert_eq!(refused(docker.inspect_image("other:1").await).0, 404);
        let pull = CreateImageOptionsBuilder::new().from_image("127.0.0.1:1/nothing").tag("1").build();
        assert!(docker.create_image(Some(pull), None, None).try_collect::<Vec<_>>().await.is_err());
        assert_eq!(docker.ping().await.unwrap(), "OK");
        assert_eq!(docker.version().await.unwrap().api_version.as_deref(), Some("1.51"));
        assert_eq!(docker.info().await.unwrap().containers, Some(0));
        let usage = docker.df(None::<bollard::query_parameters::DataUsageOptions>).await.unwrap();
        assert!(!usage.images.unwrap().is_empty());
    });
}
