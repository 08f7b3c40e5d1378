//! What the chapters say that they need. Each stage says it itself ([`Stage::requirements`]), so a chapter that grows a need
//! grows a line here.

use cgroups::{CgroupStage, Plan};
use namespaces::{Check, Requirement, Stage as _};
use network::{Attachment, NetworkStage};
use unionfs::{Overlay, OverlayStage};
use volumes::VolumesStage;

use crate::finding::{Finding, State};
use crate::machine::Machine;

pub(crate) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut seen: Vec<Check> = Vec::new();
    let mut findings = Vec::new();
    for (chapter, requirement) in needs() {
        // Root, and what two chapters need: once, for the first of them.
        if !seen.contains(&requirement.check) {
            seen.push(requirement.check);
            findings.push(finding(machine, chapter, requirement));
        }
    }
    findings
}

/// What the stages need, by chapter. A stage says it without being prepared for any container.
pub fn needs() -> Vec<(u8, Requirement)> {
    let stages = [
        namespaces::requirements(),
        CgroupStage::new(Plan::default()).requirements(),
        OverlayStage::new(Overlay::default()).requirements(),
        NetworkStage::new(Attachment::None, "").requirements(),
        VolumesStage::new(Vec::new()).requirements(),
    ];
    (1..).zip(stages).flat_map(|(chapter, needs)| needs.into_iter().map(move |need| (chapter, need))).collect()
}

fn finding(machine: &Machine, chapter: u8, requirement: Requirement) -> Finding {
    let met = match requirement.check {
        Check::Path(path) => machine.exists(path),
        Check::FileSystem(name) => machine.has_file_system(name),
        Check::Kernel(major, minor) => machine.kernel() >= (major, minor),
        Check::Root => machine.is_root(),
    };
    let what = match requirement.check {
        Check::Kernel(major, minor) => {
            format!("{} (Linux {major}.{minor}; here {})", requirement.what, machine.release())
        }
        _ => requirement.what.to_owned(),
    };
    let (state, advice) = if met { (State::Met, "") } else { (State::Missing, requirement.remedy) };
    Finding { chapter, what, state, advice: advice.to_owned() }
}
