//! Who runs the program: names become numbers by the image's own `passwd` and `group` files (passwd(5), group(5)).
//!
//! The files belong to the image and may say anything, of any size, in any shape. They are read through [`Root`], with a
//! limit, and a line that makes no sense is skipped.
//!
//! | asked for | user | group | others |
//! |---|---|---|---|
//! | nothing | 0 | as passwd says of 0 | as group says |
//! | `web`, `1000` | as passwd says; a number needs no entry | as passwd says, else 0 | as group says |
//! | `web:staff`, `web:50` | the same | as group says, or the number | none |

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::root::Root;

/// Most bytes that are read of a passwd or group file.
const FILE_LIMIT: u64 = 4 << 20;
/// Ids above this are refused: where a signed number is expected they would become something else (CVE-2024-40635).
const LAST_ID: u32 = 2_147_483_647;

/// Who runs the program: `USER[:GROUP]` as docker writes it, resolved in the image's own passwd and group files.
/// Digits are always ids, never names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserSpec {
    /// `root`, `1000`, `web:staff`, `1000:1000`; empty is `0:0` with root's groups.
    pub user: String,
    /// Additional groups, by name or number.
    pub groups: Vec<String>,
    /// Whether `groups` is the whole list (OCI), or adds to what the image's group file says of the user (docker).
    pub exact_groups: bool,
}

/// A [`UserSpec`] in the kernel's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary groups. The primary group is among them unless the list was given as it is, because a file that denies
    /// the primary group must deny it to everyone who is in it (CVE-2022-36109).
    pub groups: Vec<u32>,
    /// Home directory; `/` where passwd has no entry.
    pub home: String,
}

/// A line of passwd(5), as far as it is of interest.
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// A line of group(5).
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl User {
    /// Looks `spec` up in the files of the image below `root`. A missing file is an empty one: an image of a single static
    /// program has neither, and its program runs as 0.
    pub fn find(spec: &UserSpec, root: &Root) -> Result<Self> {
        // Who is given by numbers needs the files for a home directory at most: then one that cannot be read is no failure.
        let names = spec.groups.iter().chain([&spec.user]);
        let by_name = names.flat_map(|name| name.split(':')).any(|name| id(name).is_ok_and(|id| id.is_none()));
        let text = |path: &str| -> Result<String> {
            let content = match root.read(path.as_ref(), FILE_LIMIT) {
                Err(_) if !by_name => None,
                content => content?,
            };
            Ok(String::from_utf8_lossy(&content.unwrap_or_default()).into_owned())
        };
        Self::resolve(spec, &text("/etc/passwd")?, &text("/etc/group")?)
    }

    /// The pure half of [`User::find`]: `passwd` and `group` are the files' contents.
    pub fn resolve(spec: &UserSpec, passwd: &str, group: &str) -> Result<Self> {
        let (user, chosen_group) = spec.user.split_once(':').unwrap_or((&spec.user, ""));
        let user = if user.is_empty() { "0" } else { user };
        let (uid, account) = if let Some(uid) = id(user)? {
            (uid, accounts(passwd).find(|account| account.uid == uid))
        } else {
            let account = accounts(passwd).find(|account| account.name == user);
            let account = account.ok_or_else(|| unknown("user", user, "passwd"))?;
            (account.uid, Some(account))
        };
        let gid = match chosen_group {
            "" => account.as_ref().map_or(0, |account| account.gid),
            name => group_id(name, group)?,
        };
        let mut ids = Vec::new();
        if !spec.exact_groups {
            ids.push(gid);
            // Who asks for one group gets that one, not the user's others.
            if let (Some(account), "") = (&account, chosen_group) {
                ids.extend(groups(group).filter(|group| group.has(account.name)).map(|group| group.gid));
            }
        }
        for name in &spec.groups {
            ids.push(group_id(name, group)?);
        }
        let mut seen = std::collections::BTreeSet::new();
        ids.retain(|gid| seen.insert(*gid));
        let home = account.map(|account| account.home).filter(|home| !home.is_empty()).unwrap_or("/");
        Ok(Self { uid, gid, groups: ids, home: home.to_owned() })
    }
}

impl Group<'_> {
    fn has(&self, name: &str) -> bool {
        self.members.split(',').any(|member| member.trim() == name)
    }
}

