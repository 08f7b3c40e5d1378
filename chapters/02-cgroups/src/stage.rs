//! The chapter's turn in the launch.
//!
//! ```text
//! host side, before          clone3                       child side               after the end
//! ──────────────────         ───────────────────────      ─────────────────        ─────────────
//! make the directories  ──▶  version 2: born inside
//! write the limits           version 1: inherits the  ──▶ writes 0 to each    …    rmdir
//! open each `tasks`          open files                   of them
//! ```
//!
//! The join is the first thing the child does ([`Phase::Join`]), so that everything it uses from then on is counted and
//! limited, and so that the cgroup namespace, which is made right after, has this group as its root:
//! `/proc/self/cgroup` then says `/`.
//!
//! An exec goes the same way into a group that exists already: [`CgroupStage::existing`].

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use namespaces::{Check, Context as _, Fact, Failure, Phase, Requirement, Result, Stage, Step};
use rustix::process::Pid;

use crate::cgroup::{Cgroup, Plan};
use crate::hierarchy::{Hierarchies, Version};
use crate::limits::Limits;
use crate::processes::join_self;
use crate::writes::plan_writes;

/// Puts the container's first process, and so all that it starts, into a cgroup.
#[derive(Debug)]
pub struct CgroupStage {
    plan: Plan,
    /// Whether the group is ours to make and to remove, or another process's of the same container (exec).
    owned: bool,
    hierarchies: Option<Hierarchies>,
    cgroup: Option<Cgroup>,
    tasks: Vec<OwnedFd>,
}

impl CgroupStage {
    /// Makes the group of `plan` before the container starts, and removes it after it has ended.
    pub fn new(plan: Plan) -> Self {
        Self { plan, owned: true, hierarchies: None, cgroup: None, tasks: Vec::new() }
    }

    /// Joins the group `path` of a running container, and leaves it alone at the end: the stage of an exec.
    pub fn existing(path: impl Into<PathBuf>) -> Self {
        let plan = Plan { path: path.into(), limits: Limits::default() };
        Self { owned: false, ..Self::new(plan) }
    }

    /// Uses trees that are known already, instead of reading the mount table.
    #[must_use]
    pub fn on(self, hierarchies: Hierarchies) -> Self {
        Self { hierarchies: Some(hierarchies), ..self }
    }

    /// The mount table is read once for each stage, when it is first needed: `release` may run in a process of its own.
    fn find_hierarchies(&self) -> Result<Hierarchies> {
        self.hierarchies.clone().map_or_else(Hierarchies::discover, Ok)
    }

    fn opened(&self) -> Result<&Cgroup> {
        let missing = || Failure::new("use the cgroup", "it has not been prepared").on(self.plan.path.display());
        self.cgroup.as_ref().ok_or_else(missing)
    }
}

impl Stage for CgroupStage {
    fn name(&self) -> &'static str {
        "cgroups"
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![
            Requirement {
                what: "a mounted cgroup tree",
                check: Check::Path("/sys/fs/cgroup"),
                remedy: "Mount it: mount -t cgroup2 none /sys/fs/cgroup.",
            },
            Requirement { what: "the right to make cgroups", check: Check::Root, remedy: "Run the engine as root." },
        ]
    }

    fn prepare(&mut self) -> Result<()> {
        let hierarchies = self.find_hierarchies()?;
        let cgroup = if self.owned {
            // What could not be made is not ours to remove: it may be somebody's who uses the same name.
            Cgroup::create(&hierarchies, &self.plan).inspect_err(|_| self.owned = false)?
        } else {
            Cgroup::open(&hierarchies, &self.plan.path)?
        };
        if cgroup.version() == Version::V1 {
            self.tasks = cgroup.open_tasks()?;
        }
        self.hierarchies = Some(hierarchies);
        self.cgroup = Some(cgroup);
        Ok(())
    }

    /// Version 2 needs no step: the child is born in its group, which costs nothing at all.
    fn cgroup(&self) -> Option<BorrowedFd<'_>> {
        let cgroup = self.cgroup.as_ref().filter(|cgroup| cgroup.version() == Version::V2)?;
        cgroup.dirs.first().map(|dir| dir.fd.as_fd())
    }

    fn steps(&self) -> Vec<Step<'_>> {
        if self.tasks.is_empty() {
            return Vec::new();
        }
        let about = "Enter the container's cgroups: what it uses is counted and limited from here on.";
        vec![Step::new("join-cgroups", Phase::Join, about, |_| join_self(&self.tasks))]
    }

    fn release(&mut self) -> Result<()> {
        self.tasks.clear();
        self.cgroup = None;
        if self.owned { Cgroup::destroy(&self.find_hierarchies()?, &self.plan.path) } else { Ok(()) }
    }

    /// In which groups the kernel says the process is, and what stands in the files of every limit of the plan.
    fn probe(&self, pid: Pid) -> Result<Vec<Fact>> {
        let source = format!("/proc/{pid}/cgroup");
        let membership = std::fs::read_to_string(&source).during("read", &source)?;
        let mut facts: Vec<Fact> =
            membership.lines().map(|line| Fact { source: source.clone(), value: line.to_owned() }).collect();
        let reopened = match &self.cgroup {
            Some(_) => None,
            None => Some(Cgroup::open(&self.find_hierarchies()?, &self.plan.path)?),
        };
        let cgroup = reopened.as_ref().map_or_else(|| self.opened(), Ok)?;
        for write in plan_writes(&self.plan.limits, cgroup.version()) {
            let file = if write.file.starts_with("devices.") { "devices.list" } else { write.file.as_ref() };
            if facts.iter().any(|fact| fact.source == file) {
                continue;
            }
            if let Some(value) = cgroup.read(write.controller, file)? {
                facts.push(Fact { source: file.to_owned(), value: value.trim().to_owned() });
            }
        }
        Ok(facts)
    }
}
