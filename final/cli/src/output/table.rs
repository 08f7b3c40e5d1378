//! Columns as docker lays them out: each as wide as its widest cell and three spaces, at least ten.

/// The space between two columns.
const GAP: usize = 3;

/// The least width of a column, with its gap.
const LEAST: usize = 10;

/// Lays out rows of cells. The last cell of a row is not padded, and every line ends with a newline.
pub(crate) fn layout(rows: &[Vec<String>]) -> String {
    layout_wide(rows, LEAST)
}

/// The same with another least width of a column.
pub(crate) fn layout_wide(rows: &[Vec<String>], least: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    // Only a cell with a neighbour to its right decides about a width.
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count() + GAP).max().unwrap_or(0).max(least)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            out.push_str(cell);
            if place + 1 < row.len() {
                let width = widths.get(place).copied().unwrap_or(0);
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
        out.push('\n');
    }
    out
}

/// Lays out lines whose cells are separated by tabs, as templates write them.
pub(crate) fn layout_lines(text: &str) -> String {
    let rows: Vec<Vec<String>> = text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    layout(&rows)
}

/// At most `length` characters, the last of them an ellipsis when something was cut.
pub(crate) fn ellipsis(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// The twelve digits that people use of a 64-digit id, without `sha256:`.
pub(crate) fn short_id(id: &str) -> String {
    id.split_once(':').map_or(id, |(_, digits)| digits).chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_a_gap() {
        insta::assert_snapshot!(layout_lines("CONTAINER ID\tIMAGE\tNAMES\n26e3b6fdf011\tbusybox\tvigilant\nx\ta-longer-image\ty\n"), @r"
        CONTAINER ID   IMAGE            NAMES
        26e3b6fdf011   busybox          vigilant
        x              a-longer-image   y
        ");
    }

    #[test]
    fn a_narrow_column_is_ten_wide_and_the_last_is_not_padded() {
        assert_eq!(layout_lines("A\tB\nlong long long\n"), "A         B\nlong long long\n");
        assert_eq!(layout(&[]), "");
    }

    #[test]
    fn ids_and_commands_are_cut() {
        assert_eq!(short_id("sha256:26e3b6fdf0119f24938620ccb2eb"), "26e3b6fdf011");
        assert_eq!(ellipsis("sleep 1000000000000000", 20), "sleep 1000000000000…");
        assert_eq!(ellipsis("short", 20), "short");
    }
}
