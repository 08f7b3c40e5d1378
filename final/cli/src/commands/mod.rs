//! The commands: one file each, one table for all.
//!
//! A command is a structure of its flags and arguments and a function that does it. The table says under which names it is
//! known: `container ls` and `ps` are the same command.

mod container;
mod context;
mod image;
mod network;
mod prune;
mod registry;
mod system;
mod volume;

use std::pin::Pin;

use clap::{ArgMatches, Args};
use futures_util::{StreamExt as _, stream};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::output;
use crate::tree::{define, define_with_values};

/// The exit status of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

/// All went well.
pub(crate) const DONE: Exit = Exit(0);

/// What a command is: its flags (the structure itself), its words, and what it does.
pub(crate) trait Execute: Args {
    /// Flags and arguments, as the help shows them: `[OPTIONS] CONTAINER [CONTAINER...]`.
    const USAGE: &'static str;
    /// One sentence.
    const ABOUT: &'static str;

    /// Does it.
    async fn execute(self, client: &Client) -> Result<Exit>;
}

/// What a command does, its type forgotten.
type Action = for<'a> fn(ArgMatches, &'a Client) -> Pin<Box<dyn Future<Output = Result<Exit>> + 'a>>;

/// A command under its names.
pub(crate) struct Leaf {
    /// The kind of thing it is about; empty for commands about none.
    pub(crate) group: &'static str,
    /// Its name in the group; empty for commands in none.
    pub(crate) name: &'static str,
    /// Its name without the group; empty when it has none.
    pub(crate) top: &'static str,
    /// Other names in the group.
    pub(crate) aliases: &'static [&'static str],
    /// Flags and arguments.
    pub(crate) usage: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    /// Defines the flags.
    pub(crate) define: fn(clap::Command) -> clap::Command,
    /// Defines the flags for a command line in which some have a value that need none.
    pub(crate) define_with_values: fn(clap::Command) -> clap::Command,
    /// Does it.
    pub(crate) run: Action,
}

/// A command, the group and name it is known under there, and its name without.
const fn leaf<C: Execute>(group: &'static str, name: &'static str, top: &'static str) -> Leaf {
    Leaf {
        group,
        name,
        top,
        aliases: &[],
        usage: C::USAGE,
        about: C::ABOUT,
        define: define::<C>,
        define_with_values: define_with_values::<C>,
        run: run::<C>,
    }
}

impl Leaf {
    /// Adds other names in the group.
    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

fn run<C: Execute>(mut matches: ArgMatches, client: &Client) -> Pin<Box<dyn Future<Output = Result<Exit>> + '_>> {
    Box::pin(async move {
        let command = C::from_arg_matches_mut(&mut matches).map_err(|error| Error::new(error.to_string()))?;
        command.execute(client).await
    })
}

/// Does something to several things, several at a time, and prints the names of those it was done to, in order.
async fn each(names: &[String], act: impl AsyncFn(&str) -> Result<()>) -> Result<Exit> {
    at_once(AT_ONCE, names, act).await
}

/// [`each`], one after the other, as docker removes networks and volumes: the second time a name is given, it is gone.
async fn each_in_turn(names: &[String], act: impl AsyncFn(&str) -> Result<()>) -> Result<Exit> {
    at_once(1, names, act).await
}

