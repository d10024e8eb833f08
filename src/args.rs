//! Options of a node for a program's own command line.

use clap::FromArgMatches as _;

use crate::node::{Config, Node, NodeBuilder, NodeName, NodeNameError};

/// The id of the group of these options, by which [`parse_args`] recognizes them among a program's
/// own options.
const GROUP: &str = "fika::node::NodeArgs";

/// The options of a node, to be put into a program's own clap command line. Needs the feature
/// `clap`:
///
/// ```
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     node: fika::node::NodeArgs,
/// }
///
/// let cli = Cli::parse_from(["program", "--sname", "cache", "--net-ticktime", "20"]);
/// let builder = cli.node.builder();
/// ```
///
/// With [`#[fika::main]`](macro@crate::main), the command line is the argument of `main`, and these
/// options are applied to the node of `main`:
///
/// ```no_run
/// # use clap::Parser;
/// # #[derive(Parser)]
/// # struct Cli {
/// #     #[command(flatten)]
/// #     node: fika::node::NodeArgs,
/// # }
/// #[fika::main]
/// async fn main(cli: Cli) {
///     // ..
/// }
/// ```
///
/// The options are the settings of [`Config`], each under its own name with dashes: `net_ticktime`
/// is `--net-ticktime 20`. `--hidden` means `--hidden=true`, and `--connect-all=false` turns off
/// what is on by default. `cookie` and `cookie_for` are not among them, since every user of the
/// host could read them in the list of processes.
///
/// With the feature `toml`, `--config FILE` reads settings from a file, as
/// [`Config::from_toml_file`] does. Other options take precedence over the file, and the file takes
/// precedence over the program's defaults. A program that has an option `--config` of its own leaves
/// the feature out; it can deserialize a [`Config`] from a section of its own file.
#[derive(Clone, Debug, Default, clap::Parser)]
#[command(about = None, long_about = None, next_help_heading = "Node options")]
#[group(id = GROUP)]
#[non_exhaustive]
pub struct NodeArgs {
    /// Short name, alive or alive@host: the host has no dot
    ///
    /// With undefined, the first node that it connects to gives it a name
    #[arg(long, value_name = "ALIVE", value_parser = short_name, conflicts_with = "name")]
    pub sname: Option<String>,

    /// TOML file with settings; the other options take precedence
    #[cfg(feature = "toml")]
    #[arg(id = "config", long = "config", value_name = "FILE", value_parser = file)]
    pub file: Option<Config>,

    /// The settings.
    #[command(flatten)]
    pub config: Config,
}

impl NodeArgs {
    /// Returns a builder with the settings of these options.
    ///
    /// ```
    /// use clap::Parser;
    /// use fika::node::NodeArgs;
    ///
    /// let node = NodeArgs::parse_from(["program", "--workers", "1"]).builder().build()?;
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn builder(&self) -> NodeBuilder {
        self.apply(Node::builder())
    }

    /// Applies the options that were given on the command line to a builder. The builder keeps its
    /// other settings, which are the program's defaults.
    ///
    /// ```
    /// use clap::Parser;
    /// use fika::Node;
    /// use fika::node::NodeArgs;
    ///
    /// let args = NodeArgs::parse_from(["program", "--workers", "2"]);
    /// let builder = args.apply(Node::builder().workers(8).process_limit(1000));
    /// ```
    pub fn apply(&self, builder: NodeBuilder) -> NodeBuilder {
        builder.config(self.config())
    }

    /// Returns the settings of these options and of the file that `--config` names, with the name
    /// that `--sname` stands for on this host.
    ///
    /// ```
    /// use clap::Parser;
    /// use fika::node::NodeArgs;
    ///
    /// let config = NodeArgs::parse_from(["program", "--sname", "cache@host"]).config();
    /// assert_eq!(config.name.as_deref(), Some("cache@host"));
    /// ```
    #[must_use]
    pub fn config(&self) -> Config {
        #[cfg(feature = "toml")]
        let mut config = self.file.clone().unwrap_or_default();
        #[cfg(not(feature = "toml"))]
        let mut config = Config::default();
        config.merge(self.config.clone());
        if let Some(sname) = &self.sname {
            config.name = Some(match sname.contains('@') {
                true => sname.clone(),
                false => format!("{sname}@{}", short_host()),
            });
        }
        config
    }
}

/// Parses the command line of the program. Also returns the node's options in it, which are empty
/// unless `T` is [`NodeArgs`] or has a flattened `NodeArgs`. If the command line asks for help, or
/// is invalid, prints a message and ends the program, as [`clap::Parser::parse`] does.
#[doc(hidden)]
pub fn parse_args<T: clap::Parser>() -> (T, NodeArgs) {
    let command = T::command();
    let has_options = command.get_groups().any(|group| group.get_id() == GROUP);
    let matches = command.get_matches();
    let parsed = T::from_arg_matches(&matches).and_then(|cli| {
        let options = has_options.then(|| NodeArgs::from_arg_matches(&matches)).transpose()?;
        Ok((cli, options.unwrap_or_default()))
    });
    parsed.unwrap_or_else(|error| error.format(&mut T::command()).exit())
}

/// Applies the options of the command line to the builder of `#[fika::main]`.
#[doc(hidden)]
pub fn apply_args(args: &NodeArgs, builder: NodeBuilder) -> NodeBuilder {
    args.apply(builder)
}

/// Returns the options of a `main` with an argument and the setting `args`, without a value.
#[doc(hidden)]
pub fn args_of_main<T: IsNodeArgs>(cli: &T) -> &NodeArgs {
    cli.node_args()
}

/// Implemented by [`NodeArgs`] only.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`args` without a value needs a `main` whose argument is a `NodeArgs`, not a `{Self}`",
    label = "this is not a `NodeArgs`",
    note = "leave `args` out if `{Self}` has a `NodeArgs` with `#[command(flatten)]`: its options \
            are applied",
    note = "otherwise write where the `NodeArgs` is, as in `#[fika::main(args = cli.node)]`"
)]
pub trait IsNodeArgs {
    fn node_args(&self) -> &NodeArgs;
}

impl IsNodeArgs for NodeArgs {
    fn node_args(&self) -> &NodeArgs {
        self
    }
}

/// Reads the file of `--config`.
#[cfg(feature = "toml")]
fn file(file: &str) -> Result<Config, crate::node::ConfigError> {
    Config::from_toml_file(file)
}

fn short_name(text: &str) -> Result<String, String> {
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@localhost") };
    let name: NodeName = whole.parse().map_err(|error: NodeNameError| error.to_string())?;
    match name.is_long() {
        true => Err("the host of a short name has no dot and is not an address".into()),
        false => Ok(text.to_owned()),
    }
}

/// This host's name up to its first dot.
fn short_host() -> String {
    let host = gethostname::gethostname();
    let host = host.to_string_lossy();
    host.split('.').next().filter(|host| !host.is_empty()).unwrap_or("localhost").to_owned()
}
