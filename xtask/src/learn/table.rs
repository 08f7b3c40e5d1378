//! The table of the proof: one row for each exercise, one column for each thing that was proved.

use std::time::Duration;

use super::exercise::Exercise;

/// What was proved about one exercise. A cell is empty until it is so; what is wrong is a finding.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The exercise.
    pub(crate) id: String,
    /// With the hole, its source compiles without warnings.
    pub(crate) compiles: bool,
    /// With the hole, the graded test fails.
    pub(crate) fails: bool,
    /// It fails because of this hole and not for another reason.
    pub(crate) because: bool,
    /// With the solution, it passes.
    pub(crate) passes: bool,
    /// Wrong answers that got their own diagnosis.
    pub(crate) diagnosed: usize,
    /// Time of its tests; what was compiled was compiled for all together.
    pub(crate) took: Duration,
    /// Everything that is not as it should be.
    pub(crate) findings: Vec<String>,
}

impl Row {
    /// A row that proves nothing yet.
    pub(crate) fn new(exercise: &Exercise) -> Self {
        Self { id: exercise.id.clone(), ..Self::default() }
    }
}

/// The rows as text, then the findings.
pub(crate) fn show(rows: &[Row]) -> String {
    let mark = |yes: bool| if yes { "yes" } else { "NO" };
    let line = |cells: [&str; 7]| {
        let [id, compiles, fails, because, passes, wrong, seconds] = cells;
        format!("{id:<22} {compiles:<9} {fails:<6} {because:<8} {passes:<7} {wrong:<6} {seconds}\n")
    };
    let mut lines = vec![line(["exercise", "compiles", "fails", "because", "passes", "wrong", "seconds"])];
    for row in rows {
        let (wrong, seconds) = (row.diagnosed.to_string(), format!("{:.1}", row.took.as_secs_f32()));
        let proved = [row.compiles, row.fails, row.because, row.passes].map(mark);
        let [compiles, fails, because, passes] = proved;
        lines.push(line([&row.id, compiles, fails, because, passes, &wrong, &seconds]));
    }
    let findings = rows.iter().flat_map(|row| row.findings.iter().map(|finding| format!("{}: {finding}\n", row.id)));
    lines.extend(findings);
    lines.concat()
}
