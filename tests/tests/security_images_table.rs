//! The known causes by which images, archives and registries have broken other engines, and the test that each has here. The
//! list is complete; a row is never taken out, and a row without a test says why. What volumes did is in their own table.

use std::collections::BTreeSet;

/// Identifiers of one cause, and the test, as `FILE::NAME`, or the reason why there is none.
const CAUSES: &[(&str, Result<&str, &str>)] = &[
    ("CVE-2014-6407 CVE-2014-9356 CVE-2020-10696 CVE-2026-17106", Ok("unpack::no_archive_gets_out")),
    ("CVE-2014-9357 CVE-2026-41567", Ok("security_images::no_program_of_the_image_decompresses")),
    ("CVE-2014-9358", Ok("security_images_load::names_in_an_archive_are_no_paths")),
    ("CVE-2014-6408", Ok("security_images_load::an_image_gives_itself_no_rights")),
    ("CVE-2026-53488", Ok("security_images_load::an_image_gives_itself_no_rights")),
    ("CVE-2017-14992", Ok("security_images_load::a_layer_of_zeros_takes_no_memory")),
    ("CVE-2025-58183", Ok("unpack::maps_of_sparse_files_are_bounded")),
    ("CVE-2023-25153", Ok("security_images_load::documents_that_make_no_sense")),
    ("CVE-2021-20291", Ok("security_images::an_archive_that_never_ends_holds_nobody_up")),
    ("CVE-2021-21285", Ok("fuzz::manifests_and_configurations")),
    ("CVE-2021-32760 CVE-2021-41089", Ok("cp::nothing_is_unpacked_outside_while_a_directory_is_swapped_for_a_link")),
    ("CVE-2025-47290", Ok("cp::nothing_is_unpacked_outside_while_a_directory_is_swapped_for_a_link")),
    ("CVE-2021-41190 GHSA-5j5w-g665-5m35", Ok("stranger::a_manifest_must_be_what_the_header_says")),
    ("CVE-2024-3727", Ok("security_images_load::documents_that_make_no_sense")),
    ("NAME-AT-DIGEST", Ok("layout::names_lead_to_images")),
    ("CVE-2020-15157", Ok("stranger::the_token_is_fetched_and_stays_at_home")),
    ("CVE-2020-15157, by urls", Ok("stranger::a_layer_is_never_fetched_from_elsewhere")),
    ("CVE-2021-41092", Ok("registry_auth::a_credential_helper_keeps_the_password")),
    (
        "CVE-2026-50195 CVE-2026-53489 CVE-2026-53492",
        Err("there are no checkpoints here, so no archive of one is ever read"),
    ),
];

/// The files of tests, by name.
const FILES: &[(&str, &str)] = &[
    ("security_images", include_str!("security_images.rs")),
    ("security_images_load", include_str!("security_images_load.rs")),
    ("registry_auth", include_str!("registry_auth/main.rs")),
    ("cp", include_str!("../../chapters/03-unionfs/tests/kernel/cp.rs")),
    ("unpack", include_str!("../../chapters/03-unionfs/tests/kernel/unpack.rs")),
    ("fuzz", include_str!("../../chapters/06-images-registry/tests/store/fuzz.rs")),
    ("layout", include_str!("../../chapters/06-images-registry/tests/store/layout.rs")),
    ("stranger", include_str!("../../chapters/06-images-registry/tests/store/stranger.rs")),
];

fn tests_of(file: &str, text: &str) -> Vec<String> {
    let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
    names.map(|name| format!("{file}::{name}")).collect()
}

#[test]
fn every_cause_has_a_test_and_every_security_test_a_cause() {
    let there: BTreeSet<String> = FILES.iter().flat_map(|(file, text)| tests_of(file, text)).collect();
    let named: BTreeSet<String> = CAUSES.iter().filter_map(|(_, test)| test.ok()).map(str::to_owned).collect();
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:?}");
    let idle: Vec<_> = there.difference(&named).filter(|name| name.starts_with("security_")).collect();
    assert!(idle.is_empty(), "these tests are for no cause: {idle:?}");
}

#[test]
fn no_row_is_there_twice_or_lost() {
    let seen: BTreeSet<_> = CAUSES.iter().map(|(causes, _)| causes).collect();
    assert!(seen.len() == CAUSES.len() && CAUSES.len() >= 19, "no row is ever taken out");
}
