//! `#[gen_server]` needs nothing else, and causes no warnings.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)]

/// A public server.
pub struct Counter {
    n: i64,
}

#[fika::gen_server]
impl Counter {
    /// Starts to count from here.
    pub async fn init(start: i64) -> Self {
        Counter { n: start }
    }

    /// Adds a number.
    #[call]
    pub async fn add(&mut self, by: i64) -> i64 {
        self.n += by;
        self.n
    }

    /// Begins again.
    #[cast]
    pub async fn reset(&mut self) {
        self.n = 0;
    }
}

mod private {
    struct Echo;

    #[fika::gen_server]
    impl Echo {
        async fn init() -> fika::gen_server::Init<Self> {
            fika::gen_server::Init::ok(Echo)
        }

        #[call]
        async fn echo(&mut self, opts: u8, server: String, request: (), message: bool) -> u8 {
            drop((server, request, message));
            opts
        }
    }

    pub(crate) async fn echoes() {
        let echo = Echo::start_link(fika::gen_server::Start::new()).await.expect("it starts");
        let _ = echo.echo(1, String::new(), (), true).await;
    }
}

#[fika::main]
async fn main() {
    struct Inside<T>(T);

    #[fika::gen_server]
    impl<T: fika::message::Part + Clone> Inside<T> {
        async fn init(value: T) -> Self {
            Inside(value)
        }

        #[call]
        async fn get(&mut self) -> T {
            self.0.clone()
        }
    }

    let inside = Inside::start_link(fika::gen_server::Start::new(), 7_u8).await.expect("it starts");
    assert_eq!(inside.get().await.expect("it answers"), 7);
    let counter = Counter::start_link(fika::gen_server::Start::new(), 1).await.expect("it starts");
    counter.reset();
    assert_eq!(counter.add(2).await.expect("it answers"), 2);
    private::echoes().await;
}
