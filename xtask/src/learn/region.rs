//! Regions of a source: the lines between `// SOLUTION id` and `// END SOLUTION`.
//!
//! A region lies inside one function, and nothing after it needs a name that is bound in it: so anything that has the same
//! type may take its place.

use anyhow::{Context as _, Result, bail};

const BEGIN: &str = "// SOLUTION ";
const END: &str = "// END SOLUTION";

/// The ids of all regions of a source, in order. Every one is closed before the next begins.
pub(crate) fn ids(text: &str) -> Result<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().map(str::trim) {
        match line.strip_prefix(BEGIN) {
            Some(id) if open => bail!("region {id} begins inside another one"),
            Some(id) => {
                ids.push(id.to_owned());
                open = true;
            }
            None if line == END && !open => bail!("a region ends that never began"),
            None if line == END => open = false,
            None => {}
        }
    }
    if open {
        bail!("region {} has no `{END}`", ids.last().map_or("", String::as_str));
    }
    Ok(ids)
}

/// What is in the region, without the marks.
pub(crate) fn get(text: &str, id: &str) -> Result<String> {
    let (_, inside, _) = split(text, id)?;
    Ok(inside.concat())
}

/// The number of the region's first line, from 1.
pub(crate) fn line(text: &str, id: &str) -> Result<usize> {
    let (before, ..) = split(text, id)?;
    Ok(before.len() + 1)
}

/// The source with other lines in the region. They are moved to the right as far as the marks are.
pub(crate) fn set(text: &str, id: &str, content: &str) -> Result<String> {
    let (before, _, after) = split(text, id)?;
    let mark = before.last().copied().unwrap_or_default();
    let indent = &mark[..mark.len() - mark.trim_start().len()];
    let content = shift(content, indent);
    Ok([before.concat(), content, after.concat()].concat())
}

/// The lines up to the first mark with it, those of the region, and the rest from the second mark.
fn split<'a>(text: &'a str, id: &str) -> Result<(Vec<&'a str>, Vec<&'a str>, Vec<&'a str>)> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let begin = lines.iter().position(|line| line.trim().strip_prefix(BEGIN) == Some(id));
    let begin = begin.with_context(|| format!("the line `{BEGIN}{id}` is gone; put it back where the hole begins"))?;
    let inside: Vec<&str> = lines.iter().skip(begin + 1).take_while(|line| line.trim() != END).copied().collect();
    let end = begin + 1 + inside.len();
    if end == lines.len() {
        bail!("the line `{END}` of {id} is gone; put it back where the hole ends");
    }
    Ok((lines.iter().take(end - inside.len()).copied().collect(), inside, lines.iter().skip(end).copied().collect()))
}

/// Takes away the indent that all lines share and gives them `indent` instead.
fn shift(content: &str, indent: &str) -> String {
    let filled = || content.lines().filter(|line| !line.trim().is_empty());
    let shared = filled().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let line = |line: &str| match line.get(shared..) {
        Some(rest) if !rest.trim().is_empty() => format!("{indent}{rest}\n"),
        _ => "\n".to_owned(),
    };
    let first = content.lines().position(|line| !line.trim().is_empty()).unwrap_or(0);
    content.trim_end().lines().skip(first).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn f() {\n    // SOLUTION one\n    a();\n\n    b()\n    // END SOLUTION\n}\n";

    #[test]
    fn a_region_is_taken_out_and_put_back() {
        assert_eq!(ids(TEXT).unwrap(), ["one"]);
        assert_eq!(line(TEXT, "one").unwrap(), 3);
        let solution = get(TEXT, "one").unwrap();
        let hole = set(TEXT, "one", "\nlet _ = 1;\nif x {\n    todo!()\n}\n").unwrap();
        assert_eq!(
            hole,
            "fn f() {\n    // SOLUTION one\n    let _ = 1;\n    if x {\n        todo!()\n    }\n    // END SOLUTION\n}\n"
        );
        assert_eq!(set(&hole, "one", &solution).unwrap(), TEXT);
    }

    #[test]
    fn broken_marks_are_named() {
        for (text, says) in [
            ("// SOLUTION a\n", "region a has no"),
            ("// END SOLUTION\n", "never began"),
            ("// SOLUTION a\n// SOLUTION b\n", "inside another"),
        ] {
            assert!(ids(text).unwrap_err().to_string().contains(says), "{text}");
        }
        assert!(get("// SOLUTION a\nx\n", "a").unwrap_err().to_string().contains("`// END SOLUTION` of a is gone"));
        assert!(get("x\n", "a").unwrap_err().to_string().contains("`// SOLUTION a` is gone"));
    }
}
