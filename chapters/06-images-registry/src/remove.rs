//! `docker rmi`: names first, then the image, then what no other image needs.
//!
//! An image is removed with its last name. While a container uses it, its layers are in an overlay and must stay: then
//! it is only hidden, and goes when the container has gone.
//!
//! | asked for                               | what happens                                                    |
//! |-----------------------------------------|-----------------------------------------------------------------|
//! | a name, and the image has others        | only the name goes                                              |
//! | its last name                           | the name goes, then the image, then layers nobody else has      |
//! | its last name, and a container uses it  | refused; with force the image is hidden and its layers stay     |
//! | the same, and the container runs        | refused; with force the name goes, and the image has none       |
//! | an id, and all names are of one repository | all names go, and the image                                  |
//! | an id, and names are of several         | refused; with force as above                                    |
//! | an id, and a container runs             | refused, also with force                                        |
//!
//! A name with a digest is not counted as a name of its own: it goes with the last tag of its repository.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use namespaces::Context as _;
use unionfs::Digest;

use crate::error::{Error, Kind, Result};
use crate::image::{Removed, User};
use crate::reference::Reference;
use crate::store::{Known, Store, find};

/// What is to be done, decided before anything is.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// These names go.
    untag: Vec<Reference>,
    /// And the image itself.
    delete: bool,
}

impl Store {
    /// What `docker rmi NAME` does: takes the name away, and with the last name the image and its unshared layers.
    ///
    /// `used` is all containers: an image of one is kept unless `force`, and its layers in any case.
    /// Refusals are in docker's words, with the container that is in the way. What was untagged and deleted comes back
    /// in the order in which it went: names, the image, its layers from the top down. The files go when the list on the
    /// disk no longer has the image; if the process dies in between, [`Store::sweep`] finds them.
    pub fn remove(&self, name: &str, force: bool, used: &[User]) -> Result<Vec<Removed>> {
        let (mut removed, gone) = self.change(|known| {
            let (id, plan) = {
                let image = find(known, name)?;
                // One that runs is the strongest reason.
                let holder = used.iter().filter(|user| user.image == image.id).max_by_key(|user| user.running);
                (image.id, plan(image, name, force, holder)?)
            };
            let mut removed = Vec::new();
            for image in known.iter_mut().filter(|image| image.id == id) {
                image.entry.names.retain(|name| !plan.untag.contains(name));
                removed.extend(plan.untag.iter().cloned().map(Removed::Untagged));
                if plan.delete {
                    image.entry.hidden = true;
                    removed.push(Removed::Deleted(id));
                }
            }
            Ok((removed, take_hidden(known, used)))
        })?;
        removed.extend(self.delete(&gone)?);
        Ok(removed)
    }

    /// Removes the layers of images that were removed while a container used them, as soon as `used` (as for
    /// [`Store::remove`]) no longer names them. To be called when a container has been removed.
    pub fn collect(&self, used: &[User]) -> Result<()> {
        if !self.keeps_hidden() {
            return Ok(());
        }
        let gone = self.change(|known| Ok(take_hidden(known, used)))?;
        self.delete(&gone).map(drop)
    }

    /// Whether there is an image that was removed while a container used it: whether [`Store::collect`] has anything to do.
    pub fn keeps_hidden(&self) -> bool {
        self.read().iter().any(|known| known.entry.hidden)
    }

    /// Removes every blob and layer that no image refers to and that has been there for `age`: what interrupted pulls have
    /// left. With an age, a pull that is tried again soon still finds what the first attempt had fetched.
    pub fn sweep(&self, age: Duration) -> Result<Swept> {
        let known = self.read();
        let (needed, pinned) = (needed(&known), self.blobs.pinned());
        let free = |digest: &Digest| !needed.contains(digest) && !pinned.contains_key(digest);
        let mut swept = Swept::default();
        for blob in self.blobs.list()?.iter().filter(|digest| free(digest)) {
            if let Some(bytes) = older(&self.blobs.path(blob), age) {
                self.blobs.remove(blob)?;
                swept.add(*blob, bytes);
            }
        }
        for blob in self.blobs.begun()?.iter().filter(|digest| free(digest)) {
            let path = self.blobs.begun_path(blob);
            if let Some(bytes) = older(&path, age) {
                fs::remove_file(&path).during("remove", path.display())?;
                swept.add(*blob, bytes);
            }
        }
        for layer in self.layers.list()?.iter().filter(|layer| free(&layer.chain_id)) {
            if older(&self.layers.diff(&layer.chain_id).with_file_name("layer.json"), age).is_some() {
                self.layers.remove(&layer.chain_id)?;
                swept.add(layer.chain_id, layer.size);
            }
        }
        Ok(swept)
    }

