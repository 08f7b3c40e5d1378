//! The child's steps: the order in which a copy of the launching process becomes a container.
//!
//! Each step is a function of the [`Child`](crate::Child) in a file of its phase. [`of_container`] is the whole list, and
//! `namespaces steps` prints it; [`of_entry`] is the shorter one of an `exec`.
//!
//! The order is not a matter of taste. Most of it follows from four facts:
//!
//! - What is joined or opened by a path of the host must be so before pivot_root(2), after which that path is gone.
//! - What needs a right must be done before the right is given up: the bounding set before the user, the user before the
//!   capabilities, the filter while `CAP_SYS_ADMIN` is there.
//! - A cgroup namespace takes the cgroup of the moment as its root, so the cgroups are joined first.
//! - What a stage mounts (volumes) may lie on what this chapter mounts (`/dev`), never the other way round.
//!
//! A step that has nothing to do (no host name was asked for) does nothing; it is in the list all the same, so that the
//! list is the same for every container and can be learned.

mod devices;
mod execute;
mod files;
mod isolate;
mod join;
mod mounts;
mod process;
mod restrict;
mod rights;
mod root;
mod sysctls;
mod terminal;

use crate::container::Container;
use crate::failure::{Failure, Result};
use crate::scheduling;
use crate::stage::{Phase, Stage, Step};

pub(crate) use execute::execute;
pub(crate) use isolate::become_root;
pub(crate) use sysctls::outer_net;

/// The steps of a new container with these stages, in the order in which they run, without those named in `without`.
///
/// The order is by phase; within a phase this chapter's own preparations come first, then the stages in their order, then
/// what this chapter does with the result.
pub fn of_container<'a>(
    container: &'a Container,
    stages: impl IntoIterator<Item = &'a dyn Stage>,
    without: &[String],
) -> Vec<Step<'a>> {
    let of_stages: Vec<_> = stages.into_iter().flat_map(Stage::steps).collect();
    let root_is_theirs = of_stages.iter().any(|step| step.phase == Phase::Root);
    let mut steps = before_stages();
    // A stage that mounts a root file system mounts it on RootFs::path; without one, what is at that path is the root.
    steps.retain(|step| step.name != "bind-root" || !root_is_theirs);
    steps.extend(of_stages);
    steps.extend(after_stages(container));
    arrange(steps, without)
}

/// The steps of an `exec`: the stages' [`Phase::Join`] steps, `enter` into the container, and the process as usual.
///
/// Nothing is mounted, named or masked: all that belongs to the namespaces, and those exist. What belongs to a process
/// (session, limits, user, rights, filter) is made anew, because a process that comes from outside has inherited nothing of
/// it from the container.
pub(crate) fn of_entry<'a>(
    container: &'a Container,
    enter: Step<'a>,
    stages: impl IntoIterator<Item = &'a dyn Stage>,
    without: &[String],
) -> Vec<Step<'a>> {
    let mut steps = vec![
        Step::new("hide", Phase::Join, HIDE, join::hide),
        Step::new("adjust-oom-score", Phase::Join, OOM_SCORE, isolate::adjust_oom_score),
        Step::new("choose-apparmor-profile", Phase::Join, APPARMOR, isolate::choose_apparmor_profile),
    ];
    steps.extend(stages.into_iter().flat_map(Stage::steps).filter(|step| step.phase == Phase::Join));
    steps.push(enter);
    steps.push(Step::new("open-root", Phase::Root, "Open the container's root directory.", root::open_entered));
    steps.push(Step::new("open-terminal", Phase::Mounts, TERMINAL, terminal::open));
    steps.extend(process_steps(container));
    arrange(steps, without)
}

/// Refuses a name in `without` that is neither the name of one of `steps` nor of one of `stages`: a typing error would
/// otherwise leave nothing out, silently.
pub(crate) fn check_names(steps: &[Step<'_>], stages: &[Box<dyn Stage>], without: &[String]) -> Result<()> {
    let known: Vec<_> = stages.iter().map(|stage| stage.name()).chain(steps.iter().map(|step| step.name)).collect();
    match without.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Failure::new("leave out", "no stage or step has this name").on(name).hint(known.join(" "))),
        None => Ok(()),
    }
}

/// Sorts by phase, keeping the given order within one, and leaves out what is not wanted.
fn arrange<'a>(mut steps: Vec<Step<'a>>, without: &[String]) -> Vec<Step<'a>> {
    steps.retain(|step| without.iter().all(|name| name != step.name));
    steps.sort_by_key(|step| step.phase);
    steps
}

const HIDE: &str = "Become non-dumpable, so that nobody inside can trace this process or read its descriptors.";
const OOM_SCORE: &str = "Tell the OOM killer how gladly to choose this process.";
const APPARMOR: &str = "Ask for the AppArmor profile that execve changes to.";
const TERMINAL: &str = "Make a pseudo-terminal in the container's own devpts, and hand its other end to the parent.";