/// Digits are always an id, never a name, whatever the passwd file says (CVE-2026-46680).
fn id(text: &str) -> Result<Option<u32>> {
    // SOLUTION user-id
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse() {
        Ok(id) if id <= LAST_ID => Ok(Some(id)),
        _ => Err(Failure::new("use the id", format!("ids go from 0 to {LAST_ID}")).on(text)),
    }
    // END SOLUTION
}

/// The number of a group that is given by number or by name.
fn group_id(name: &str, file: &str) -> Result<u32> {
    if let Some(gid) = id(name)? {
        return Ok(gid);
    }
    let found = groups(file).find(|group| group.name == name).map(|group| group.gid);
    found.ok_or_else(|| unknown("group", name, "group"))
}

fn unknown(what: &str, name: &str, file: &str) -> Failure {
    Failure::new(format!("find the {what}"), format!("no matching entry in the image's {file} file"))
        .on(name)
        .hint(format!("Use a number, or add the {what} to /etc/{file} of the image."))
}

/// The lines of a passwd file that make sense: `name:password:uid:gid:comment:home:shell`.
fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (uid, gid) = (valid(fields.nth(1)?)?, valid(fields.next()?)?);
        Some(Account { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    })
}

/// The lines of a group file that make sense: `name:password:gid:member,member`.
fn groups(file: &str) -> impl Iterator<Item = Group<'_>> {
    file.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = valid(fields.nth(1)?)?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

fn valid(text: &str) -> Option<u32> {
    id(text).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                          broken line\n\
                          web:x:1000:1000::/srv/web:/bin/false\n\
                          777:x:0:0:a name of digits:/root:/bin/sh\n\
                          huge:x:4294967296:0::/:\n\
                          bare:x:1001:100\n";
    const GROUP: &str = "root:x:0:\nweb:x:1000:\nstaff:x:50:root,web\ntape:x:26:web,\n";

    fn resolve(user: &str, groups: &[&str], exact_groups: bool) -> Result<User> {
        let groups = groups.iter().map(|name| (*name).to_owned()).collect();
        User::resolve(&UserSpec { user: user.to_owned(), groups, exact_groups }, PASSWD, GROUP)
    }

    fn ids(user: &str) -> (u32, u32, Vec<u32>, String) {
        let user = resolve(user, &[], false).unwrap();
        (user.uid, user.gid, user.groups, user.home)
    }

    #[test]
    fn forms_of_a_user() {
        assert_eq!(ids(""), (0, 0, vec![0, 50], "/root".into()));
        assert_eq!(ids("root"), ids(""));
        assert_eq!(ids("web"), (1000, 1000, vec![1000, 50, 26], "/srv/web".into()));
        assert_eq!(ids("1000"), ids("web"));
        assert_eq!(ids("web:staff"), (1000, 50, vec![50], "/srv/web".into()));
        assert_eq!(ids("web:7"), (1000, 7, vec![7], "/srv/web".into()));
        assert_eq!(ids("5:6"), (5, 6, vec![6], "/".into()));
        assert_eq!(ids("bare"), (1001, 100, vec![100], "/".into()));
        assert_eq!(ids(":staff"), (0, 50, vec![50], "/root".into()));
    }

    #[test]
    fn digits_are_never_a_name() {
        assert_eq!(ids("777"), (777, 0, vec![0], "/".into()));
    }

    #[test]
    fn ids_do_not_wrap() {
        for text in ["2147483648", "4294967296", "4294967295", "99999999999999999999", "1:4294967296"] {
            assert!(resolve(text, &[], false).is_err(), "{text}");
        }
        assert_eq!(resolve("huge", &[], false).unwrap_err().target.as_deref(), Some("huge"));
    }

    #[test]
    fn unknown_names_say_where_they_were_looked_for() {
        let failure = resolve("nobody", &[], false).unwrap_err();
        assert_eq!(failure.to_string(), "cannot find the user nobody: no matching entry in the image's passwd file");
        let failure = resolve("web", &["wheel"], false).unwrap_err();
        assert_eq!(failure.to_string(), "cannot find the group wheel: no matching entry in the image's group file");
        assert!(resolve("-1", &[], false).is_err());
    }

    #[test]
    fn groups_are_added_or_exact() {
        assert_eq!(resolve("web", &["9", "staff"], false).unwrap().groups, [1000, 50, 26, 9]);
        assert_eq!(resolve("1000:1000", &["9"], true).unwrap().groups, [9]);
        assert!(resolve("1000:1000", &[], true).unwrap().groups.is_empty());
    }
}
