use fika::prelude::*;
use fika::process::{SpawnOpts, spawn_opt};

struct Mine;

struct NoError;

#[remote]
async fn remote() -> Mine {
    Mine
}

fn wrapped<F: Future + Send + 'static>(future: F) -> Pid {
    spawn(future)
}

#[fika::main]
async fn main() {
    spawn(async { Mine });
    spawn_link(async { Err::<(), _>(NoError) });
    spawn_opt(SpawnOpts::new(), async { Err::<u64, _>(()) });
}
