//! Which containers there are, and which of them a name means.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::container::Container;
use super::names;
use crate::error::{Error, Result};

/// An index of the records, in memory.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// In the order of ids, so that those with a common beginning are neighbours.
    containers: BTreeMap<String, Arc<Container>>,
    /// Ids by name. A name is here before its container is, while that is being made.
    names: HashMap<String, String>,
}

impl Index {
    /// Takes a name for `id`: the given one, or one that is made up.
    ///
    /// # Errors
    /// 400 for a name that cannot be, 409 for one that is taken, both in docker's words.
    pub(crate) fn reserve(&mut self, name: Option<&str>, id: &str) -> Result<String> {
        let name = match name.filter(|name| !name.is_empty()) {
            Some(name) => names::check(name)?.to_owned(),
            None => names::make_up(|name| self.names.contains_key(name))?,
        };
        if let Some(holder) = self.names.get(&name) {
            return Err(Error::conflict(format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". You have to remove \
                 (or rename) that container to be able to reuse that name."
            )));
        }
        self.names.insert(name.clone(), id.to_owned());
        Ok(name)
    }

    /// Gives a name back.
    pub(crate) fn release(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Takes in a container whose name is reserved.
    pub(crate) fn insert(&mut self, container: Arc<Container>) {
        self.containers.insert(container.id.clone(), container);
    }

    /// Takes in a container from its record. Two with one name cannot be; if they are, the second is known by its id only.
    pub(crate) fn restore(&mut self, container: Arc<Container>) {
        self.names.entry(container.name()).or_insert_with(|| container.id.clone());
        self.insert(container);
    }

    /// Forgets a container and its name.
    pub(crate) fn remove(&mut self, id: &str) {
        self.containers.remove(id);
        self.names.retain(|_, holder| holder != id);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Container>> {
        self.containers.values().cloned().collect()
    }

    /// The container with exactly this id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Container>> {
        self.containers.get(id).cloned()
    }

    /// The container that `text` means: its id, its name with or without a slash, or the beginning of its id, in this order.
    ///
    /// # Errors
    /// 404 `No such container: TEXT`; 400 when several ids begin with it.
    pub(crate) fn find(&self, text: &str) -> Result<Arc<Container>> {
        let named = || self.names.get(text.strip_prefix('/').unwrap_or(text)).and_then(|id| self.get(id));
        if let Some(container) = self.get(text).or_else(named) {
            return Ok(container);
        }
        let none = || Error::not_found(format!("No such container: {text}"));
        if text.is_empty() {
            return Err(none());
        }
        let mut begin = self.containers.range(text.to_owned()..).take_while(|(id, _)| id.starts_with(text));
        match (begin.next(), begin.next()) {
            (Some((_, container)), None) => Ok(Arc::clone(container)),
            (Some(_), Some(_)) => Err(Error::invalid(format!("multiple IDs found with provided prefix: {text}"))
                .hint("Give more digits of the id, or the name.")),
            (None, _) => Err(none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::containers::record::State;
    use crate::containers::testing;

    fn index(containers: &[(&str, &str)]) -> Index {
        let mut index = Index::default();
        for (id, name) in containers {
            let asked = testing::asked(id, name);
            index.restore(Arc::new(Container::new(&Config::default(), asked, State::default())));
        }
        index
    }

    #[test]
    fn an_id_a_name_or_the_beginning_of_an_id() {
        let index = index(&[("abc1", "web"), ("abd2", "db"), ("abd3", "abc")]);
        let find = |text| index.find(text).map(|found| found.id.clone()).map_err(|error| error.message);
        assert_eq!(find("abc1"), Ok("abc1".into()));
        assert_eq!(find("/web"), Ok("abc1".into()));
        assert_eq!(find("abc"), Ok("abd3".into()), "a name comes before the beginning of an id");
        assert_eq!(find("abd2"), Ok("abd2".into()));
        assert_eq!(find("abd"), Err("multiple IDs found with provided prefix: abd".into()));
        assert_eq!(find("x"), Err("No such container: x".into()));
        assert_eq!(find(""), Err("No such container: ".into()));
    }

    #[test]
    fn a_name_has_one_holder() {
        let mut index = index(&[("abc1", "web")]);
        let error = index.reserve(Some("/web"), "new").unwrap_err();
        insta::assert_snapshot!(error, @r#"Conflict. The container name "/web" is already in use by container "abc1". You have to remove (or rename) that container to be able to reuse that name."#);
        index.remove("abc1");
        assert_eq!(index.reserve(Some("web"), "new").unwrap(), "web");
        assert!(index.reserve(None, "other").unwrap().contains('_'));
    }
}
