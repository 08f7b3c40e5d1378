//! Why a program did not start, in the words by which clients choose their exit status: `docker run` ends with 127 when the
//! program was not found, 126 when it could not be run, 125 for everything else; `docker exec` ends with the code of the exec.

use namespaces::Failure;
use rustix::io::Errno;

use super::plan::log::JOURNAL;
use crate::error::{Error, Kind};

/// What docker says before the reason why a container has not started, but for the programs that it starts one by.
const START: &str = "failed to create task for container: OCI runtime create failed: unable to start container process";
/// What docker says before the reason why an exec has not.
const EXEC: &str = "OCI runtime exec failed: exec failed: unable to start container process";

/// Of a container's start: the error to answer with, and the exit code to keep.
pub(super) fn of_start(failure: Failure) -> (Error, i32) {
    match failure.step.as_str() {
        "execute" => program(START, failure),
        "find the user" | "find the group" => (account(failure), 128),
        "connect to the log's collector" | "look up the log's collector" => (collector(failure), 128),
        _ => (failure.into(), 128),
    }
}

/// Nobody takes the log.
fn collector(failure: Failure) -> Error {
    let there = failure.target.as_deref() != Some(JOURNAL);
    let reason = if there { failure.to_string() } else { "journald is not enabled on this host".to_owned() };
    let message = format!("failed to create task for container: failed to initialize logging driver: {reason}");
    Error { kind: Kind::Internal, message, hint: failure.hint }
}

/// Of an exec: the same. Whatever is in its way, the container is not to blame: 126.
pub(super) fn of_exec(failure: Failure) -> (Error, i32) {
    match failure.step.as_str() {
        "execute" => program(EXEC, failure),
        "find the user" | "find the group" => (account(failure), 126),
        "go to the working directory" => (directory(failure), 126),
        _ => (failure.into(), 126),
    }
}

/// The program itself. A file that has a hint is there: what it needs, its interpreter or the end of a link, is not.
fn program(what: &str, failure: Failure) -> (Error, i32) {
    let program = failure.target.clone().unwrap_or_default();
    let by_path = program.contains('/');
    let (reason, code) = match failure.errno.map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) if by_path && failure.hint.is_some() => ("no such file or directory".to_owned(), 127),
        Some(Errno::NOENT) if by_path => (format!("stat {program}: no such file or directory"), 127),
        Some(Errno::NOENT) => ("executable file not found in $PATH".to_owned(), 127),
        Some(Errno::ACCESS) => ("permission denied".to_owned(), 126),
        _ => (failure.cause.clone().unwrap_or_default().to_lowercase(), 126),
    };
    let message = format!("{what}: exec: \"{program}\": {reason}: unknown");
    (Error { kind: Kind::Invalid, message, hint: failure.hint }, code)
}

/// A user or a group that the image does not have.
fn account(failure: Failure) -> Error {
    let name = failure.target.unwrap_or_default();
    let (what, file) = if failure.step.ends_with("group") { ("group", "group") } else { ("user", "passwd") };
    let message = format!("unable to find {what} {name}: no matching entries in {file} file");
    Error { kind: Kind::Internal, message, hint: failure.hint }
}

fn directory(failure: Failure) -> Error {
    let (path, cause) = (failure.target.unwrap_or_default(), failure.cause.unwrap_or_default().to_lowercase());
    let message = format!("{EXEC}: chdir to cwd (\"{path}\") set in config.json failed: {cause}: unknown");
    Error { kind: Kind::Internal, message, hint: failure.hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(step: &str, target: &str, errno: Errno) -> Failure {
        Failure { errno: Some(errno.raw_os_error()), ..Failure::new(step, errno).on(target) }
    }

    fn said((error, code): (Error, i32)) -> String {
        format!("{code} {} {error}", error.kind.status())
    }

    #[test]
    fn clients_find_the_words_they_look_for() {
        let cases = [
            failure("execute", "foo", Errno::NOENT),
            failure("execute", "/foo", Errno::NOENT),
            failure("execute", "/etc/passwd", Errno::ACCESS),
            failure("execute", "/script", Errno::NOENT).hint("Its interpreter is not in the image."),
            failure("execute", "/x", Errno::NOEXEC),
            Failure::new("find the user", "nobody by this name").on("who").hint("Use a number."),
            Failure::new("make the namespaces", "not permitted").on("web"),
            failure("connect to the log's collector", JOURNAL, Errno::NOENT),
            failure("connect to the log's collector", "127.0.0.1:514", Errno::CONNREFUSED),
        ];
        insta::assert_snapshot!(cases.map(of_start).map(said).join("\n"));
    }

    #[test]
    fn an_exec_is_to_blame_for_its_own_trouble() {
        let cases = [
            failure("execute", "foo", Errno::NOENT),
            failure("go to the working directory", "/no/such/place", Errno::NOENT),
            Failure::new("find the user", "nobody by this name").on("who"),
            Failure::new("find the group", "nobody by this name").on("wheel"),
            Failure::new("join the namespaces", "not permitted").on("web"),
        ];
        insta::assert_snapshot!(cases.map(of_exec).map(said).join("\n"));
    }
}
