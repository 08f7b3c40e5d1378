//! The known causes by which containers were left, and the test that each has here. The lists are complete for runtimes, for
//! what looks into containers, and for daemons and their networks; a row is never taken out, and a row without a test says
//! why.

use std::collections::BTreeSet;

/// Identifiers of one cause, or a word for one without, and the test, as `FILE::NAME`, or the reason why there is none.
type Row = (&'static str, Result<&'static str, &'static str>);

/// The runtime: how a program gets out of its container.
const RUNTIME: &[Row] = &[
    ("CVE-2016-9962", Ok("security_descriptors::nobody_inside_sees_a_descriptor_of_a_program_that_enters")),
    ("CVE-2019-5736", Ok("security_descriptors::the_runtimes_own_file_cannot_be_written")),
    ("CVE-2024-21626", Ok("security_descriptors::no_number_of_a_working_directory_is_a_directory_of_the_host")),
    ("CVE-2024-21626, by exec", Ok("security_descriptors::no_number_of_an_execs_working_directory_either")),
    ("CVE-2025-31133", Ok("security_symlinks::masks_are_made_of_the_real_null_device")),
    ("CVE-2025-52565", Ok("security_symlinks::the_console_is_the_runtimes_own_terminal")),
    ("CVE-2025-52881 CVE-2019-19921 CVE-2019-16884", Ok("security_symlinks::nothing_but_proc_is_mounted_on_proc")),
    ("CVE-2026-41579 CVE-2026-47766", Ok("security_symlinks::a_dev_that_leads_outside_gets_no_devices_there")),
    ("CVE-2026-41579, by files", Ok("security_symlinks::devices_of_the_image_are_not_used")),
    ("CVE-2021-30465 CVE-2024-45310", Ok("security_races::a_mount_point_that_becomes_a_link_leads_nowhere")),
    ("CVE-2023-27561 CVE-2023-28642", Ok("security_symlinks::a_proc_or_sys_that_is_a_link_is_refused")),
    ("CVE-2019-18837 CVE-2017-1002101", Ok("security_symlinks::a_mount_point_that_leads_outside_stays_inside")),
    ("CVE-2026-30892 CVE-2026-46680 CVE-2024-40635", Ok("security_users::digits_are_always_ids")),
    ("CVE-2026-47262 CVE-2024-9676", Ok("security_users::files_of_the_image_can_neither_hang_nor_fill_memory")),
    (
        "CVE-2022-24769 CVE-2022-27649 CVE-2022-27650 CVE-2022-29162 CVE-2016-8867",
        Ok("security_users::no_capability_is_inheritable_or_ambient"),
    ),
    (
        "CVE-2022-2990 CVE-2022-2995 CVE-2022-36109 CVE-2023-25173",
        Ok("security_users::groups_have_the_primary_one_among_them"),
    ),
    ("CVE-2014-8989", Ok("security_users::an_ordinary_user_keeps_the_groups_that_he_is_kept_out_by")),
    ("CVE-2023-25809 CVE-2022-0492", Ok("security_kernel_files::the_cgroup_tree_can_only_be_read")),
    ("CVE-2022-0811", Ok("security_kernel_files::only_sysctls_of_a_namespace_can_be_set")),
    ("CVE-2021-43784", Ok("security_messages::long_lists_arrive_whole_or_are_refused")),
    ("CVE-2021-43784, by words", Ok("security_messages::a_runtime_that_is_talked_nonsense_to_ends")),
    (
        "CVE-2022-0847",
        Err(
            "the kernel's own fault; that no file of the host is executed which a container can reach is CVE-2019-5736",
        ),
    ),
    ("CVE-2026-31431", Ok("security_system_calls::calls_that_lead_out_are_refused")),
    (
        "CVE-2018-10892 GHSA-6fw5-f8r9-fgfm GHSA-jq35-85cj-fj4p CVE-2015-3630",
        Ok("security_kernel_files::files_that_tell_of_the_host_are_masked"),
    ),
    ("CVE-2015-3627", Ok("security_descriptors::descriptors_of_the_caller_do_not_come_along")),
    ("CVE-2015-3629 CVE-2015-3631", Ok("security_kernel_files::switches_of_the_kernel_cannot_be_written")),
    ("CVE-2021-43816", Err("nothing is ever relabelled here: SELinux labels of files are left as they are")),
    ("CVE-2018-20699", Ok("security_messages::lists_of_processors_are_bounded")),
];

/// `cp`, `export`, `top`, `logs`, `attach`, `exec`: whoever looks into a container meets what the container has put there.
const LOOKING_IN: &[Row] = &[
    ("CVE-2018-15664", Ok("cp::nothing_is_unpacked_outside_while_a_directory_is_swapped_for_a_link")),
    ("CVE-2019-10152 CVE-2023-0778", Ok("cp::nothing_of_the_host_is_packed_while_a_directory_is_swapped_for_a_link")),
    (
        "CVE-2019-14271",
        Err("there is no second program for archives, and all of them are static: none loads a library of a container"),
    ),
    (
        "GHSA-vp62-88p7-qqf5 CVE-2026-42306 GHSA-rg2x-37c3-w2rh",
        Ok("race::a_mount_point_swapped_for_a_link_leads_nowhere_outside"),
    ),
    ("CVE-2022-1227", Ok("security_daemon::nothing_of_a_container_is_run_to_look_at_it")),
    ("CVE-2022-31030 CVE-2022-1708", Ok("security_daemon::output_that_nobody_reads_is_not_kept")),
    ("CVE-2022-23471 CVE-2025-64329", Ok("security_daemon::abandoned_clients_leave_nothing")),
    ("CVE-2018-20699, by the daemon", Ok("security_daemon::a_list_of_processors_is_not_counted_out")),
];

/// The daemon, its API and its networks.
const DAEMON: &[Row] = &[
    (
        "CVE-2024-41110 CVE-2026-34040",
        Err(
            "there are no authorization plugins; who may use the socket may do everything, and the flag for them is refused",
        ),
    ),
    (
        "CVE-2020-15257 CVE-2021-41091 CVE-2024-25621 CVE-2021-41103 CVE-2021-21284",
        Ok("security_daemon::nobody_else_reaches_data_and_sockets"),
    ),
    ("CVE-2020-14370", Ok("security_daemon::what_one_container_is_given_no_other_has_nor_the_log")),
    ("CVE-2019-13509", Ok("security_daemon::what_one_container_is_given_no_other_has_nor_the_log")),
    ("CVE-2022-27191", Ok("daemon_flags::without_a_certificate_somebody_has_to_insist")),
    (
        "DNS-rebinding",
        Err(
            "a web page reaches no unix socket and has no client certificate; a port without both has a flag that says what it is",
        ),
    ),
    ("CVE-2024-29018", Ok("names::other_names_are_asked_for_outside_but_not_from_an_internal_network")),
    ("CVE-2024-32473 CVE-2020-13401", Ok("security::no_ipv6_without_a_subnet_and_no_router_behind_a_bridge")),
    ("CVE-2021-20199", Ok("security::a_published_port_shows_who_has_come")),
    (
        "CVE-2025-67499 CVE-2025-54388 CVE-2025-54410",
        Ok("security::rules_that_others_flush_come_back_and_catch_only_what_is_for_the_host"),
    ),
    ("routed-access", Ok("reach::who_reaches_whom")),
    (
        "CVE-2023-28840 CVE-2023-28841 CVE-2023-28842",
        Err("there are no networks across machines, so none is encrypted"),
    ),
    ("CVE-2024-8418", Ok("hostile::hostile_packets_and_silent_connections_keep_nobody_else_waiting")),
    ("etcd-overlay", Err("there are no networks across machines, and no store outside the data root is read")),
];

fn all() -> impl Iterator<Item = &'static Row> {
    [RUNTIME, LOOKING_IN, DAEMON].into_iter().flatten()
}

