//! Why a container did not start, in the words by which clients choose their exit status: `docker run` ends with 127 when
//! the program was not found, 126 when it could not be run, 125 for everything else.

use namespaces::Failure;
use rustix::io::Errno;

use crate::error::{Error, Kind};

/// The error to answer with, and the exit code to keep.
pub(super) fn of(failure: Failure) -> (Error, i32) {
    if failure.step != "execute" {
        return (failure.into(), 128);
    }
    let program = failure.target.clone().unwrap_or_default();
    let by_path = program.contains('/');
    let (reason, code) = match failure.errno.map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) if by_path => (format!("stat {program}: no such file or directory"), 127),
        Some(Errno::NOENT) => ("executable file not found in $PATH".to_owned(), 127),
        Some(Errno::ACCESS) => ("permission denied".to_owned(), 126),
        _ => (failure.cause.clone().unwrap_or_default().to_lowercase(), 126),
    };
    let message = format!("failed to create task for container: exec: \"{program}\": {reason}");
    (Error { kind: Kind::Invalid, message, hint: failure.hint }, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_find_the_words_they_look_for() {
        let failure = |target: &str, errno: Errno| Failure {
            errno: Some(errno.raw_os_error()),
            ..Failure::new("execute", errno).on(target)
        };
        let cases = [
            failure("foo", Errno::NOENT),
            failure("/foo", Errno::NOENT),
            failure("/etc/passwd", Errno::ACCESS),
            failure("/x", Errno::NOEXEC),
            Failure::new("become the user", "no such user").on("web"),
        ];
        let said = cases.map(of).map(|(error, code)| format!("{code} {} {}", error.kind.status(), error.message));
        insta::assert_snapshot!(said.join("\n"));
    }
}
