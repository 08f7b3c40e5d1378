//! An engine of the test's own.

use std::future::Future;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use skiff_engine::containers::{AttachOptions, Attached, Condition, LogsOptions};
use skiff_engine::images::Import;
use skiff_engine::models::{ContainerCreateBody, ContainerState, HostConfig};
use skiff_engine::{Config, Engine, Error};
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, Runtime};

/// Roots, and what is needed to open an engine on them.
pub(crate) struct Rig {
    home: tempfile::TempDir,
    config: Config,
}

impl Rig {
    /// New roots, and a network namespace for this thread and all that it starts.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        new_network_namespace();
        let home = tempfile::Builder::new().prefix("skiff-engine-").tempdir().unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut config = Config::at(home.path().join("data"), home.path().join("exec"));
        config.runtime = Some(runtime_program().clone());
        config.cgroup_parent = format!("skiff-engine-test-{}-{number}", std::process::id());
        Self { home, config }
    }

    pub(crate) fn data(&self, below: &str) -> PathBuf {
        self.config.data_root.join(below)
    }

    pub(crate) fn exec(&self, below: &str) -> PathBuf {
        self.config.exec_root.join(below)
    }

    /// Runs `test` with an engine on these roots. When it returns the engine is gone, as if it had been killed.
    pub(crate) fn with(&self, test: impl AsyncFnOnce(Engine)) {
        let tokio = tokio();
        tokio.block_on(async {
            let engine = self.open().await;
            if engine.images.find("busybox").is_err() {
                import(&engine, busybox()).await;
            }
            test(engine).await;
        });
        tokio.shutdown_timeout(Duration::from_secs(5));
    }

    /// A process that another test starts has a copy of all our descriptors until its exec, the lock on the images among
    /// them: that is waited for.
    async fn open(&self) -> Engine {
        for _ in 0..100 {
            match Engine::open(self.config.clone()).await {
                Err(error) if error.message.contains("another process uses them") => {}
                opened => return opened.unwrap(),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the images stay locked");
    }

    /// Asserts that nothing is left: no container, no cgroup, no trash, no monitor.
    pub(crate) fn finish(self) {
        self.with(async |engine| {
            for container in engine.containers.list(&list_all()).await.unwrap() {
                engine.containers.remove(&container.id.unwrap(), true, true).await.unwrap();
            }
            // Deletion goes on after the answer, and an engine that is gone deletes nothing.
            let left = || entries(&self.data("trash")).len() + entries(&self.exec("containers")).len();
            within(async {
                while left() > 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        });
        let left = || {
            let mut left = entries(&self.data("containers"));
            left.extend(entries(&self.data("trash")));
            left.extend(entries(&self.exec("containers")));
            left.extend(cgroups_below(&self.config.cgroup_parent));
            left
        };
        eventually(|| left().is_empty(), || format!("left behind: {:?}", left()));
        remove_cgroups(&self.config.cgroup_parent);
        drop(self.home);
    }
}

fn list_all() -> skiff_engine::containers::ListOptions {
    skiff_engine::containers::ListOptions { all: true, ..Default::default() }
}

/// Runs one test on an engine of its own, and asserts that it leaves nothing.
pub(crate) fn engine(test: impl AsyncFnOnce(Engine)) {
    let rig = Rig::new();
    rig.with(test);
    rig.finish();
}

fn tokio() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn new_network_namespace() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
    assert!(up.success());
}

/// `skiff-runtime`, built if it has to be.
fn runtime_program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "skiff-runtime", "--target-dir"])
            .arg(target.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "skiff-runtime does not build");
        target.join("skiff-runtime")
    })
}

/// A root file system of busybox, as a tar archive.
pub(crate) fn busybox() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_path_with_name("/bin/busybox", "bin/busybox").unwrap();
    let list = Command::new("/bin/busybox").arg("--list").output().unwrap().stdout;
    for applet in String::from_utf8(list).unwrap().lines().filter(|applet| *applet != "busybox") {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        archive.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    for directory in ["tmp", "etc", "root", "var"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(if directory == "tmp" { 0o1777 } else { 0o755 });
        archive.append_data(&mut header, directory, std::io::empty()).unwrap();
    }
    file(&mut archive, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home:/bin/sh\n", 0o644);
    file(&mut archive, "etc/group", "root:x:0:\nweb:x:1000:\n", 0o644);
    file(&mut archive, "etc/text", "no program\n", 0o644);
    archive.into_inner().unwrap()
}

fn file(archive: &mut tar::Builder<Vec<u8>>, path: &str, text: &str, mode: u32) {
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, path, text.as_bytes()).unwrap();
}

