#[fika::main(nam = "a@127.0.0.1")]
async fn main() {}

mod unlike_any {
    #[fika::main(threads = 4)]
    async fn main() {}
}

mod no_value {
    #[fika::main(hidden)]
    async fn main() {}
}

mod twice {
    #[fika::main(workers = 1, workers = 2)]
    async fn main() {}
}

mod args_twice {
    #[fika::main(args = cli, args)]
    async fn main(cli: fika::node::NodeArgs) {}
}

mod no_name {
    #[fika::main("a@127.0.0.1")]
    async fn main() {}
}

mod a_keyword {
    #[fika::main(type = 5)]
    async fn main() {}
}

#[fika::test(args)]
async fn a_test_with_a_command_line() {}

#[fika::test(wrokers = 1)]
async fn a_test_with_a_misspelled_setting() {}