    /// Removes what a failed load or pull has already put in place, unless somebody else needs it too.
    pub(crate) fn discard(&self, digests: &[Digest]) -> Result<()> {
        let known = self.read();
        let (needed, pinned) = (needed(&known), self.blobs.pinned());
        for digest in digests.iter().filter(|digest| !needed.contains(digest) && !pinned.contains_key(digest)) {
            self.blobs.remove(digest)?;
            self.layers.remove(digest)?;
        }
        Ok(())
    }

    /// Deletes what only these images needed; returns the layers, top one first.
    fn delete(&self, gone: &[Known]) -> Result<Vec<Removed>> {
        let mut removed = Vec::new();
        // Both are held to the end, so that nobody comes to need meanwhile what is being deleted.
        let known = self.read();
        let (needed, pinned) = (needed(&known), self.blobs.pinned());
        let free = |digest: &Digest| !needed.contains(digest) && !pinned.contains_key(digest);
        for image in gone {
            for digest in image.reach().filter(free) {
                self.blobs.remove(&digest)?;
            }
            for layer in image.layers.iter().rev().filter(|layer| free(layer)) {
                if self.layers.get(layer).is_some() {
                    self.layers.remove(layer)?;
                    removed.push(Removed::Deleted(*layer));
                }
            }
        }
        Ok(removed)
    }
}

/// What [`Store::sweep`] has removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Digests of blobs, chain ids of layers.
    pub digests: Vec<Digest>,
    /// Bytes that they took.
    pub bytes: u64,
}

impl Swept {
    fn add(&mut self, digest: Digest, bytes: u64) {
        self.digests.push(digest);
        self.bytes += bytes;
    }
}

/// The length of a file that was last changed at least `age` ago. A clock that was set back makes files young, never old.
fn older(path: &Path, age: Duration) -> Option<u64> {
    let data = fs::metadata(path).ok()?;
    let since = data.modified().ok()?.elapsed().unwrap_or_default();
    (since >= age).then_some(data.len())
}

/// Takes those out of the list that are hidden and that no container uses any more.
fn take_hidden(known: &mut Vec<Known>, used: &[User]) -> Vec<Known> {
    let is_used = |known: &Known| used.iter().any(|user| user.image == known.id);
    known.extract_if(.., |known| known.entry.hidden && !is_used(known)).collect()
}

/// Every blob and layer that some image needs.
fn needed(known: &[Known]) -> HashSet<Digest> {
    known.iter().flat_map(Known::reach).collect()
}

/// Decides, by docker's rules. `user` is a container of this image, one that runs if there is one.
/// Pure, so that the rules can be read, and tested, without a store.
fn plan(image: &Known, asked: &str, force: bool, user: Option<&User>) -> Result<Plan> {
    let names: Vec<_> = image.entry.names.iter().cloned().collect();
    let by_name = asked.parse::<Reference>().ok().map(Reference::or_latest).and_then(|reference| {
        let wanted = reference.digest().map_or_else(|| reference.clone(), |digest| reference.with_digest(digest));
        names.iter().find(|name| **name == wanted)
    });
    let Some(name) = by_name else { return plan_by_id(image, names, force, user) };
    if let (Some(user), true, false) = (user, is_single(&names), force) {
        let words = format!(
            "conflict: unable to remove repository reference \"{asked}\" (must force) - container {} is using its \
             referenced image {}",
            user.container,
            image.id.short()
        );
        return Err(Error::worded(Kind::Conflict, words).with_hint("Remove the container first: skiff rm NAME."));
    }
    let mut untag = vec![name.clone()];
    // Digests come and go with the tags of their repository.
    let tags_left = |name: &&Reference| name.digest().is_none() && !untag.contains(name);
    if name.digest().is_none() && !names.iter().filter(tags_left).any(|other| other.same_repository(name)) {
        let digests = names.iter().filter(|other| other.digest().is_some() && other.same_repository(name)).cloned();
        untag = [untag, digests.collect()].concat();
    }
    let delete = untag.len() == names.len() && !user.is_some_and(|user| user.running);
    Ok(Plan { untag, delete })
}

