//! docker-py's integration tests. Only the source archive of 6.1.3 still has them; the client may be a newer one.

use anyhow::Result;

use super::daemon::serve;
use super::{Bench, Outcomes, python};

/// The last version whose source archive has the tests.
const TESTS: &str = "6.1.3";
/// The client that people have today.
const NEWEST: &str = "7.2.0";

/// The tests with today's client.
pub(super) fn newest(bench: &Bench) -> Result<Outcomes> {
    run(bench, NEWEST, &["requests", "urllib3"])
}

/// The tests with their own client, which needs libraries of its time.
pub(super) fn with_tests(bench: &Bench) -> Result<Outcomes> {
    run(bench, TESTS, &["requests<2.32", "urllib3<2"])
}

fn run(bench: &Bench, client: &str, libraries: &[&str]) -> Result<Outcomes> {
    let client = format!("docker=={client}");
    let packages = [&["pytest", "pytest-timeout", "paramiko", "websocket-client", &client], libraries].concat();
    let python = python::environment(&bench.directory, "environment", &packages)?;
    let source = python::source(&bench.directory, &python, "docker", TESTS)?;
    // Away from the package of the source, which Python would prefer to the one that is installed.
    let tests = super::once(&bench.directory, "checkout", |scratch| {
        crate::shell::run(std::process::Command::new("cp").arg("-r").arg(source.join("tests")).arg(scratch))
    })?;
    let scratch = tempfile::tempdir()?;
    let served = serve(scratch.path(), &["alpine:3.10", "busybox:latest"])?;
    let mut pytest = served.command(&python);
    pytest.current_dir(tests).args(["-m", "pytest", "--timeout=120"]);
    let outcomes = python::pytest(&mut pytest, "tests/integration", &bench.skip)?;
    served.finish();
    Ok(outcomes)
}
