#[fika::main]
fn main() {}

mod arguments {
    #[fika::main]
    async fn main(args: Vec<String>, more: u64) {}
}

mod no_name {
    #[fika::main]
    async fn main((_a, _b): (u64, u64)) {}
}

mod generics {
    #[fika::main]
    async fn main<T>() {}
}

mod no_function {
    #[fika::main]
    struct Main;
}

mod result {
    #[fika::main]
    pub async fn main() -> u64 {
        5
    }
}

#[fika::test]
fn not_async() {}

#[fika::test]
async fn arguments(n: u64) {}

#[fika::test]
#[test]
async fn twice() {}