/// An id means the image itself; that is clear only when all its names are of one repository.
fn plan_by_id(image: &Known, names: Vec<Reference>, force: bool, user: Option<&User>) -> Result<Plan> {
    let conflict = |how: &str, why: String| {
        let words = format!("conflict: unable to delete {} ({how} be forced) - {why}", image.id.short());
        Err(Error::worded(Kind::Conflict, words))
    };
    match user {
        Some(User { container, running: true, .. }) => {
            conflict("cannot", format!("image is being used by running container {container}"))
        }
        Some(User { container, .. }) if !force => {
            conflict("must", format!("image is being used by stopped container {container}"))
        }
        _ if !force && !names.is_empty() && !is_single(&names) => {
            conflict("must", "image is referenced in multiple repositories".to_owned())
        }
        _ => Ok(Plan { untag: names, delete: true }),
    }
}

/// Whether there is one tag at most, and all names are of one repository.
/// Then an id can only mean one thing, and taking all names away is what the user wants.
fn is_single(names: &[Reference]) -> bool {
    let tags = names.iter().filter(|name| name.digest().is_none()).count();
    names.first().is_some_and(|first| tags <= 1 && names.iter().all(|name| name.same_repository(first)))
}

#[cfg(test)]
mod tests {
    use super::{Digest, Known, Plan, Reference, User, plan};
    use crate::index::Entry;
    use crate::manifest::{Descriptor, Manifest};

    fn image(names: &[&str]) -> Known {
        let descriptor = || Descriptor::new("x", Digest::of(b"image"), 0);
        let digest = Digest::of(b"manifest");
        let name = |name: &&str| name.replace("DIGEST", &digest.to_string()).parse::<Reference>().unwrap();
        Known {
            id: Digest::of(b"image"),
            config: crate::ImageConfig::default(),
            layers: Vec::new(),
            size: 0,
            manifest: Manifest::new(descriptor(), Vec::new()),
            entry: Entry { manifest: descriptor(), names: names.iter().map(name).collect(), hidden: false },
        }
    }

    /// What goes, with `*` when the image goes as well; or the refusal.
    fn decide(names: &[&str], asked: &str, force: bool, user: Option<&str>) -> String {
        let user = user.map(|state| User {
            image: Digest::of(b"image"),
            container: "c0ffee".to_owned(),
            running: state == "running",
        });
        match plan(&image(names), asked, force, user.as_ref()) {
            Ok(Plan { untag, delete }) => {
                let names: Vec<_> =
                    untag.iter().map(|name| name.familiar().split("@sha").next().unwrap().to_owned()).collect();
                names.join(" ") + if delete { " *" } else { "" }
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn dockers_rules() {
        let id = Digest::of(b"image").short();
        let pulled = ["a:1", "a@DIGEST"];
        let said = [
            decide(&["a:1"], "a:1", false, None),
            decide(&["a:1", "b:1"], "a:1", false, Some("stopped")),
            decide(&pulled, "a:1", false, None),
            decide(&["a:1", "a:2", "a@DIGEST"], "a:1", false, None),
            decide(&["a:1", "b:1", "a@DIGEST"], "a:1", false, None),
            decide(&pulled, "a:1", false, Some("stopped")),
            decide(&pulled, "a:1", true, Some("stopped")),
            decide(&pulled, &id, false, None),
            decide(&["a:1", "b:1"], &id, false, None),
            decide(&["a:1", "b:1"], &id, true, None),
            decide(&[], &id, false, None),
            decide(&[], &id, false, Some("stopped")),
            decide(&["a:1"], "a:1", false, Some("running")),
            decide(&["a:1"], "a:1", true, Some("running")),
            decide(&["a:1", "b:1"], "a:1", false, Some("running")),
            decide(&["a:1", "b:1"], &id, true, Some("running")),
            decide(&["a:1"], &id, true, Some("stopped")),
        ];
        insta::assert_snapshot!(said.join("\n"), @r#"
        a:1 *
        a:1
        a:1 a *
        a:1
        a:1 a
        conflict: unable to remove repository reference "a:1" (must force) - container c0ffee is using its referenced image 6105d6cc76af
        a:1 a *
        a a:1 *
        conflict: unable to delete 6105d6cc76af (must be forced) - image is referenced in multiple repositories
        a:1 b:1 *
         *
        conflict: unable to delete 6105d6cc76af (must be forced) - image is being used by stopped container c0ffee
        conflict: unable to remove repository reference "a:1" (must force) - container c0ffee is using its referenced image 6105d6cc76af
        a:1
        a:1
        conflict: unable to delete 6105d6cc76af (cannot be forced) - image is being used by running container c0ffee
        a:1 *
        "#);
    }
}
