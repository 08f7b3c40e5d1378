//! What to do about the refusals that people meet most often, for daemons that give no hint of their own.

/// The words that tell a refusal from others, all of which must be there, and the way out.
type Known = (&'static [&'static str], &'static str);

/// Looked through from the top; the first that fits is used.
const KNOWN: &[Known] = &[
    (&["No such container"], "`skiff ps -a` lists all containers."),
    (&["No such image"], "`skiff images` lists what is here, `skiff pull` fetches more."),
    (&["no such volume"], "`skiff volume ls` lists the volumes."),
    (&["network", "not found"], "`skiff network ls` lists the networks."),
    (&["is already in use by container"], "Take another --name, or remove the other container with `skiff rm -f`."),
    (&["remove", "running"], "Stop it first, or use `skiff rm -f`."),
    (&["is not running"], "`skiff start` starts it."),
    (&["volume is in use"], "Remove the containers that use it first."),
    (&["image", "is being used"], "Remove the containers that use it first."),
    (&["port is already allocated"], "`skiff ps` shows which container has it; publish another port with -p."),
    (&["executable file not found"], "Is the command in the image, and in its PATH?"),
    (&["No command specified"], "The image has no command of its own; name one after it."),
    (&["no such host"], "Is there a way to the network, and is the name of the registry right?"),
];

/// The way out of a refusal, if we know one.
pub(crate) fn for_message(message: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(parts, _)| parts.iter().all(|part| message.contains(part))).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::for_message;

    #[test]
    fn a_hint_needs_all_its_words() {
        assert!(for_message("No such container: x").is_some_and(|hint| hint.contains("ps -a")));
        assert!(for_message("network x not found").is_some_and(|hint| hint.contains("network ls")));
        assert_eq!(for_message("page not found"), None);
    }
}
