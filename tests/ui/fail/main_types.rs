//! Settings of the wrong type, and invalid command lines.
mod number {
    #[fika::main(workers = "4")]
    async fn main() {}
}

mod one_of_two {
    #[fika::main(output_bytes = 5)]
    async fn main() {}
}

mod no_parser {
    #[fika::main]
    async fn main(_cli: Vec<String>) {}
}

mod not_the_options {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        node: fika::node::NodeArgs,
    }

    #[fika::main(args)]
    async fn main(cli: Cli) {
        let _ = cli.node;
    }
}

fn main() {}
