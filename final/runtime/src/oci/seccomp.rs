//! The `linux.seccomp` of a `config.json` as a program. The profile's format is chapter 1's matter
//! ([`namespaces::seccomp::json`]); here is what only an OCI runtime has: somebody who is asked about calls.

use namespaces::seccomp::json::Document;
use namespaces::seccomp::{Program, compile};
use namespaces::{Failure, Result};

/// The compiled filter. Conditions on capabilities are docker's and not the specification's; nobody has any here.
pub(super) fn program(profile: &Document) -> Result<Program> {
    let profile = profile.profile(0)?;
    if profile.notifies() {
        return Err(
            Failure::new("use the seccomp profile", "an agent that is notified is not supported").on("SCMP_ACT_NOTIFY")
        );
    }
    Ok(compile(&profile))
}
