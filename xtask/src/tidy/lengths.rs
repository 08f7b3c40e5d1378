//! Lengths: a file or function that outgrows its limit is missing a concept. Also: `unsafe` only in `sys` modules, no
//! open ends in the text, and the share of documentation in the chapters.

use std::path::Path;

use anyhow::Result;
use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// Lines of a file.
const FILE: usize = 500;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION: usize = 60;
/// Documentation lines of all lines that are not blank, in percent, for each chapter.
const DOCS: usize = 25;

/// The findings in one file.
pub(crate) fn check(name: &Path, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > FILE && name.extension().is_some_and(|extension| extension == "rs") {
        findings.push(format!("{}:{lines}: file of {lines} lines, {FILE} at most", name.display()));
    }
    let open_ends = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "#[ig".to_owned() + "nore"];
    for (number, line) in text.lines().enumerate() {
        if let Some(word) = open_ends.iter().find(|word| line.contains(word.as_str())) {
            findings.push(format!("{}:{}: an open end: {word}", name.display(), number + 1));
        }
    }
    if let Ok(file) = syn::parse_file(text) {
        let mut functions = Functions { name, findings: &mut findings };
        functions.visit_file(&file);
    }
    findings
}

/// Chapters whose documentation is thinner than the limit.
pub(crate) fn docs_share(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for chapter in std::fs::read_dir(root.join("chapters"))? {
        let chapter = chapter?.path();
        let (mut docs, mut all) = (0, 0);
        count(&chapter.join("src"), &mut docs, &mut all)?;
        let share = docs * 100 / all.max(1);
        if share < DOCS {
            findings.push(format!("{}: {share} % documentation, {DOCS} % at least", chapter.display()));
        }
    }
    Ok(findings)
}

fn count(directory: &Path, docs: &mut usize, all: &mut usize) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            count(&path, docs, all)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            // Tests, in their file or at the end of one, are neither code that is read for its lesson nor documentation.
            let text = std::fs::read_to_string(&path)?;
            let taught = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in taught.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
                *all += 1;
                *docs += usize::from(line.starts_with("//"));
            }
        }
    }
    Ok(())
}

struct Functions<'a> {
    name: &'a Path,
    findings: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn length(&mut self, name: &str, span: Span) {
        let lines = span.end().line.saturating_sub(span.start().line) + 1;
        if lines > FUNCTION {
            let at = span.start().line;
            self.findings.push(format!("{}:{at}: `{name}` has {lines} lines, {FUNCTION} at most", self.name.display()));
        }
    }

    fn unsafe_block(&mut self, span: Span) {
        let in_sys = self.name.components().any(|part| matches!(part.as_os_str().to_str(), Some("sys" | "sys.rs")));
        if !in_sys {
            self.findings.push(format!("{}:{}: unsafe outside a `sys` module", self.name.display(), span.start().line));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.length(
            &function.sig.ident.to_string(),
            function.sig.span().join(function.block.span()).unwrap_or_else(|| function.block.span()),
        );
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.length(
            &function.sig.ident.to_string(),
            function.sig.span().join(function.block.span()).unwrap_or_else(|| function.block.span()),
        );
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.unsafe_block(block.span());
        visit::visit_expr_unsafe(self, block);
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use std::path::Path;

    #[test]
    fn long_functions_and_stray_unsafe_are_found() {
        let long = format!("fn long() {{\n{}}}\nfn f() {{ unsafe {{ g() }} }}\n", "    h();\n".repeat(60));
        let found = check(Path::new("a.rs"), &long);
        assert_eq!(found, ["a.rs:1: `long` has 62 lines, 60 at most", "a.rs:63: unsafe outside a `sys` module"]);
        assert!(check(Path::new("src/sys.rs"), "fn f() { unsafe { g() } }").is_empty());
    }
}
