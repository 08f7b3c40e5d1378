//! Diagrams: drawn in the page as text with the characters for boxes and arrows, shown as SVG.
//!
//! A `diagram` block's info has the words for who cannot see it: ```` ```diagram "Two processes, one kernel" ````. Lines and
//! letters have the colour of the text around them, so that a diagram is right in every theme.

use crate::page::Page;

/// Size of one character, in the SVG's own units.
const WIDE: usize = 9;
const HIGH: usize = 18;

/// Cells that a letter takes: two for Chinese, Japanese and Korean ones (UAX 11, "East Asian Width": wide and fullwidth).
fn cells(letter: char) -> usize {
    let wide = ['\u{1100}'..='\u{115f}', '\u{2e80}'..='\u{a4cf}', '\u{ac00}'..='\u{d7a3}', '\u{f900}'..='\u{faff}']
        .iter()
        .chain(&['\u{fe30}'..='\u{fe6f}', '\u{ff00}'..='\u{ff60}', '\u{ffe0}'..='\u{ffe6}'])
        .any(|range| range.contains(&letter));
    if wide { 2 } else { 1 }
}

/// Cells that a text takes.
fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

/// The page with its diagrams as SVG.
pub(crate) fn render(text: &str) -> String {
    let mut page = text.to_owned();
    let source = Page { path: std::path::PathBuf::new(), text: text.to_owned() };
    for block in source.blocks().into_iter().filter(|block| block.info.starts_with("diagram")) {
        let fenced = format!("```{}\n{}\n```\n", block.info, block.lines.join("\n"));
        let words = block.info.trim_start_matches("diagram").trim().trim_matches('"');
        page = page.replacen(&fenced, &svg(&block.lines, words), 1);
    }
    page
}

/// The SVG: a path for all lines, and a text for each run of other characters.
fn svg(lines: &[&str], words: &str) -> String {
    let wide = lines.iter().map(|line| width(line)).max().unwrap_or(0) * WIDE;
    let high = lines.len() * HIGH + 6;
    let mut path = String::new();
    let mut texts = String::new();
    for (row, line) in lines.iter().enumerate() {
        let (y, mut run, mut begun, mut next) = (row * HIGH, String::new(), 0, 0);
        for letter in line.chars().chain(" ".chars()) {
            let column = next;
            next += cells(letter);
            let strokes = strokes(letter, column * WIDE, y);
            let ends = !strokes.is_empty() || (letter == ' ' && run.ends_with(' ')) || column == width(line);
            if ends && !run.trim().is_empty() {
                let x = begun * WIDE;
                let length = width(run.trim_end()) * WIDE;
                texts.push_str(&text(x, y + HIGH - 5, length, run.trim_end()));
            }
            if ends {
                run.clear();
            }
            if strokes.is_empty() && (letter != ' ' || !run.is_empty()) {
                if run.is_empty() {
                    begun = column;
                }
                run.push(letter);
            }
            path.push_str(&strokes);
        }
    }
    let words = escape(words);
    format!(
        "<figure class=\"diagram\"><svg role=\"img\" aria-label=\"{words}\" viewBox=\"0 0 {wide} {high}\" \
         width=\"{wide}\"><title>{words}</title><path d=\"{path}\"/>{texts}</svg></figure>\n"
    )
}

fn text(x: usize, y: usize, length: usize, run: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" xml:space=\"preserve\">{}</text>", escape(run))
}

/// The strokes of a character for boxes and arrows: from the middle of its cell to the sides that it reaches.
fn strokes(letter: char, x: usize, y: usize) -> String {
    let (left, right, up, down) = match letter {
        '─' => (true, true, false, false),
        '│' => (false, false, true, true),
        '┌' => (false, true, false, true),
        '┐' => (true, false, false, true),
        '└' => (false, true, true, false),
        '┘' => (true, false, true, false),
        '├' => (false, true, true, true),
        '┤' => (true, false, true, true),
        '┬' => (true, true, false, true),
        '┴' => (true, true, true, false),
        '┼' => (true, true, true, true),
        _ => return head(letter, x, y),
    };
    let (middle, centre) = (x + WIDE / 2, y + HIGH / 2);
    let stroke = |reached: bool, x: usize, y: usize| {
        if reached { format!("M{middle} {centre}L{x} {y}") } else { String::new() }
    };
    [stroke(left, x, centre), stroke(right, x + WIDE, centre), stroke(up, middle, y), stroke(down, middle, y + HIGH)]
        .concat()
}

/// An arrow's head.
fn head(letter: char, x: usize, y: usize) -> String {
    let (middle, centre) = (x + WIDE / 2, y + HIGH / 2);
    match letter {
        '▶' => format!("M{x} {}L{} {centre}L{x} {}Z", centre - 4, x + WIDE, centre + 4),
        '◀' => format!("M{} {}L{x} {centre}L{} {}Z", x + WIDE, centre - 4, x + WIDE, centre + 4),
        '▼' => format!("M{x} {}L{middle} {}L{} {}Z", centre - 4, centre + 6, x + WIDE, centre - 4),
        '▲' => format!("M{x} {}L{middle} {}L{} {}Z", centre + 4, centre - 6, x + WIDE, centre + 4),
        _ => String::new(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_become_lines_and_letters_stay() {
        let page = "before\n```diagram \"a box\"\n┌─┐\n│a│\n└─┘\n```\nafter\n";
        let drawn = render(page);
        assert!(drawn.starts_with("before\n<figure") && drawn.ends_with("</figure>\nafter\n"), "{drawn}");
        assert!(drawn.contains("aria-label=\"a box\"") && drawn.contains(">a</text>"));
        assert_eq!(drawn.matches("<text").count(), 1);
    }

    #[test]
    fn a_chinese_letter_takes_two_cells() {
        let drawn = svg(&["┌──┐", "│层│", "└──┘"], "一层");
        assert!(drawn.contains("width=\"36\"") && drawn.contains("textLength=\"18\""), "{drawn}");
    }
}
