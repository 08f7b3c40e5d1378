//! The command line of the OCI runtime: `skiff-runtime [GLOBAL OPTIONS] COMMAND [OPTIONS] ID …`.

use std::fmt::{Display, Write as _};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use namespaces::{Context, Failure, Result, Timing};

use super::options::{Options, Words};
use super::record::{OCI_VERSION, Records};
use super::{create, describe, exec, lifecycle, usage};
use crate::own;

/// What all commands share.
pub(crate) struct Command {
    /// Where containers are recorded.
    pub(crate) records: Records,
    /// Whether steps and times are told.
    pub(crate) debug: bool,
    /// Whether no groups are made, crun's `--cgroup-manager disabled`.
    pub(crate) without_groups: bool,
    log: Option<PathBuf>,
    log_is_json: bool,
}

/// One command: what it is called, what it takes, what it does.
struct Entry {
    name: &'static str,
    about: &'static str,
    usage: &'static str,
    options: &'static str,
    words: Words,
    /// Whether a process of this program enters the container, and so must not run from a file that can be written.
    enters: bool,
    run: fn(&Command, &Options) -> Result<u8>,
}

const GLOBAL: &str =
    "--root= --log= --log-format= --debug --systemd-cgroup --cgroup-manager= --rootless= -v --version -h --help";

const MAKE: &str = "-b --bundle= -f --config= --console-socket= --pid-file= --preserve-fds= --no-pivot --no-new-keyring --no-subreaper \
    -d --detach --keep -h --help";

const EXEC: &str = "--console-socket= --cwd= -e --env= -t --tty -u --user= -g --additional-gids= -p --process= -d --detach \
    --pid-file= --process-label= --apparmor= --no-new-privs -c --cap= --preserve-fds= --ignore-paused --cgroup= \
    --no-subreaper -h --help";

const UPDATE: &str = "-r --resources= --blkio-weight= --cpu-burst= --cpu-idle= --cpu-period= --cpu-quota= --cpu-rt-period= \
    --cpu-rt-runtime= --cpu-share= --cpuset-cpus= --cpuset-mems= --kernel-memory= --kernel-memory-tcp= --memory= \
    --memory-reservation= --memory-swap= --pids-limit= --l3-cache-schema= --mem-bw-schema= -h --help";

const COMMANDS: [Entry; 15] = [
    entry("create", "make a container; its program waits", "ID", MAKE, create::create).entering(),
    entry("start", "let the program of a created container begin", "ID", "-h --help", create::start),
    entry("run", "create, start, wait, delete", "ID", MAKE, create::run).entering(),
    entry("exec", "run a second process in a container", "ID PROGRAM [ARGUMENT…]", EXEC, exec::exec).entering().then(1),
    entry("state", "print a container's state", "ID", "-h --help", lifecycle::state),
    entry("kill", "send a signal", "ID [SIGNAL]", "-a --all -h --help", lifecycle::kill),
    entry("delete", "remove a container that has ended", "ID", "-f --force --regex= -h --help", lifecycle::delete),
    entry("pause", "freeze all processes", "ID", "-h --help", lifecycle::pause),
    entry("resume", "let them go on", "ID", "-h --help", lifecycle::resume),
    entry("update", "change the limits of a container", "ID", UPDATE, usage::update),
    entry("events", "tell what a container uses", "ID", "--interval= --stats -h --help", usage::events),
    entry("list", "list containers", "", "-q --quiet -f --format= -h --help", lifecycle::list),
    entry("ps", "list processes", "ID [OPTION OF ps…]", "-f --format= -h --help", lifecycle::ps).then(1),
    entry("spec", "write a config.json to begin with", "", "-b --bundle= --rootless -h --help", describe::spec),
    entry("features", "print what this runtime can do", "", "-h --help", describe::features),
];

const fn entry(
    name: &'static str,
    about: &'static str,
    usage: &'static str,
    options: &'static str,
    run: fn(&Command, &Options) -> Result<u8>,
) -> Entry {
    Entry { name, about, usage, options, words: Words::Mixed, enters: false, run }
}

impl Entry {
    const fn entering(self) -> Self {
        Self { enters: true, ..self }
    }

    const fn then(self, count: usize) -> Self {
        Self { words: Words::Then(count), ..self }
    }
}

/// Carries out a command line without the program's name. Gives the exit status: that of the container's program for `run`
/// and `exec`, otherwise 0, or 1 (255 for `exec`, as runc) after a failure, which was told then.
pub fn main(line: &[String]) -> u8 {
    let (global, rest) = split(line);
    let options = match Options::parse(GLOBAL, Words::Mixed, global) {
        Ok(options) => options,
        Err(failure) => return tell(&failure, 1),
    };
    let command = Command {
        records: Records { root: options.value("root").map_or_else(default_root, PathBuf::from) },
        debug: options.has("debug"),
        without_groups: options.value("cgroup-manager") == Some("disabled"),
        log: options.value("log").filter(|path| !path.is_empty()).map(PathBuf::from),
        log_is_json: options.value("log-format") == Some("json"),
    };
    match command.dispatch(&options, rest) {
        Ok(code) => code,
        Err(failure) => {
            if command.log.is_some() {
                command.log("error", &for_callers(&failure).to_string());
            }
            tell(&failure, if rest.first().is_some_and(|name| name == "exec") { 255 } else { 1 })
        }
    }
}

