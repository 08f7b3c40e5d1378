//! The three files by which programs find each other: who I am, whom I know, whom to ask (hostname(5), hosts(5),
//! resolv.conf(5)).
//!
//! Pure texts. They differ from container to container, so they cannot be in the image: the engine writes them beside the
//! container's record and mounts them over the image's own.

mod hosts;
mod resolv;

pub use hosts::{Hosts, extra_host};
pub use resolv::{Dns, host_resolv_conf, resolv_conf, resolver_conf, upstreams};

/// `/etc/hostname`: the name and a line's end.
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}
