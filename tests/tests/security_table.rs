//! The known causes by which containers were left, and the test that each has here. The list is complete for runtimes; a row
//! is never taken out, and a row without a test says why.

use std::collections::BTreeSet;

/// Identifiers of one cause, and the test, as `FILE::NAME`, or the reason why there is none.
const CAUSES: &[(&str, Result<&str, &str>)] = &[
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
    (
        "CVE-2014-8989",
        Err(
            "root could change his groups before; of an ordinary user the kernel takes no map until setgroups is denied",
        ),
    ),
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

/// The files of tests, by name.
const FILES: &[(&str, &str)] = &[
    ("security_descriptors", include_str!("security_descriptors.rs")),
    ("security_kernel_files", include_str!("security_kernel_files.rs")),
    ("security_messages", include_str!("security_messages.rs")),
    ("security_races", include_str!("security_races.rs")),
    ("security_symlinks", include_str!("security_symlinks.rs")),
    ("security_system_calls", include_str!("security_system_calls.rs")),
    ("security_users", include_str!("security_users.rs")),
];

fn tests_of(file: &str, text: &str) -> Vec<String> {
    let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
    names.map(|name| format!("{file}::{name}")).collect()
}

#[test]
fn every_cause_has_a_test_and_every_test_a_cause() {
    let there: BTreeSet<String> = FILES.iter().flat_map(|(file, text)| tests_of(file, text)).collect();
    let named: BTreeSet<String> =
        CAUSES.iter().filter_map(|(_, test)| test.ok()).map(std::borrow::ToOwned::to_owned).collect();
    assert_eq!(named, there);
}

#[test]
fn every_row_has_identifiers_and_none_is_there_twice() {
    let mut seen = BTreeSet::new();
    for (causes, _) in CAUSES {
        for id in causes.split(", by").next().unwrap_or_default().split(' ') {
            assert!(id.starts_with("CVE-") || id.starts_with("GHSA-"), "{id}");
        }
        assert!(seen.insert(causes), "{causes} is there twice");
    }
    assert!(CAUSES.len() >= 28, "no row is ever taken out");
}
