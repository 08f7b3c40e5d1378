//! The `linux.seccomp` of a `config.json` as a program. The profile's format is chapter 1's matter
//! ([`namespaces::seccomp::json`]); here is what only an OCI runtime has: an agent that is asked about calls.
//!
//! ```text
//!  child: load the filter ─▶ a descriptor, the listener ──▶ agent at listenerPath, with the container's state beside it
//!  program: mkdir(…) ─ waits ────────────────────────────▶ agent looks, answers: do it, or this errno, or this value
//! ```

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use namespaces::seccomp::json::Document;
use namespaces::seccomp::{Program, compile};
use namespaces::{Context, Failure, Phase, Result, Stage, Step};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde_json::json;

use super::record::{OCI_VERSION, Record, Status};

/// The compiled filter. Conditions on capabilities are docker's and not the specification's; nobody has any here.
pub(super) fn program(profile: &Document) -> Result<Program> {
    let rules = profile.profile(0)?;
    if rules.notifies() && profile.listener_path.is_none() {
        return Err(Failure::new("use the seccomp profile", "there is no listenerPath: nobody would answer")
            .on("SCMP_ACT_NOTIFY"));
    }
    Ok(compile(&rules))
}

/// Introduces the container to its agent, as a stage of the launch (config-linux.md, "Container Process State").
pub(super) struct AgentStage {
    path: PathBuf,
    metadata: String,
    record: Record,
    status: Status,
}

impl AgentStage {
    /// The stage, where the profile asks.
    pub(super) fn of(profile: Option<&Document>, record: &Record, status: Status) -> Option<Self> {
        let profile = profile?;
        let path = profile.listener_path.clone()?;
        let metadata = profile.listener_metadata.clone().unwrap_or_default();
        profile.profile(0).is_ok_and(|rules| rules.notifies()).then(|| Self {
            path,
            metadata,
            record: record.clone(),
            status,
        })
    }

    /// The message that goes beside the descriptor.
    fn introduction(&self, pid: i32) -> Result<Vec<u8>> {
        // An exec's filter is about another process than the container's first.
        let container = if self.record.pid == 0 { pid } else { self.record.pid };
        let record = Record { pid: container, ..self.record.clone() };
        let state = json!({
            "ociVersion": OCI_VERSION,
            "fds": ["seccompFd"],
            "pid": pid,
            "metadata": self.metadata,
            "state": record.state(self.status),
        });
        serde_json::to_vec(&state).step("write the state as JSON")
    }
}

impl Stage for AgentStage {
    fn name(&self) -> &'static str {
        "seccomp-agent"
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let about = "Connect to the agent that will be asked about system calls, while its socket is in view.";
        vec![Step::new("connect-agent", Phase::Join, about, |child| {
            let agent = UnixStream::connect(&self.path).during("connect to the agent at", self.path.display())?;
            // The host's number of this process, which the host's /proc still tells.
            let own = std::fs::read_link("/proc/self").during("read", "/proc/self")?;
            let pid = own.to_str().and_then(|pid| pid.parse().ok()).unwrap_or_default();
            let text = self.introduction(pid)?;
            child.seccomp_agent = Some(Box::new(move |listener| send(&agent, &text, &listener)));
            Ok(())
        })]
    }
}

/// One message, made before the filter is in force: with it, even this call may be one to ask about.
fn send(agent: &UnixStream, text: &[u8], listener: &OwnedFd) -> Result<()> {
    let fds = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(agent.as_fd(), &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL)
        .step("send the listener to the agent")?;
    Ok(())
}
