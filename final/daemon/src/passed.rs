//! Sockets that systemd has opened before it started us (`sd_listen_fds(3)`): clients can connect before we run.

use std::os::fd::OwnedFd;

use rustix::io::FdFlags;

use crate::sys;

/// A socket and the name that its unit gives it.
pub(crate) type Named = (String, OwnedFd);

/// Takes what was passed to this very process. To be called once, before anything is opened.
pub(crate) fn take() -> Vec<Named> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let count = count(&variable("LISTEN_PID"), &variable("LISTEN_FDS"), std::process::id());
    let names = variable("LISTEN_FDNAMES");
    let names = names.split(':').map(str::to_owned).chain(std::iter::repeat_with(String::new));
    let sockets = sys::take_over(count);
    for socket in &sockets {
        // The monitors that we start must not have it.
        let _ = rustix::io::fcntl_setfd(socket, FdFlags::CLOEXEC);
    }
    names.zip(sockets).collect()
}

/// How many there are; none when they are for another process, from which we have inherited the variables.
fn count(pid: &str, count: &str, us: u32) -> i32 {
    let meant = pid.parse() == Ok(us);
    count.parse().ok().filter(|count| meant && (0..1024).contains(count)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_for_us_is_taken() {
        assert_eq!([count("7", "2", 7), count("8", "2", 7), count("", "", 7), count("7", "x", 7)], [2, 0, 0, 0]);
    }
}
