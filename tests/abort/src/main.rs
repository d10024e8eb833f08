//! A program whose profile has `panic = "abort"`: it fails in the way that its argument names.
//! `tests/runtime/abort.rs` builds and runs it.

use fika_runtime::{ExitReason, Node, exit, send, spawn, spawn_blocking};

fn main() {
    let way = std::env::args().nth(1).unwrap_or_default();
    let node = Node::builder().workers(1).build().expect("a node starts");
    node.block_on(async move {
        spawn(async move {
            match &*way {
                "panic" => panic!("it broke: {}", 7),
                "blocking" => spawn_blocking(|| panic!("it broke: {}", 7)).await,
                "exit" => exit(ExitReason::Shutdown),
                "error" => send("nobody has this name", ()),
                _ => println!("in order"),
            }
        });
        if std::env::args().nth(1).is_some() {
            std::future::pending::<()>().await;
        }
    });
    node.stop();
}