async fn import(engine: &Engine, archive: Vec<u8>) {
    let import = Import {
        repository: Some("busybox".into()),
        changes: vec![r#"CMD ["sh"]"#.into(), "ENV FROM=image".into()],
        ..Import::default()
    };
    let mut told = engine.import_image(Cursor::new(archive), import);
    while let Some(line) = told.next().await {
        line.unwrap();
    }
}

/// A request to run `words` without a network, which is quickest.
pub(crate) fn body(words: &[&str]) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some("busybox".into()),
        cmd: Some(words.iter().map(|&word| word.to_owned()).collect()),
        host_config: Some(HostConfig { network_mode: Some("none".into()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    }
}

/// `sh -c SCRIPT`
pub(crate) fn script(script: &str) -> ContainerCreateBody {
    body(&["sh", "-c", script])
}

/// The same with a change of its `HostConfig`.
pub(crate) fn hosted(mut body: ContainerCreateBody, change: impl FnOnce(&mut HostConfig)) -> ContainerCreateBody {
    change(body.host_config.get_or_insert_default());
    body
}

/// Creates, attaches, starts, and reads all output to the end. Returns the exit status and the bytes of both outputs.
pub(crate) async fn run(engine: &Engine, body: ContainerCreateBody) -> Result<(i64, String), Error> {
    let removed = body.host_config.as_ref().is_some_and(|host| host.auto_remove == Some(true));
    let id = engine.containers.create(None, None, body).await?.id;
    let options = AttachOptions { stdout: true, stderr: true, stream: true, ..AttachOptions::default() };
    let attached = engine.containers.attach(&id, options).await?;
    let condition = if removed { Condition::Removed } else { Condition::NextExit };
    let exit = engine.containers.wait(&id, condition)?;
    if let Err(error) = engine.containers.start(&id).await {
        engine.containers.remove(&id, true, true).await?;
        return Err(error);
    }
    let (output, exit) = tokio::join!(read(attached), within(exit));
    if !removed {
        within(engine.containers.remove(&id, false, true)).await?;
    }
    Ok((exit.status_code, output))
}

/// All output of a client, frames taken off.
pub(crate) async fn read(mut attached: Attached) -> String {
    let mut bytes = Vec::new();
    within(attached.stream.read_to_end(&mut bytes)).await.unwrap();
    if attached.tty { String::from_utf8_lossy(&bytes).into_owned() } else { unframed(&bytes) }
}

/// The data of docker's frames.
pub(crate) fn unframed(mut bytes: &[u8]) -> String {
    let mut text = Vec::new();
    while !bytes.is_empty() {
        let mut head = [0; 8];
        Read::read_exact(&mut bytes, &mut head).unwrap();
        let length = u32::from_be_bytes(head[4..].try_into().unwrap()) as usize;
        text.extend_from_slice(&bytes[..length]);
        bytes = &bytes[length..];
    }
    String::from_utf8_lossy(&text).into_owned()
}

pub(crate) async fn state(engine: &Engine, id: &str) -> ContainerState {
    engine.containers.inspect(id, false).await.unwrap().state.unwrap()
}

/// What the log has, its frames taken off.
pub(crate) async fn logged(engine: &Engine, id: &str, options: LogsOptions) -> String {
    let mut logs = engine.containers.logs(id, options).unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = within(logs.stream.next()).await {
        bytes.extend_from_slice(&piece);
    }
    unframed(&bytes)
}

/// Waits until the container has written `word`.
pub(crate) async fn says(engine: &Engine, id: &str, word: &str) {
    let all = LogsOptions { stdout: true, stderr: true, ..LogsOptions::default() };
    within(async {
        while !logged(engine, id, all).await.contains(word) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Longer than anything takes on a busy machine, shorter than for ever.
const PATIENCE: Duration = Duration::from_mins(3);

/// Waits for `future`, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// `TEXT 0`, `TEXT 1`, … up to `count` lines.
pub(crate) fn numbered(text: &str, count: u32) -> String {
    let lines: Vec<_> = (0..count).map(|number| format!("{text} {number}\n")).collect();
    lines.concat()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    for _ in 0..2400 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{}", otherwise());
}

pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().display().to_string()).collect()
}

fn cgroup_roots() -> Vec<PathBuf> {
    let hierarchies = cgroups::Hierarchies::discover().unwrap();
    hierarchies.mounts.into_iter().map(|hierarchy| hierarchy.mount_point).collect()
}

fn cgroups_below(parent: &str) -> Vec<String> {
    let below = |root: PathBuf| {
        let entries = std::fs::read_dir(root.join(parent)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).map(|path| path.display().to_string())
    };
    cgroup_roots().into_iter().flat_map(below).collect()
}

fn remove_cgroups(parent: &str) {
    for root in cgroup_roots() {
        let _ = std::fs::remove_dir(root.join(parent));
    }
}