/// This chapter's steps that come before the stages' steps of the same phase.
///
/// `open-root` is not among them: it opens what a stage may have mounted in between.
fn before_stages<'a>() -> Vec<Step<'a>> {
    use Phase::{Isolate, Join, Mounts, Root};
    vec![
        Step::new("hide", Join, HIDE, join::hide),
        Step::new("join-namespaces", Join, "Join the namespaces that already exist.", join::join_namespaces),
        Step::new(
            "new-cgroup-namespace",
            Isolate,
            "Make the cgroups joined so far the root of what /proc/self/cgroup shows.",
            isolate::new_cgroup_namespace,
        ),
        Step::new("set-clocks", Isolate, "Set the clocks of a new time namespace ahead, if asked for.", |child| {
            isolate::set_clocks(child)
        }),
        Step::new("set-hostname", Isolate, "Name the machine.", isolate::set_hostname),
        Step::new("set-domainname", Isolate, "Name its NIS domain.", isolate::set_domainname),
        Step::new("adjust-oom-score", Isolate, OOM_SCORE, isolate::adjust_oom_score),
        Step::new("choose-apparmor-profile", Isolate, APPARMOR, isolate::choose_apparmor_profile),
        Step::new(
            "make-mounts-private",
            Isolate,
            "Cut the mount namespace off, so that no mount made here appears on the host.",
            isolate::make_mounts_private,
        ),
        Step::new("bind-root", Root, "Bind the root directory on itself: only a mount can become /.", root::bind),
        Step::new("become-root", Mounts, "In a new user namespace, become its user 0.", |child| {
            isolate::become_root_of_namespace(child)
        }),
        Step::new("mount", Mounts, "Mount /proc, /dev, /sys and what else is asked for, in order.", mounts::mount),
        Step::new("make-devices", Mounts, "Make the device nodes in /dev.", devices::make),
        Step::new("link-devices", Mounts, "Make the links that /dev has everywhere: fd, stdin, ptmx.", devices::link),
    ]
}

/// This chapter's steps that come after the stages' steps of the same phase.
///
/// The terminal among them, because a stage may have put another devpts on `/dev/pts` (an OCI bundle lists its own mounts).
fn after_stages(container: &Container) -> Vec<Step<'_>> {
    use Phase::{Mounts, Pivot, Restrict, Root};
    let mut steps = vec![
        Step::new("open-root", Root, "Open the new root; from here on every path is resolved inside it.", root::open),
        Step::new("open-terminal", Mounts, TERMINAL, terminal::open_with_console),
        Step::new("set-sysctls", Mounts, "Set kernel parameters of the new namespaces.", sysctls::set),
        Step::new("pivot-root", Pivot, "Make the new root / and let go of the host's mounts.", root::pivot),
        Step::new("protect-root", Restrict, "Make / read-only, if asked for.", restrict::protect_root),
        Step::new("mask-paths", Restrict, "Hide what tells too much about the host.", restrict::mask_paths),
        Step::new("protect-paths", Restrict, "Make read-only what lets the kernel be told.", restrict::protect_paths),
        // Last, because what is unbindable cannot be copied to be made read-only.
        Step::new("propagate-root", Restrict, "Let mounts travel in and out, if asked for.", root::propagate),
    ];
    steps.extend(process_steps(container));
    steps
}

/// The steps of [`Phase::Process`]. A system call filter comes as late as it can: after it, only what it allows works.
/// To load one takes `CAP_SYS_ADMIN` or a process that can gain no privileges, so it is the last step with the second and
/// the last but one with the first.
fn process_steps(container: &Container) -> Vec<Step<'_>> {
    use Phase::Process;
    let mut steps = vec![
        Step::new("new-session", Process, "Leave the launcher's session and terminal.", process::new_session),
        Step::new("connect-stdio", Process, "Put standard input, output and error in place.", process::connect_stdio),
        Step::new("set-limits", Process, "Set the resource limits.", process::set_limits),
        Step::new("set-scheduling", Process, "Set scheduler, processors and I/O priority, if asked for.", |child| {
            let process = &child.container.process;
            scheduling::apply(process.scheduler.as_ref(), process.io_priority, &process.processors)
        }),
        Step::new("set-personality", Process, "Set the execution domain, if asked for.", process::set_personality),
        Step::new("find-user", Process, "Look the user up in the image's passwd and group.", rights::find_user),
        Step::new("give-stdio", Process, "Make the user the owner of its pipes or terminal.", process::give_stdio),
        Step::new("enter-directory", Process, "Go to the working directory.", process::enter_directory),
        Step::new("drop-bounding-set", Process, "Drop capabilities for good.", rights::drop_bounding_set),
        Step::new("become-user", Process, "Become the user, with its groups.", rights::become_user),
        Step::new("find-program", Process, "Look the program up in the container's PATH.", execute::find_program),
        Step::new("reset-signals", Process, "Undo what the launcher does about signals, and set the umask.", |child| {
            process::reset(child);
            Ok(())
        }),
        Step::new("close-files", Process, "Mark every descriptor but the wanted ones close-on-exec.", files::close),
    ];
    let filter = Step::new("load-seccomp", Process, "Load the system call filter.", rights::load_seccomp);
    let set = Step::new("set-capabilities", Process, "Reduce the capabilities to those asked for.", |child| {
        rights::set_capabilities(child)
    });
    if container.process.no_new_privileges {
        let about = "Let no set-user-id program give anything.";
        steps.push(Step::new("forbid-new-privileges", Process, about, rights::forbid_new_privileges));
        steps.extend([set, filter]);
    } else {
        steps.extend([filter, set]);
    }
    steps
}
