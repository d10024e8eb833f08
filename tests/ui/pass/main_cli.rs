//! A program with a command line of its own, which the settings can use.
#![deny(warnings, missing_docs, unreachable_pub)]

use clap::Parser;

/// The program's options.
#[derive(Parser)]
struct Cli {
    /// Processes.
    #[arg(long, default_value_t = 100)]
    processes: usize,
    #[command(flatten)]
    node: fika::node::NodeArgs,
}

mod only_the_node {
    #[fika::main(args, workers = 2)]
    pub(crate) async fn main() {
        assert!(!fika::node::self_node().is_distributed());
    }
}

mod options_as_the_argument {
    #[fika::main(args)]
    pub(crate) async fn main(options: fika::node::NodeArgs) {
        assert!(options.config().name.is_none());
    }
}

mod every_kind_of_setting {
    use std::time::Duration;

    #[fika::main(
        workers = 2,
        cookie = "a long and secret cookie",
        cookie_for = ("a@127.0.0.1", "another long cookie"),
        cookie_for = ("b@127.0.0.1", "a third long cookie"),
        output_bytes(64 << 10, 1 << 20),
        listen_ports = 9100..=9105,
        allow = ["a@127.0.0.1", "b@127.0.0.1"],
        net_ticktime = Duration::from_secs(8),
    )]
    pub(crate) async fn main() {}
}

#[fika::main(args = cli.node, process_limit = cli.processes)]
async fn main(mut cli: Cli) {
    cli.processes += 1;
    assert_eq!(cli.processes, 101);
    std::thread::spawn(|| {
        only_the_node::main();
        options_as_the_argument::main();
        every_kind_of_setting::main();
    })
    .join()
    .expect("all of them end well");
}
