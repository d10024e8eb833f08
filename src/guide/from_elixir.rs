//! For programmers who know Elixir or Erlang: where to find what they know, and what is different.
//!
//! A server under a supervisor, with most of what a server does:
//!
//! ```
//! use std::collections::HashMap;
//!
//! use fika::gen_server::{Caller, Init, Next, Reply, ReplyTo};
//! use fika::prelude::*;
//! use fika::supervisor::{self, ChildSpec, SupFlags};
//!
//! /// A message of the program's own.
//! #[message]
//! struct Interest { percent: u64 }
//!
//! /// An error of the program's own, as a reply.
//! #[message]
//! #[derive(Debug, PartialEq)]
//! enum BankError { NoAccount, Missing(u64) }
//!
//! struct Bank {
//!     accounts: HashMap<String, u64>,
//!     waiting: Vec<(u64, ReplyTo<u64>)>,
//! }
//!
//! enum Work { Load }
//!
//! #[gen_server]
//! impl Bank {
//!     // def init(file), do: {:ok, state, {:continue, :load}}
//!     async fn init(_file: String) -> Init<Self> {
//!         let bank = Bank { accounts: HashMap::new(), waiting: Vec::new() };
//!         Init::ok(bank).then(Next::proceed(Work::Load))
//!     }
//!
//!     async fn handle_continue(&mut self, Work::Load: Work) {
//!         self.accounts.insert("ann".into(), 100);
//!     }
//!
//!     // {:reply, {:ok, left}, state}
//!     #[call]
//!     async fn pay(&mut self, name: String, cents: u64) -> Result<u64, BankError> {
//!         let have = self.accounts.get_mut(&name).ok_or(BankError::NoAccount)?;
//!         let left = have.checked_sub(cents).ok_or_else(|| BankError::Missing(cents - *have))?;
//!         *have = left;
//!         Ok(left)
//!     }
//!
//!     // {:noreply, state}, and GenServer.reply(from, total) later
//!     #[call]
//!     async fn total_of(&mut self, goal: u64, caller: &mut Caller<'_, u64>) -> Reply<u64> {
//!         self.waiting.push((goal, caller.reply_later()));
//!         self.answer();
//!         Reply::later()
//!     }
//!
//!     // {:stop, :normal, :ok, state}
//!     #[call]
//!     async fn close(&mut self) -> Reply<()> {
//!         Reply::now(()).then(Next::stop(ExitReason::Normal))
//!     }
//!
//!     // {:noreply, state}
//!     #[cast]
//!     async fn deposit(&mut self, name: String, cents: u64) {
//!         *self.accounts.entry(name).or_default() += cents;
//!         self.answer();
//!     }
//!
//!     // def handle_info(%Interest{percent: percent}, state)
//!     #[info]
//!     async fn on_interest(&mut self, Interest { percent }: Interest) {
//!         self.accounts.values_mut().for_each(|cents| *cents += *cents * percent / 100);
//!         self.answer();
//!     }
//!
//!     // def handle_info({:DOWN, _, _, _, reason}, state), do: {:stop, reason, state}
//!     #[info]
//!     async fn on_down(&mut self, down: Down) -> Next {
//!         Next::stop(down.reason)
//!     }
//!
//!     fn answer(&mut self) {
//!         let total: u64 = self.accounts.values().sum();
//!         for (goal, caller) in std::mem::take(&mut self.waiting) {
//!             if total >= goal {
//!                 caller.reply(total);
//!             } else {
//!                 self.waiting.push((goal, caller));
//!             }
//!         }
//!     }
//! }
//!
//! async fn pay_interest(every: Duration) {
//!     loop {
//!         sleep(every).await;
//!         send("bank", Interest { percent: 1 });
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let children = [
//!         Bank::child_spec("bank", Start::name("bank"), "accounts".into()),
//!         ChildSpec::process("interest", || pay_interest(secs(3600))),
//!     ];
//!     supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), children).await?;
//!
//!     let bank = Bank::at("bank");
//!     assert_eq!(bank.pay("ann".into(), 30).await?, Ok(70));
//!     assert_eq!(bank.pay("bob".into(), 30).await?, Err(BankError::NoAccount));
//!     let total = bank.total_of(150).no_timeout().send();
//!     bank.deposit("bob".into(), 80);
//!     assert_eq!(total.receive_response(secs(5)).await?, 150);
//!     Ok(())
//! }
//! ```
//!
//! # Where to find it
//!
//! | Elixir | fika |
//! |---|---|
//! | `send(pid, msg)`, `receive do .. after .. end` | [`send`](crate::message::send), [`receive!`](crate::receive) |
//! | `spawn_link`, `Process.monitor`, `Process.flag(:trap_exit, true)` | [`spawn_link`](crate::process::spawn_link), [`monitor`](crate::process::monitor()), [`trap_exit`](crate::process::trap_exit()) |
//! | `Process.exit(pid, :kill)`, `exit(reason)` | [`exit_process`](crate::process::exit_process), [`exit`](crate::process::exit) |
//! | `Process.send_after`, `:timer.send_interval` | [`send_after`](crate::time::send_after), [`timer`](crate::timer) |
//! | `raise "text"` | `panic!`, or an `Err` of the process's future |
//! | `use GenServer` | [`#[gen_server]`](macro@crate::gen_server) on an `impl` block |
//! | `GenServer.start_link(Bank, arg, name: :bank)` | `Bank::start_link(Start::name("bank"), arg).await` |
//! | `GenServer.call(:bank, msg, 1000)` | `Bank::at("bank").msg().timeout(secs(1)).await` |
//! | `GenServer.call({:bank, node}, msg)` | `Bank::at(("bank", node)).msg().await` |
//! | `{:stop, reason, state}`, `{:noreply, state, timeout}` | [`Next::stop`](crate::gen_server::Next::stop), [`Next::timeout`](crate::gen_server::Next::timeout) |
//! | `:gen_server.send_request`, `multi_call`, `abcast` | [`Request::send`](crate::gen_server::Request::send), [`multi_call`](crate::gen_server::multi_call), [`abcast`](crate::gen_server::abcast) |
//! | `:sys.get_state(pid)`, `:sys.trace(pid, true)` | [`sys::get_state`](crate::sys::get_state), [`sys::trace`](crate::sys::trace) |
//! | `Supervisor.start_link(children, strategy: :one_for_one)` | [`supervisor::start_link`](crate::supervisor::start_link) with [`SupFlags`](crate::supervisor::SupFlags) |
//! | the child `{Bank, arg}` | `Bank::child_spec("bank", Start::new(), arg)` |
//! | the child `{Task, fn -> .. end}` | [`ChildSpec::process`](crate::supervisor::ChildSpec::process), with [`Restart::Temporary`](crate::supervisor::Restart::Temporary) |
//! | `DynamicSupervisor`, `PartitionSupervisor` | [`start_link_dynamic`](crate::supervisor::start_link_dynamic), [`Partitions`](crate::supervisor::Partitions) |
//! | `Task.async`, `Task.await(task, 1000)` | [`Task::spawn`](crate::task::Task::spawn), `.await`, [`within`](crate::task::Task::within) |
//! | `Task.async_stream(items, f, max_concurrency: 8)` | [`TaskStream::new(items, 8, f)`](crate::task::TaskStream) |
//! | `Task.Supervisor` | [`TaskSupervisor`](crate::task::TaskSupervisor) |
//! | `Registry`, `{:via, Registry, {names, key}}` | [`Registry`](crate::registry::Registry), `Start::via(names.via(key))` |
//! | `Agent` | [`Agent`](crate::agent::Agent) |
//! | `Node.list`, `Node.connect`, `:net_kernel.monitor_nodes` | [`nodes`](crate::net::nodes()), [`connect_node`](crate::net::connect_node()), [`monitor_nodes`](crate::net::monitor_nodes()) |
//! | `Node.spawn(node, M, f, args)` | [`spawn_on`](crate::process::spawn_on()) of a [`#[remote]`](macro@crate::remote) function |
//!
//! # What is different
//!
//! - **Messages have types.** An arm of a [`receive!`](crate::receive) and an `#[info]` take the messages
//!   of one type. Names are strings, and there are no atoms.
//! - **A request is sent when it is awaited**, as Rust's futures are. Without `.await`, nothing happens,
//!   and the compiler warns. A cast and a [`send`](crate::message::send) need no `.await`.
//! - **A call that fails returns an error** and does not end the caller. With `?` it does: a process whose
//!   future returns an `Err` ends with this reason.
//! - **The `Result` of a `#[call]` is the reply.** The `Err` of a `#[cast]`, an `#[info]` and
//!   `handle_continue` ends the server, since nobody waits for it.
//! - **The state is `self`.** A handler that panics has perhaps changed a part of it, and the server ends.
//! - **A handler that waits keeps its server.** An `.await` in a handler lets other processes run, but the
//!   server takes its next message only when the handler has returned. A call that blocks its thread
//!   belongs into [`spawn_blocking`](crate::process::spawn_blocking).
//! - **A supervisor allows one restart in five seconds**, as in Erlang; Elixir's allows three. See
//!   [`SupFlags::intensity`](crate::supervisor::SupFlags::intensity).
