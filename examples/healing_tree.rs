//! A supervision tree that heals itself, printed again and again while its processes are killed.
//!
//! ```sh
//! cargo run --release --bin healing_tree                  # until ctrl-c
//! cargo run --release --bin healing_tree -- --rounds 5    # a few rounds
//! ```

use clap::Parser;
use fika::gen_server::Start;
use fika::prelude::*;
use fika::supervisor::{self, ChildSpec, ChildState, SupFlags, Tree};

#[derive(Parser)]
struct Cli {
    /// How many processes are killed. Without it, the program runs until ctrl-c.
    #[arg(long)]
    rounds: Option<usize>,
    /// The time between two rounds, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    pause_ms: u64,
}

/// More restarts than this program makes in a period.
const OFTEN: u32 = 1_000_000;

/// Specifies a supervisor of three workers.
fn team(name: &'static str, flags: SupFlags) -> ChildSpec {
    ChildSpec::supervisor(name, move || {
        let worker = |n: u32| ChildSpec::process(format!("worker {n}"), std::future::pending::<()>);
        let workers: Vec<ChildSpec> = (1..=3).map(worker).collect();
        supervisor::start_link(Start::name(name), flags.intensity(OFTEN), workers)
    })
}

#[fika::main]
async fn main(cli: Cli) -> fika::Result {
    let teams = [
        team("one_for_one", SupFlags::one_for_one()),
        team("one_for_all", SupFlags::one_for_all()),
        team("rest_for_one", SupFlags::rest_for_one()),
    ];
    let top = supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), teams).await?;
    for round in 0..cli.rounds.unwrap_or(usize::MAX) {
        let tree = supervisor::tree(&top).await?;
        let workers = leaves(&tree);
        let victim = workers[round * 7 % workers.len()];
        // Clears the terminal.
        print!("\x1b[2J\x1b[H");
        println!("{tree}\nround {round}: killing {victim}");
        exit_process(victim, ExitReason::Kill);
        sleep(millis(cli.pause_ms)).await;
    }
    println!("\n{}", supervisor::tree(&top).await?);
    Ok(())
}

/// Returns the pids of the workers that run.
fn leaves(tree: &Tree) -> Vec<Pid> {
    match &tree.children {
        None => match tree.state {
            ChildState::Running(pid) => vec![pid],
            _ => Vec::new(),
        },
        Some(children) => children.iter().flat_map(leaves).collect(),
    }
}
