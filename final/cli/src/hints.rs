//! What to do about the refusals that people meet most often, for daemons that give no hint of their own.

/// One refusal: the status and a part of the message that tells it from others, and the way out.
struct Known {
    status: u16,
    part: &'static str,
    hint: &'static str,
}

/// Looked through from the top; the first that fits is used.
const KNOWN: &[Known] = &[
    Known { status: 404, part: "No such container", hint: "`skiff ps -a` lists all containers." },
    Known { status: 404, part: "No such image", hint: "`skiff images` lists what is here, `skiff pull` fetches more." },
    Known { status: 404, part: "no such volume", hint: "`skiff volume ls` lists the volumes." },
    Known { status: 404, part: "network ", hint: "`skiff network ls` lists the networks." },
    Known {
        status: 409,
        part: "is already in use by container",
        hint: "Take another --name, or remove the other container with `skiff rm -f`.",
    },
    Known { status: 409, part: "container is running", hint: "Stop it first, or use `skiff rm -f`." },
    Known { status: 409, part: "running container", hint: "Stop it first, or use `skiff rm -f`." },
    Known { status: 409, part: "is not running", hint: "`skiff start` starts it." },
    Known { status: 409, part: "volume is in use", hint: "Remove the containers that use it first." },
    Known { status: 409, part: "image is being used", hint: "Remove the containers that use it first." },
    Known {
        status: 500,
        part: "port is already allocated",
        hint: "`skiff ps` shows which container has it; publish another port with -p.",
    },
    Known { status: 500, part: "executable file not found", hint: "Is the command in the image, and in its PATH?" },
    Known {
        status: 400,
        part: "No command specified",
        hint: "The image has no command of its own; name one after it.",
    },
];

/// The way out of a refusal, if we know one.
pub(crate) fn for_answer(status: u16, message: &str) -> Option<&'static str> {
    let fits = |known: &&Known| known.status == status && message.contains(known.part);
    KNOWN.iter().find(fits).map(|known| known.hint)
}

#[cfg(test)]
mod tests {
    use super::for_answer;

    #[test]
    fn a_hint_needs_the_status_and_the_words() {
        assert!(for_answer(404, "No such container: x").is_some_and(|hint| hint.contains("ps -a")));
        assert_eq!(for_answer(500, "No such container: x"), None);
        assert_eq!(for_answer(404, "page not found"), None);
    }
}
