//! The options of the command line reach the node of `main`, however `main` declares them.
#![deny(warnings, missing_docs)]

use std::env;
use std::process::{Command, ExitCode, Termination};

use fika::message::MailboxLimit;

/// Checks the limit of the running process's mailbox, which comes from the node.
fn assert_limit(limit: MailboxLimit) {
    assert_eq!(fika::message::mailbox_limit(MailboxLimit::NONE), limit);
}

/// The program's options, and the node's.
#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    node: fika::node::NodeArgs,
}

mod flattened {
    #[fika::main(mailbox_limit = fika::message::MailboxLimit::messages(9))]
    pub async fn main(cli: super::Cli) {
        super::assert_limit(cli.node.config.mailbox_limit.unwrap_or(fika::message::MailboxLimit::messages(9)));
    }
}

mod its_place_is_given {
    #[fika::main(args = cli.node)]
    pub async fn main(cli: super::Cli) {
        super::assert_limit(cli.node.config.mailbox_limit.expect("it was given"));
    }
}

mod not_for_this_node {
    #[fika::main(args = fika::node::NodeArgs::default(), mailbox_limit = fika::message::MailboxLimit::messages(7))]
    pub async fn main(cli: super::Cli) {
        super::assert_limit(fika::message::MailboxLimit::messages(7));
        assert!(cli.node.config.mailbox_limit.is_some());
    }
}

mod in_a_subcommand {
    #[derive(clap::Parser)]
    pub enum Cli {
        Serve(fika::node::NodeArgs),
    }

    impl Cli {
        fn node(&self) -> &fika::node::NodeArgs {
            let Cli::Serve(node) = self;
            node
        }
    }

    #[fika::main(args = cli.node())]
    pub async fn main(cli: Cli) {
        super::assert_limit(cli.node().config.mailbox_limit.expect("it was given"));
    }
}

mod nothing_else {
    use fika::node::NodeArgs as Options;

    #[fika::main]
    pub async fn main(options: Options) {
        super::assert_limit(options.config.mailbox_limit.expect("it was given"));
    }
}

mod nothing_else_and_the_setting {
    #[fika::main(args)]
    pub async fn main(options: fika::node::NodeArgs) {
        super::assert_limit(options.config.mailbox_limit.expect("it was given"));
    }
}

mod no_argument {
    #[fika::main(args)]
    pub async fn main() {
        super::assert_limit(fika::message::MailboxLimit::messages(2));
    }
}

mod no_options {
    #[derive(clap::Parser)]
    pub struct Cli {
        #[arg(long)]
        mailbox_limit: usize,
    }

    #[fika::main]
    pub async fn main(cli: Cli) {
        assert_eq!(cli.mailbox_limit, 2);
        assert_eq!(fika::message::mailbox_limit(fika::message::MailboxLimit::NONE), fika::message::MailboxLimit::NONE);
    }
}

const PROGRAM: &str = "FIKA_TEST_PROGRAM";
const PROGRAMS: [(fn() -> ExitCode, &str); 9] = [
    (|| flattened::main().report(), "--mailbox-limit 2"),
    (|| flattened::main().report(), ""),
    (|| its_place_is_given::main().report(), "--mailbox-limit 2"),
    (|| not_for_this_node::main().report(), "--mailbox-limit 2"),
    (|| in_a_subcommand::main().report(), "serve --mailbox-limit 2"),
    (|| nothing_else::main().report(), "--mailbox-limit 2"),
    (|| nothing_else_and_the_setting::main().report(), "--mailbox-limit 2"),
    (|| no_argument::main().report(), "--mailbox-limit 2"),
    (|| no_options::main().report(), "--mailbox-limit 2"),
];

fn main() -> ExitCode {
    if let Ok(program) = env::var(PROGRAM) {
        return PROGRAMS[program.parse::<usize>().expect("it is an index")].0();
    }
    for (index, (_, line)) in PROGRAMS.iter().enumerate() {
        let mut command = Command::new(env::current_exe().expect("it has a path"));
        command.env(PROGRAM, index.to_string()).args(line.split_whitespace());
        assert!(command.status().expect("it starts").success(), "program {index}");
    }
    ExitCode::SUCCESS
}