async fn at_once(most: usize, names: &[String], act: impl AsyncFn(&str) -> Result<()>) -> Result<Exit> {
    let act = &act;
    let mut results = stream::iter(names.iter().map(|name| async move { (name, act(name).await) })).buffered(most);
    let mut errors = Vec::new();
    while let Some((name, result)) = results.next().await {
        match result {
            Ok(()) => output::line(name)?,
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors).map(|()| DONE)
}

/// How many requests of [`each`] are under way at once.
const AT_ONCE: usize = 50;

/// The kinds of things that commands are about.
pub(crate) const GROUPS: &[(&str, &str)] = &[
    ("container", "Manage containers"),
    ("context", "Manage contexts: daemons under a name"),
    ("image", "Manage images"),
    ("manifest", "Ask registries about images"),
    ("network", "Manage networks"),
    ("volume", "Manage volumes"),
    ("system", "Manage the engine"),
];

/// Every command. Read `leaf::<THE COMMAND>(GROUP, NAME, NAME WITHOUT GROUP)`.
pub(crate) static LEAVES: &[Leaf] = &[
    leaf::<container::run::Run>("container", "run", "run"),
    leaf::<container::create::Create>("container", "create", "create"),
    leaf::<container::start::Start>("container", "start", "start"),
    leaf::<container::stop::Stop>("container", "stop", "stop"),
    leaf::<container::stop::Restart>("container", "restart", "restart"),
    leaf::<container::kill::Kill>("container", "kill", "kill"),
    leaf::<container::rm::Rm>("container", "rm", "rm").also(&["remove"]),
    leaf::<container::rename::Rename>("container", "rename", "rename"),
    leaf::<container::wait::Wait>("container", "wait", "wait"),
    leaf::<container::attach::Attach>("container", "attach", "attach"),
    leaf::<container::exec::Exec>("container", "exec", "exec"),
    leaf::<container::logs::Logs>("container", "logs", "logs"),
    leaf::<container::ls::Ls>("container", "ls", "ps").also(&["ps", "list"]),
    leaf::<container::inspect::Inspect>("container", "inspect", ""),
    leaf::<container::top::Top>("container", "top", "top"),
    leaf::<container::cp::Cp>("container", "cp", "cp"),
    leaf::<container::diff::Diff>("container", "diff", "diff"),
    leaf::<container::export::Export>("container", "export", "export"),
    leaf::<container::commit::Commit>("container", "commit", "commit"),
    leaf::<container::stats::Stats>("container", "stats", "stats"),
    leaf::<container::pause::Pause>("container", "pause", "pause"),
    leaf::<container::pause::Unpause>("container", "unpause", "unpause"),
    leaf::<container::port::Port>("container", "port", "port"),
    leaf::<container::update::Update>("container", "update", "update"),
    leaf::<container::prune::Prune>("container", "prune", ""),
    leaf::<image::ls::Ls>("image", "ls", "images").also(&["list"]),
    leaf::<image::pull::Pull>("image", "pull", "pull"),
    leaf::<image::push::Push>("image", "push", "push"),
    leaf::<image::load::Load>("image", "load", "load"),
    leaf::<image::save::Save>("image", "save", "save"),
    leaf::<image::import::Import>("image", "import", "import"),
    leaf::<image::rm::Rm>("image", "rm", "rmi").also(&["remove"]),
    leaf::<image::tag::Tag>("image", "tag", "tag"),
    leaf::<image::history::History>("image", "history", "history"),
    leaf::<image::inspect::Inspect>("image", "inspect", ""),
    leaf::<image::prune::Prune>("image", "prune", ""),
    leaf::<registry::manifest::Inspect>("manifest", "inspect", ""),
    leaf::<registry::login::Login>("", "", "login"),
    leaf::<registry::login::Logout>("", "", "logout"),
    leaf::<registry::search::Search>("", "", "search"),
    leaf::<network::ls::Ls>("network", "ls", "").also(&["list"]),
    leaf::<network::create::Create>("network", "create", ""),
    leaf::<network::inspect::Inspect>("network", "inspect", ""),
    leaf::<network::connect::Connect>("network", "connect", ""),
    leaf::<network::connect::Disconnect>("network", "disconnect", ""),
    leaf::<network::rm::Rm>("network", "rm", "").also(&["remove"]),
    leaf::<network::prune::Prune>("network", "prune", ""),
    leaf::<volume::ls::Ls>("volume", "ls", "").also(&["list"]),
    leaf::<volume::create::Create>("volume", "create", ""),
    leaf::<volume::inspect::Inspect>("volume", "inspect", ""),
    leaf::<volume::rm::Rm>("volume", "rm", "").also(&["remove"]),
    leaf::<volume::prune::Prune>("volume", "prune", ""),
    leaf::<system::check::Check>("system", "check", ""),
    leaf::<context::create::Create>("context", "create", ""),
    leaf::<context::archive::Export>("context", "export", ""),
    leaf::<context::archive::Import>("context", "import", ""),
    leaf::<context::inspect::Inspect>("context", "inspect", ""),
    leaf::<context::ls::Ls>("context", "ls", "").also(&["list"]),
    leaf::<context::rm::Rm>("context", "rm", "").also(&["remove"]),
    leaf::<context::select::Show>("context", "show", ""),
    leaf::<context::create::Update>("context", "update", ""),
    leaf::<context::select::Use>("context", "use", ""),
    leaf::<system::dial_stdio::DialStdio>("system", "dial-stdio", ""),
    leaf::<system::df::Df>("system", "df", ""),
    leaf::<system::events::Events>("system", "events", "events"),
    leaf::<system::info::Info>("system", "info", "info"),
    leaf::<system::prune::Prune>("system", "prune", ""),
    leaf::<system::inspect::Inspect>("", "", "inspect"),
    leaf::<system::version::Version>("", "", "version"),
    leaf::<system::completion::Completion>("", "", "completion"),
    leaf::<system::man::Man>("", "", "man"),
    leaf::<system::doctor::Doctor>("", "", "doctor"),
];
