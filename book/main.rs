//! Builds the book: checks first that every piece of source it includes exists, because mdBook renders a missing anchor as
//! an empty block and says nothing.

mod includes;

use std::path::Path;

use anyhow::{Result, bail};
use mdbook_driver::MDBook;

fn main() -> Result<()> {
    let book = Path::new(env!("CARGO_MANIFEST_DIR"));
    let missing = includes::missing(&book.join("src"))?;
    for include in &missing {
        eprintln!("{include}");
    }
    if !missing.is_empty() {
        bail!("{} includes lead nowhere", missing.len());
    }
    MDBook::load(book)?.build()?;
    println!("book: {}", book.join("build/index.html").display());
    Ok(())
}
