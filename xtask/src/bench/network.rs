//! The bridge: how much passes through it beside docker's, and what it costs to attach one more container.
//!
//! What passes is measured by iperf3 in the containers' network namespaces, in turns of two seconds: ours, docker's, ours…
//! What attaching costs is told by a daemon that logs its steps (`prepare network`: from the request to a usable address),
//! alone, with many containers running, and with the rules of many networks.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::paired::median;
use super::peers::{Peers, SKIFF, TELLING};
use super::room::command;
use super::steps;
use crate::shell;

/// Where iperf3 listens in a container, and the ports of the host that lead there, docker's and ours.
const INSIDE: &str = "5201";
const PUBLISHED: [&str; 2] = ["5301", "5302"];
/// The host's address on the wire to a machine outside.
const HOST: &str = "198.51.100.1";
/// What a step of attaching is called in the log.
const ATTACH: &str = "prepare network (meanwhile)";

/// A way for packets, and what came through it in each turn, docker's and ours, in Gbit/s.
struct Lane {
    name: &'static str,
    /// The beginning of a command that asks, and whom, for each engine.
    ask: Vec<(Vec<String>, [String; 2])>,
    rates: [Vec<f64>; 2],
}

/// Containers of both engines with servers in them, and a machine outside.
struct Scene {
    helpers: Vec<Child>,
    lanes: Vec<Lane>,
    /// How each engine is asked. Its containers are removed at the end: ours would outlive their daemon.
    clients: [Vec<String>; 2],
}

/// Runs both parts and prints their tables.
pub(super) fn run(rounds: usize, containers: usize, networks: usize) -> Result<()> {
    let peers = Peers::start()?;
    let mut scene = Scene::set(&peers)?;
    for _ in 0..rounds {
        for lane in &mut scene.lanes {
            for ((words, to), rates) in lane.ask.iter().zip(&mut lane.rates) {
                rates.push(rate(words, to).with_context(|| lane.name)?);
            }
        }
    }
    println!("{:<28}{:>10}{:>10}{:>10}", "Gbit/s, median", "docker", "skiff", "ratio");
    for Lane { name, rates: [theirs, ours], .. } in &scene.lanes {
        let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let [theirs, ours, ratio] = [theirs.clone(), ours.clone(), ratios].map(median);
        println!("{name:<28}{theirs:>10.2}{ours:>10.2}{ratio:>10.3}");
    }
    drop(scene);
    attach(&peers, containers, networks)
}

impl Scene {
    fn set(peers: &Peers) -> Result<Self> {
        let clients = [peers.docker_client(), peers.skiff_client(SKIFF)];
        let mut scene = Self { helpers: Vec::new(), lanes: Vec::new(), clients: clients.clone() };
        let outside = scene.outside(peers)?;
        let (mut to_container, mut between, mut published) = (Vec::new(), Vec::new(), Vec::new());
        for (client, port) in clients.into_iter().zip(PUBLISHED) {
            let docker = |words: &[&str]| shell::output(command(&client)?.args(words));
            let publish = format!("{port}:{INSIDE}");
            let sleep = ["busybox", "sleep", "3600"];
            docker(&[&["run", "-d", "--name", "server", "-p", &publish], &sleep[..]].concat())?;
            docker(&[&["run", "-d", "--name", "client"], &sleep[..]].concat())?;
            let inspect = |name, format| docker(&["inspect", "-f", format, name]).map(|text| text.trim().to_owned());
            let pid = |name| inspect(name, "{{.State.Pid}}");
            let address = inspect("server", "{{.NetworkSettings.Networks.bridge.IPAddress}}")?;
            let server = within(&pid("server")?);
            scene.helpers.push(command(&server)?.args(["iperf3", "-s"]).stdout(Stdio::null()).spawn()?);
            let direct = [address, INSIDE.to_owned()];
            to_container.push((peers.room.inside(&[]), direct.clone()));
            between.push((within(&pid("client")?), direct));
            published.push((outside.clone(), [HOST, port].map(str::to_owned)));
        }
        scene.lanes = [
            ("host to container", to_container),
            ("container to container", between),
            ("outside to published port", published),
        ]
        .map(|(name, ask)| Lane { name, ask, rates: [Vec::new(), Vec::new()] })
        .into();
        // The servers come up.
        std::thread::sleep(std::time::Duration::from_secs(1));
        Ok(scene)
    }

