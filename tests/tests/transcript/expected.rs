//! Which answer is right: the recorded one, what another client makes of it, or one of the listed differences.

use std::path::Path;

use crate::script::{Answer, Entry, Script, directory, parse};

/// Who prints the answer.
#[derive(Debug)]
pub(crate) enum Client {
    /// The real one, of this major version.
    Docker(String),
    /// Ours.
    Skiff,
    /// Ours, talking to the daemon that was recorded.
    SkiffOnDockerd,
}

/// The answers that a client may give instead of the recorded ones.
#[derive(Debug)]
pub(crate) struct Expected {
    others: Vec<Entry>,
    /// Another version than the one that was recorded with. It has other words, so only exit statuses are compared.
    unknown: bool,
}

impl Expected {
    /// What is known about `client`.
    pub(crate) fn of(client: &Client) -> Self {
        let (blocks, version) = match client {
            Client::Skiff => (["console", "console skiff"].as_slice(), crate::RECORDED_WITH),
            Client::SkiffOnDockerd => (["console skiff", "console skiff dockerd"].as_slice(), crate::RECORDED_WITH),
            Client::Docker(version) => (["console", "console docker"].as_slice(), version.as_str()),
        };
        let differences = differences().into_iter().filter(|(block, _)| blocks.contains(&block.as_str()));
        let mut others: Vec<Entry> = differences.map(|(_, entry)| entry).collect();
        let unknown = version != crate::RECORDED_WITH;
        if unknown && Script::exists(&client_file(version)) {
            others.extend(Script::read(client_file(version)).entries);
        }
        Self { others, unknown }
    }

    /// Whether `got` is right where `recorded` is the real daemon's answer.
    pub(crate) fn accepts(&self, recorded: &Entry, got: &Entry) -> bool {
        let others = self.others.iter().filter(|other| other.command == recorded.command);
        let mut answers = others.chain([recorded]).map(|entry| &entry.answer);
        answers.any(|right| same(right, &got.answer) || self.unknown && right.status == got.answer.status)
    }
}

/// Messages are compared without regard to case and full stops: docker's change from version to version.
fn same(right: &Answer, got: &Answer) -> bool {
    let words = |text: &str| text.lines().map(|line| line.trim_end_matches('.').to_lowercase()).collect::<Vec<_>>();
    right.stdout == got.stdout && right.status == got.status && words(&right.stderr) == words(&got.stderr)
}

/// The name of the file with what a client of this version prints otherwise.
pub(crate) fn client_file(version: &str) -> String {
    format!("client-{version}")
}

/// The answers in `differences.md`, each with the kind of its block. The text above a block says why.
///
/// A block ` ```console ` is about every client, ` ```console skiff ` about ours, ` ```console docker ` about the real one.
pub(crate) fn differences() -> Vec<(String, Entry)> {
    let text = std::fs::read_to_string(Path::new(directory()).join("differences.md")).unwrap();
    let mut found = Vec::new();
    for block in text.split("\n```").filter(|block| block.starts_with("console")) {
        let (kind, commands) = block.split_once('\n').unwrap_or_default();
        found.extend(parse(commands).into_iter().map(|entry| (kind.to_owned(), entry)));
    }
    found
}
