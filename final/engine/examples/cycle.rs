//! How long the parts of a container's life take in the engine: `cycle RUNTIME TAR [TIMES [NETWORK]]`, as root.
//!
//! What a client and HTTP add to it is measured by `cargo xtask bench start`; this shows what is the engine's own.

use std::io::Cursor;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use skiff_engine::containers::Condition;
use skiff_engine::images::Import;
use skiff_engine::models::{ContainerCreateBody, HostConfig};
use skiff_engine::{Config, Engine};

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let runtime = words.next().context("which skiff-runtime?")?;
    let archive = std::fs::read(words.next().context("which archive of a root file system?")?)?;
    let times = words.next().map_or(Ok(50), |times| times.parse())?;
    let network = words.next().unwrap_or_else(|| "none".to_owned());
    let home = tempfile::tempdir()?;
    let mut config = Config::at(home.path().join("data"), home.path().join("exec"));
    config.runtime = Some(runtime.into());
    config.bridge = "skiff-cycle".into();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let engine = Engine::open(config).await?;
        let import = Import { repository: Some("busybox".into()), ..Import::default() };
        let told: Vec<_> = engine.import_image(Cursor::new(archive), import).collect().await;
        told.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut cycles = Vec::new();
        for _ in 0..times {
            cycles.push(cycle(&engine, &network).await?);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        for (part, name) in ["create", "start", "exit", "removed", "all"].into_iter().enumerate() {
            let mut column: Vec<_> = cycles.iter().filter_map(|cycle| cycle.get(part)).collect();
            column.sort();
            let at = |index: usize| column.get(index).map_or(0, |took| took.as_micros());
            println!("{name:8} min {:6} µs  median {:6} µs", at(0), at(column.len() / 2));
        }
        engine.networks.close()?;
        anyhow::Ok(())
    })
}

/// Create, start, exit, removal of a container that removes itself; and all of it.
async fn cycle(engine: &Engine, network: &str) -> anyhow::Result<[Duration; 5]> {
    let body = ContainerCreateBody {
        image: Some("busybox".into()),
        cmd: Some(vec!["true".into()]),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            network_mode: Some(network.into()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let begin = Instant::now();
    let id = engine.containers.create(None, None, body).await?.id;
    let created = Instant::now();
    let exit = engine.containers.wait(&id, Condition::NextExit)?;
    let removed = engine.containers.wait(&id, Condition::Removed)?;
    engine.containers.start(&id).await?;
    let started = Instant::now();
    exit.await;
    let ended = Instant::now();
    removed.await;
    let gone = Instant::now();
    let parts = [(created, begin), (started, created), (ended, started), (gone, ended), (gone, begin)];
    Ok(parts.map(|(later, earlier)| later.duration_since(earlier)))
}