    /// A machine on a wire to the host, as the beginning of a command there.
    fn outside(&mut self, peers: &Peers) -> Result<Vec<String>> {
        let mut far = Command::new("unshare");
        far.args(["--net", "sh", "-c", "echo ready; exec sleep infinity"]).stdout(Stdio::piped());
        let mut far = far.spawn()?;
        std::io::Read::read_exact(&mut far.stdout.take().context("no pipe")?, &mut [0])?;
        let (pid, near) = (far.id().to_string(), peers.room.inside(&["sh", "-ec"]));
        self.helpers.push(far);
        let wire = "ip link add bench-wire type veth peer name far netns";
        let near_end = format!("{wire} {pid}; ip address add {HOST}/24 dev bench-wire; ip link set bench-wire up");
        shell::run(command(&near)?.arg(near_end))?;
        let far = within(&pid);
        shell::run(command(&far)?.args(["sh", "-ec", "ip address add 198.51.100.2/24 dev far; ip link set far up"]))?;
        Ok(far)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for helper in &mut self.helpers {
            let _ended = helper.kill();
            let _reaped = helper.wait();
        }
        for client in &self.clients {
            // One that was never made is no error worth telling here.
            let _removed =
                command(client).and_then(|mut client| shell::output(client.args(["rm", "-f", "server", "client"])));
        }
    }
}

/// One turn: Gbit/s that arrived.
fn rate(words: &[String], [address, port]: &[String; 2]) -> Result<f64> {
    let told = shell::output(command(words)?.args(["iperf3", "--json", "-t", "2", "-c", address, "-p", port]))?;
    let told: serde_json::Value = serde_json::from_str(&told)?;
    let bits = told.pointer("/end/sum_received/bits_per_second").and_then(serde_json::Value::as_f64);
    Ok(bits.context("iperf3 tells no rate")? / 1e9)
}

/// What attaching costs: alone, beside many containers, beside the rules of many networks.
fn attach(peers: &Peers, containers: usize, networks: usize) -> Result<()> {
    let client = peers.skiff_client(TELLING);
    let docker = |words: &[&str]| shell::output(command(&client)?.args(words));
    let measure = |what: &str| -> Result<()> {
        let before = peers.told()?.len();
        for _ in 0..60 {
            docker(&["run", "--rm", "busybox", "true"])?;
        }
        let told = peers.told()?;
        let times = steps::times(told.get(before..).unwrap_or_default(), ATTACH);
        println!("{:<44}{:>8.2}", format!("attach, {what}"), median(times) / 1000.0);
        Ok(())
    };
    println!("\n{:<44}{:>8}", "milliseconds, median of 60", "skiff");
    measure("alone")?;
    for number in 0..networks {
        let name = format!("net{number}");
        docker(&["network", "create", &name])?;
        // A network's bridge and rules are made when its first container comes, and stay.
        docker(&["run", "--rm", "--network", &name, "busybox", "true"])?;
    }
    measure(&format!("with the rules of {networks} networks"))?;
    for number in 0..containers {
        let port = format!("{}:80", 20000 + number);
        docker(&["run", "-d", "--name", &format!("sleeper{number}"), "-p", &port, "busybox", "sleep", "3600"])?;
    }
    measure(&format!("{containers} containers running"))?;
    let ids = docker(&["ps", "-aq"])?;
    docker(&[&["rm", "-f"], &ids.split_whitespace().collect::<Vec<_>>()[..]].concat()).map(drop)
}

/// The beginning of a command in the network namespace of a process.
fn within(pid: &str) -> Vec<String> {
    ["nsenter", "--net", "--target", pid].map(str::to_owned).to_vec()
}
