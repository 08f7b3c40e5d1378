//! System calls that a container has no use for and that have been ways out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use skiff_tests::Daemon;

/// CVE-2026-31431, CVE-2022-0492: sockets to the kernel's cryptography and to the host's hypervisor, new user namespaces,
/// and the calls that docker's profile keeps for root's rights.
#[test]
fn calls_that_lead_out_are_refused() {
    let daemon = Daemon::start();
    // The machine's own perl, which calls by number. 41 socket, 272 unshare, 56 clone, 321 bpf, 250 keyctl,
    // 298 perf_event_open, 135 personality, 165 mount, 304 open_by_handle_at, 425 io_uring_setup, 246 kexec_load.
    let script = r#"
        my %calls = (
            'AF_ALG' => [41, 38, 5, 0], 'AF_VSOCK' => [41, 40, 1, 0], 'unshare user' => [272, 0x10000000],
            'unshare cgroup' => [272, 0x02000000], 'clone user' => [56, 0x10000011, 0, 0, 0, 0], 'bpf' => [321, 0, 0, 0],
            'keyctl' => [250, 0, -3, 0], 'perf' => [298, 0, 0, 0, 0, 0], 'personality' => [135, 0x0400000],
            'mount' => [165, 0, 0, 0, 0, 0], 'handle' => [304, 0, 0, 0], 'uring' => [425, 1, 0], 'kexec' => [246, 0, 0, 0, 0],
        );
        for my $name (sort keys %calls) {
            my @call = @{$calls{$name}};
            my $answer = syscall($call[0], @call[1..$#call]);
            print "$name: ", ($answer == -1 && $!{EPERM} ? 'refused' : "answered $answer $!"), "\n";
        }
        print "AF_INET: ", (syscall(41, 2, 1, 0) >= 0 ? 'allowed' : "refused $!"), "\n";
    "#;
    let script = format!("use Errno; {script}");
    let perl = [
        "-v",
        "/usr:/usr:ro",
        "-v",
        "/usr/lib:/lib:ro",
        "-v",
        "/usr/lib64:/lib64:ro",
        "busybox",
        "/usr/bin/perl",
        "-e",
        &script,
    ];
    let ran = daemon.skiff(&[&["run", "--rm"][..], &perl].concat());
    for line in ran.ok().lines() {
        assert!(
            line.ends_with(": refused") || line == "AF_INET: allowed" || line.starts_with("AF_VSOCK: answered -1"),
            "{ran}"
        );
    }
    assert_eq!(ran.stdout.lines().count(), 14, "{ran}");
    let off = daemon.skiff(&[&["run", "--rm", "--security-opt", "seccomp=unconfined"][..], &perl].concat());
    assert!(
        off.ok().contains("unshare cgroup: ref") || off.ok().contains("personality: answered"),
        "the filter is what refuses: {off}"
    );
    daemon.finish();
}
