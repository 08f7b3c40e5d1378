//! The built book in a real browser: Debian's Chromium, without a window, as wide as a phone.
//!
//! 1. `chromium.rs`: the browser, and what is said to it (the DevTools protocol).
//! 2. `theme.js`, `page.js`: a theme is put on, and what is measured in a page; both run there.
//! 3. Here: every page of every language, and the search.

mod chromium;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use chromium::{Chromium, Tab};

/// Teaches the page `wear(theme)`.
const THEMES: &str = include_str!("theme.js");
/// Measures the page it runs in; its value is a [`Measured`].
const MEASURE: &str = include_str!("page.js");
/// Looks for a word as a reader does, and returns the pages that are found.
const SEARCH: &str = include_str!("search.js");
/// The width of a small phone, in CSS pixels.
const PHONE: u32 = 360;

/// What `page.js` found.
#[derive(Debug, Deserialize)]
struct Measured {
    /// Its content's width.
    width: u32,
    /// What sticks out, if something does.
    wide: Vec<String>,
    /// Texts that have too little contrast, each with its theme and colours.
    faint: Vec<String>,
    /// Texts that were measured: a page without any has not been looked at.
    texts: usize,
}

/// Opens every page below `build`; with `pictures`, puts a picture of each, in both themes, into that directory.
/// Returns what is not as it should be.
pub(crate) fn check(build: &Path, pictures: Option<&Path>) -> Result<Vec<String>> {
    let chromium = Chromium::start()?;
    let mut tab = chromium.tab(PHONE)?;
    let mut findings = Vec::new();
    let mut texts = 0;
    let pages = pages(build)?;
    for page in &pages {
        let name = page.strip_prefix(build).unwrap_or(page).display().to_string();
        tab.open(page)?;
        tab.evaluate(THEMES)?;
        let measured: Measured =
            serde_json::from_value(tab.evaluate(MEASURE)?).with_context(|| format!("cannot measure {name}"))?;
        texts += measured.texts;
        if measured.texts == 0 {
            findings.push(format!("{name}: no text is to be seen"));
        }
        if measured.width > PHONE {
            let wide = measured.wide.join(", ");
            findings.push(format!("{name}: {} pixels wide on a phone of {PHONE}: {wide}", measured.width));
        }
        findings.extend(measured.faint.iter().map(|faint| format!("{name}: too little contrast: {faint}")));
        if let Some(directory) = pictures {
            picture(&mut tab, directory, &name)?;
        }
        findings.extend(tab.complaints()?.into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    findings.extend(search(&mut tab, &build.join("index.html"))?);
    println!("book: {} pages in a browser, {texts} texts in two themes", pages.len());
    Ok(findings)
}

/// The search finds `pivot_root` in the chapter that is about it.
fn search(tab: &mut Tab<'_>, index: &Path) -> Result<Vec<String>> {
    tab.open(index)?;
    let found: Vec<String> = serde_json::from_value(tab.evaluate(SEARCH)?)?;
    let mut findings = tab.complaints()?;
    if !found.iter().any(|link| link.contains("01-namespaces.html")) {
        findings.push(format!("the search for pivot_root finds {found:?} and not the chapter about it"));
    }
    Ok(findings)
}

/// A picture of the page as it is seen first, in the light and in the dark theme.
fn picture(tab: &mut Tab<'_>, directory: &Path, name: &str) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for theme in ["light", "navy"] {
        tab.evaluate(&format!("wear('{theme}')"))?;
        let file = directory.join(format!("{}-{theme}.png", name.replace(['/', '.'], "-")));
        std::fs::write(&file, tab.picture()?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Every page. The one for printing is all of them again, and `toc.html` is a part of others.
fn pages(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "generated" {
            pages.extend(self::pages(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "html")
            && !["print.html", "toc.html", "404.html"].contains(&name)
        {
            pages.push(path);
        }
    }
    if pages.is_empty() && directory.ends_with("build") {
        bail!("there is no page in {}", directory.display());
    }
    pages.sort();
    Ok(pages)
}