/// The files of tests, by name, and whether all tests of the file are about known causes.
const FILES: &[(&str, &str, bool)] = &[
    ("security_daemon", include_str!("security_daemon.rs"), true),
    ("security_descriptors", include_str!("security_descriptors.rs"), true),
    ("security_kernel_files", include_str!("security_kernel_files.rs"), true),
    ("security_messages", include_str!("security_messages.rs"), true),
    ("security_races", include_str!("security_races.rs"), true),
    ("security_symlinks", include_str!("security_symlinks.rs"), true),
    ("security_system_calls", include_str!("security_system_calls.rs"), true),
    ("security_users", include_str!("security_users.rs"), true),
    ("security", include_str!("network/security.rs"), true),
    ("daemon_flags", include_str!("daemon_flags.rs"), false),
    ("names", include_str!("network/names.rs"), false),
    ("hostile", include_str!("network/hostile.rs"), false),
    ("reach", include_str!("network/reach.rs"), false),
    ("cp", include_str!("../../chapters/03-unionfs/tests/kernel/cp.rs"), false),
    ("race", include_str!("../../chapters/05-volumes/tests/race.rs"), false),
];

fn tests_of(file: &str, text: &str) -> BTreeSet<String> {
    let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
    names.map(|name| format!("{file}::{name}")).collect()
}

#[test]
fn every_cause_has_a_test_and_every_test_a_cause() {
    let of = |wanted: fn(bool) -> bool| -> BTreeSet<String> {
        FILES.iter().filter(|file| wanted(file.2)).flat_map(|(file, text, _)| tests_of(file, text)).collect()
    };
    let named: BTreeSet<String> = all().filter_map(|(_, test)| test.ok()).map(str::to_owned).collect();
    let missing: Vec<_> = named.difference(&of(|_| true)).cloned().collect();
    assert!(missing.is_empty(), "named and not there: {missing:?}");
    let unnamed: Vec<_> = of(|only| only).difference(&named).cloned().collect();
    assert!(unnamed.is_empty(), "there and not named: {unnamed:?}");
}

/// Causes that nobody has numbered.
const WITHOUT_NUMBER: [&str; 3] = ["DNS-rebinding", "routed-access", "etcd-overlay"];

#[test]
fn every_row_has_identifiers_and_none_is_there_twice() {
    let mut seen = BTreeSet::new();
    for (causes, _) in all() {
        for id in causes.split(", by").next().unwrap_or_default().split(' ') {
            assert!(id.starts_with("CVE-") || id.starts_with("GHSA-") || WITHOUT_NUMBER.contains(&id), "{id}");
        }
        assert!(seen.insert(causes), "{causes} is there twice");
    }
    assert!(all().count() >= 50, "no row is ever taken out");
}
