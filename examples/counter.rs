//! A counter on one node, and clients on others: a `gen_server` with its typed client.
//!
//! ```sh
//! cargo build --bin counter
//! cd target/debug
//! ./counter --name a@127.0.0.1 serve                        # in one terminal
//! ./counter --name b@127.0.0.1 add 5 --at a@127.0.0.1       # in another
//! ./counter --name b@127.0.0.1 reset --at a@127.0.0.1
//! ./counter --name b@127.0.0.1 wait 7 --at a@127.0.0.1      # until somebody has counted to 7
//! ```
//!
//! The attribute makes `CounterClient` from the functions of the block. Its methods are the same for
//! a server in the same process tree and for one on another machine.

use std::mem;

use clap::{Parser, Subcommand};
use fika::gen_server::{Caller, Next, Reply, ReplyTo};
use fika::prelude::*;

/// The state of the server.
struct Counter {
    n: i64,
    /// The callers that wait until the counter has reached a number.
    waiting: Vec<(i64, ReplyTo<i64>)>,
}

#[gen_server]
impl Counter {
    /// The counter begins with this number.
    async fn init(start: i64) -> Self {
        Counter { n: start, waiting: Vec::new() }
    }

    /// Adds a number, and returns the sum.
    #[call]
    async fn add(&mut self, by: i64) -> Result<i64, String> {
        let sum =
            self.n.checked_add(by).ok_or_else(|| format!("{} + {by} is too large", self.n))?;
        self.n = sum;
        self.answer_waiting();
        Ok(sum)
    }

    /// Returns the number when it is at least `goal`. The server goes on meanwhile.
    #[call]
    async fn wait(&mut self, goal: i64, caller: &mut Caller<'_, i64>) -> Reply<i64> {
        self.waiting.push((goal, caller.reply_later()));
        self.answer_waiting();
        Reply::later()
    }

    /// Begins again with zero.
    #[cast]
    async fn reset(&mut self) {
        self.n = 0;
    }

    /// Ends the server, and with it its node.
    #[cast]
    async fn stop(&mut self) -> Next {
        Next::stop(ExitReason::Shutdown)
    }

    fn answer_waiting(&mut self) {
        for (goal, caller) in mem::take(&mut self.waiting) {
            if self.n >= goal {
                caller.reply(self.n);
            } else {
                self.waiting.push((goal, caller));
            }
        }
    }
}

/// A counter on one node, and clients on others.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    node: fika::node::NodeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Run the counter
    Serve,
    /// Add a number to the counter of another node
    #[command(allow_negative_numbers = true)]
    Add {
        by: i64,
        /// The node that has the counter
        #[arg(long, value_name = "NODE")]
        at: String,
    },
    /// Wait until the counter of another node has reached a number
    Wait {
        goal: i64,
        /// The node that has the counter
        #[arg(long, value_name = "NODE")]
        at: String,
    },
    /// Begin again with zero
    Reset {
        /// The node that has the counter
        #[arg(long, value_name = "NODE")]
        at: String,
    },
    /// Stop the counter and its node
    Stop {
        /// The node that has the counter
        #[arg(long, value_name = "NODE")]
        at: String,
    },
}

#[fika::main]
async fn main(cli: Cli) -> fika::Result {
    match cli.command {
        Command::Serve => serve().await,
        Command::Add { by, at } => {
            println!("{}", counter(&at).add(by).await??);
            Ok(())
        }
        Command::Wait { goal, at } => {
            println!("{}", counter(&at).wait(goal).no_timeout().await?);
            Ok(())
        }
        Command::Reset { at } => {
            let counter = counter(&at);
            counter.reset();
            // The cast has arrived when a request behind it is answered.
            println!("{}", counter.add(0).await??);
            Ok(())
        }
        Command::Stop { at } => {
            let ended = monitor(("counter", &*at));
            counter(&at).stop();
            receive! { Down { monitor, reason, .. } if monitor == ended => println!("{reason}") }
            Ok(())
        }
    }
}

/// Returns the client of the counter on this node.
fn counter(node: &str) -> CounterClient {
    Counter::at(("counter", node))
}

async fn serve() -> fika::Result {
    let (counter, ended) = Counter::start_monitor(Start::name("counter"), 0).await?;
    println!("{} has the {counter:?}", self_node().name());
    receive! {
        Down { monitor, reason, .. } if monitor == ended => println!("the counter ended: {reason}"),
    }
    Ok(())
}
