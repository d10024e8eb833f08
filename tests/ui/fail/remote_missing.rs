//! Calls that can't be spawned on another node.
use fika::prelude::*;
use fika::process::spawn_link_on;

async fn plain(_n: u64) {}

#[remote]
async fn remote_one(_n: u64) {}

async fn spawns() {
    spawn_on("b@host", plain(1)).await;
    spawn_on("b@host", async { plain(1).await }).await;
    spawn_link_on("b@host", || plain(1)).await;
    spawn_on("b@host", remote_one).await;
}

fn main() {}