/// Where records are without `--root`: an ordinary user's are below the directory that his session has given him.
fn default_root() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| is_ordinary_user());
    own.map_or_else(|| PathBuf::from("/run"), PathBuf::from).join("skiff-runtime")
}

/// Whether this is an ordinary user, if only in disguise: rootless Podman calls the runtime as root of a user namespace of its
/// user's, whose rights end there. The map of the host's own namespace is everything onto itself.
pub(crate) fn is_ordinary_user() -> bool {
    let everything = ["0", "0", "4294967295"];
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !rustix::process::geteuid().is_root() || (!map.is_empty() && map.split_whitespace().ne(everything))
}

/// Docker and its client look for errors in the words of the language that they are written in, where the text of an errno
/// begins with a small letter: `no such file or directory` is status 127, `permission denied` 126.
fn for_callers(failure: &Failure) -> Failure {
    let small = |cause: &String| {
        let mut letters = cause.chars();
        letters.next().map(|first| first.to_lowercase().chain(letters).collect())
    };
    let cause = if failure.errno.is_some() { failure.cause.as_ref().and_then(small) } else { failure.cause.clone() };
    Failure { cause, ..failure.clone() }
}

/// The global options, and what follows them.
fn split(line: &[String]) -> (&[String], &[String]) {
    let with_value = |word: &str| {
        let takes_value = GLOBAL.split_ascii_whitespace().any(|known| known.strip_suffix('=') == Some(word));
        usize::from(takes_value)
    };
    let mut end = 0;
    while let Some(word) = line.get(end).filter(|word| word.starts_with('-')) {
        end += 1 + with_value(word);
    }
    line.split_at(end.min(line.len()))
}

impl Command {
    fn dispatch(&self, global: &Options, line: &[String]) -> Result<u8> {
        if global.has("systemd-cgroup") || global.value("cgroup-manager") == Some("systemd") {
            return Err(Failure::new("let systemd make the cgroups", "this runtime makes them itself")
                .on("--systemd-cgroup")
                .hint("Configure the cgroupfs driver (docker: exec-opts native.cgroupdriver=cgroupfs)."));
        }
        if global.has("version") {
            // In the lines of runc and crun: dockerd looks for the word `version`, others for `spec:`.
            return say(format_args!("skiff-runtime version {}\nspec: {OCI_VERSION}", env!("CARGO_PKG_VERSION")));
        }
        let Some((name, line)) = line.split_first().filter(|_| !global.has("help")) else {
            return say(overview());
        };
        let entry = COMMANDS.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| {
            Failure::new("carry out the command", "there is no such command")
                .on(name)
                .hint(format!("No help topic for '{name}'; --help lists the commands."))
        })?;
        let options = Options::parse(entry.options, entry.words, line)?;
        if options.has("help") {
            let (usage, about, options) = (entry.usage, entry.about, entry.options);
            return say(format_args!(
                "skiff-runtime {name} [OPTIONS] {usage}: {about}
options: {options}"
            ));
        }
        if entry.enters {
            own::run_from_readonly_bind()?;
        }
        (entry.run)(self, &options)
    }

    /// Adds a line to the file of `--log`, or standard error without one, in the shape that containerd, Docker and Podman read.
    fn log(&self, level: &str, message: &str) {
        let time = Timestamp::now();
        let line = if self.log_is_json {
            serde_json::json!({ "level": level, "msg": message, "time": time }).to_string()
        } else {
            format!("time=\"{time}\" level={level} msg={message:?}")
        };
        let Some(path) = &self.log else { return eprintln!("{line}") };
        // There is no better place to say that there is no place.
        let file = OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
    }

    /// Tells of something that is left out.
    pub(crate) fn warn(&self, message: &str) {
        if self.log.is_some() { self.log("warning", message) } else { eprintln!("skiff-runtime: warning: {message}") }
    }

    /// With `--debug`: how long each step took, to the log, or standard error without one.
    pub(crate) fn tell_timings(&self, timings: &[Timing]) {
        if !self.debug {
            return;
        }
        for Timing { name, took } in timings {
            self.log("debug", &format!("{name}: {} µs", took.as_micros()));
        }
    }
}

/// Prints to standard output: the answer of a command that has succeeded with it.
pub(crate) fn say(text: impl Display) -> Result<u8> {
    writeln!(std::io::stdout(), "{text}").step("write to standard output")?;
    Ok(0)
}

fn tell(failure: &Failure, code: u8) -> u8 {
    eprintln!("skiff-runtime: {failure}");
    if let Some(hint) = &failure.hint {
        eprintln!("{hint}");
    }
    code
}

/// The options of `command` in `line`, which are right.
#[cfg(test)]
pub(super) fn parse_for_test(command: &str, line: &[String]) -> Options {
    let entry = COMMANDS.iter().find(|entry| entry.name == command).unwrap();
    Options::parse(entry.options, entry.words, line).unwrap()
}

fn overview() -> String {
    let mut text = "skiff-runtime [OPTIONS] COMMAND: an OCI runtime\n\ncommands:\n".to_owned();
    for Entry { name, about, usage, .. } in &COMMANDS {
        let _ = writeln!(text, "  {:36} {about}", format!("{name} {usage}"));
    }
    let _ = writeln!(text, "  {:36} watch a container for skiffd; not for the command line", "monitor");
    let _ = write!(text, "\noptions: {GLOBAL}");
    text
}
