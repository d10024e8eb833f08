use fika::prelude::*;

struct Counter(i64);

#[gen_server]
impl Counter {
    async fn init(start: i64) -> Self {
        Counter(start)
    }

    #[call]
    async fn add(&mut self, by: i64) -> i64 {
        self.0 += by;
        self.0
    }

    #[cast]
    async fn reset(&mut self) {
        self.0 = 0;
    }
}

mod elsewhere {
    pub(crate) struct Server;

    #[fika::gen_server]
    impl Server {
        pub(crate) async fn init() -> Self {
            Server
        }

        #[call]
        async fn private(&mut self) {}
    }
}

async fn client() -> fika::Result {
    let counter = Counter::start(Start::new(), "one").await?;
    counter.ad(1).await?;
    counter.add("one").await?;
    counter.add().await?;
    let sum: String = counter.add(1).await?;
    counter.reset().await;
    counter.add(1);
    let server = elsewhere::Server::start(Start::new()).await?;
    server.private().await?;
    Ok(())
}

fn main() {}
