//! `mounts` of a `config.json` as the mounts of chapter 1.
//!
//! The specification has one list for two things: attributes of a mount (`ro`, `nosuid`) and options of a file system
//! (`size=64m`). They are told apart by name, as mount(8) does.

use std::path::{Path, PathBuf};

use namespaces::mount::{Attributes, Source};
use namespaces::{Failure, Mount, Propagation, Result};

use super::config;

/// Options that are the kernel's default anyway, and those about access times that it no longer distinguishes in practice.
const WITHOUT_EFFECT: &str = "defaults rw suid dev exec async atime diratime nodiratime relatime norelatime strictatime \
    nostrictatime loud silent norecursive nomand noiversion nolazytime lazytime rrw rsuid rdev rexec";

/// Options that would change what the container sees and that this runtime does not have.
const REFUSED: &str = "remount idmap ridmap tmpcopyup copy-symlink nosymfollow rnosymfollow mand iversion";

/// One mount; a bind's relative source is relative to the bundle.
pub(super) fn mount(wanted: &config::Mount, bundle: &Path) -> Result<Mount> {
    let target = Path::new("/").join(&wanted.destination);
    if !wanted.uid_mappings.is_empty() || !wanted.gid_mappings.is_empty() {
        return Err(refuse("uidMappings", &target));
    }
    let mut attributes = Attributes::default();
    let (mut bind, mut recursive) = (wanted.kind == "bind", false);
    let mut options = Vec::new();
    for option in &wanted.options {
        match option.as_str() {
            "bind" => bind = true,
            "rbind" => (bind, recursive) = (true, true),
            known if WITHOUT_EFFECT.split(' ').any(|word| word == known) => {}
            refused if REFUSED.split(' ').any(|word| word == refused) => return Err(refuse(refused, &target)),
            other if apply(&mut attributes, other) => {}
            other => options.push(other.to_owned()),
        }
    }
    let source = match wanted.kind.as_str() {
        _ if bind => Source::Bind { path: bind_source(bundle, &wanted.source), recursive },
        "cgroup" | "cgroup2" => Source::Cgroup,
        kind => {
            if !wanted.source.is_empty() && wanted.source != kind {
                options.push(format!("source={}", wanted.source));
            }
            Source::New { kind: kind.to_owned(), options }
        }
    };
    Ok(Mount { target, source, attributes })
}

fn bind_source(bundle: &Path, source: &str) -> PathBuf {
    bundle.join(source)
}

/// Whether `option` is an attribute.
fn apply(attributes: &mut Attributes, option: &str) -> bool {
    match option {
        "ro" => attributes.readonly = true,
        "rro" => (attributes.readonly, attributes.recursive_readonly) = (true, true),
        "nosuid" => attributes.nosuid = true,
        "nodev" => attributes.nodev = true,
        "noexec" => attributes.noexec = true,
        "noatime" => attributes.noatime = true,
        other => match propagation(other) {
            Some((propagation, recursive)) => {
                attributes.propagation = Some(propagation);
                attributes.recursive_propagation = recursive;
            }
            None => return false,
        },
    }
    true
}

/// `rslave` is slave, and recursive.
pub(super) fn propagation(word: &str) -> Option<(Propagation, bool)> {
    let of = |word| match word {
        "private" => Some(Propagation::Private),
        "slave" => Some(Propagation::Slave),
        "shared" => Some(Propagation::Shared),
        "unbindable" => Some(Propagation::Unbindable),
        _ => None,
    };
    let recursive = word.strip_prefix('r').and_then(of).map(|propagation| (propagation, true));
    of(word).map(|propagation| (propagation, false)).or(recursive)
}

fn refuse(option: &str, target: &Path) -> Failure {
    Failure::new("mount", format!("the option {option} is not supported"))
        .on(target.display())
        .hint("Remove the option from config.json.")
}
