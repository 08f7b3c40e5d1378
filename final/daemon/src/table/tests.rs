use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::*;

/// `METHOD PATH`, a line each, as the specification of version 1.51 has them.
const SPECIFICATION: &str = include_str!("../../tests/operations.txt");

#[test]
fn the_table_is_the_specification() {
    let table: BTreeSet<String> = operations()
        .iter()
        .filter(|operation| operation.support != Support::Own)
        .map(|operation| format!("{} {}", operation.method, operation.path))
        .collect();
    let specification: BTreeSet<String> = SPECIFICATION.lines().map(str::to_owned).collect();
    let missing: Vec<_> = specification.difference(&table).collect();
    let surplus: Vec<_> = table.difference(&specification).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:?}, not in the specification: {surplus:?}");
}

/// The page of the book. Run with `INSTA_UPDATE=always` to write it anew.
#[test]
fn the_page_of_the_book_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/generated/compatibility.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "{} is out of date: INSTA_UPDATE=always cargo test -p skiffd", path.display());
}

fn page() -> String {
    let operations = operations();
    let count = |support| operations.iter().filter(|operation| operation.support == support).count();
    let mut page = format!(
        "<!-- Made from final/daemon/src/table.rs by its test; do not edit. -->\n\n{} operations are answered as the \
         specification of version 1.51 says, {} are refused with a reason.\n\n| operation | answered | |\n|---|---|---|\n",
        count(Support::Yes),
        count(Support::No)
    );
    for operation in &operations {
        let answered = match operation.support {
            Support::Yes => "yes",
            Support::No => "no",
            Support::Own => "Skiff's own",
        };
        let (method, path, note) = (&operation.method, operation.path, operation.note);
        writeln!(page, "| `{method} {path}` | {answered} | {note} |").unwrap();
    }
    page
}
