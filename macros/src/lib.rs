//! The macros of fika: `receive!`, `derive(Message)`, `#[remote]`, `#[main]`, `#[test]`.
//!
//! Users reach them through the crate `fika`, and every path that they emit starts with
//! `::fika::`, so that nothing needs to be imported where they are used. This crate does
//! not know the runtime: what it emits is a thin layer over `fika::__private`, and all
//! that can be a function there is one.
#![forbid(unsafe_code)]

mod main_fn;
mod message;
mod name;
mod receive;
mod remote;
mod sim_test;
mod spell;

use proc_macro::TokenStream;

/// Takes the oldest message that one of the arms wants out of the running process's
/// mailbox, and runs that arm; waits until there is one. It is Erlang's `receive`.
///
/// ```ignore
/// use fika::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Ping { from: Pid, n: u64 }
/// #[derive(Message, Serialize, Deserialize)]
/// enum Account { Deposit(u64), Close }
///
/// async fn serve(mut balance: u64) -> u64 {
///     loop {
///         receive! {
///             Ping { from, n } if n > 0 => send(from, n),
///             Account::Deposit(amount) => balance += amount,
///             Account::Close => return balance,
///             (from, text): (Pid, String) => send(from, text),
///             after secs(60) => break,
///         }
///     }
///     balance
/// }
/// ```
///
/// # Arms
/// An arm is `PATTERN => EXPRESSION`, with the commas of a `match`; a type may follow the
/// pattern, and a guard may follow that: `n: u64 if n > 0 => ..`. The expression runs in
/// the function around, so `return`, `?`, `break`, `continue` and `.await` mean there what
/// they mean outside. An arm takes messages of one type, or all of them:
///
/// | pattern | takes |
/// |---|---|
/// | `(a, b): (Pid, u64)` | messages of the type that follows the pattern |
/// | `Ping { from, n }`, `Stop`, `Account::Close`, `Timeout::<Tick> { .. }` | messages of the type that the pattern has |
/// | `Get(n)` after `use Cmd::*`, a constant such as `LIMIT` | likewise: the variant's enum, the constant's type |
/// | `Local(Cmd::Get(n))`, `Some(Stop)`, `(Stop, Ping { n, .. })` | likewise, if each part has only one type |
/// | `()`, `true`, `'x'`, `5_u64`, `1..=LIMIT` | likewise: `()`, `bool`, `char`, `u64` |
/// | `"stop"`, `"stop" \| "halt"` | a `String` that equals one of the texts |
/// | a lower-case name, `_` | every message; the name is bound to the [`Envelope`], and no arm can follow it unless it has a guard |
///
/// A pattern that fits more than one type, such as `(from, n)`, `Some(x)` or `5`, needs the
/// type. Type parameters that a pattern leaves out, as in `Tagged { value }`, are inferred as in
/// a `match`: a bare `5` in it is an `i32`.
///
/// A name that begins with an upper-case letter is a type, a variant or a constant, and never
/// a binding. A text in a pattern is compared with a `String`, or whatever is `AsRef<str>`:
/// `Named("first")`. A constant text is not a pattern for a `String`; write
/// `text: String if text == NAME`.
///
/// # Order
/// As in Erlang the mailbox decides first: the oldest message that any arm takes is taken,
/// and the order of the arms only says which of them gets it. Messages that no arm takes
/// stay where they are. A guard only looks: it sees the bindings as the guard of a `match`
/// does, and it can't wait, return or bind.
///
/// # Answers
/// `for REFERENCE,` before the arms says that all of them wait for something that has this
/// reference in it, and so can't have come before the reference was made. Older messages are
/// not looked at then, so that an answer is found at once however many they are (Erlang's
/// compiler finds out by itself where this is so):
///
/// ```ignore
/// let call = monitor(server);
/// send(server, Question { from: self_pid(), call });
/// receive! {
///     for call,
///     Answer { to, value } if to == call => value,
///     Down { monitor, reason, .. } if monitor == call => return Err(reason),
///     after secs(5) => return Err(ExitReason::Timeout),
/// }
/// ```
///
/// The place is known for the last eight references that the process has made by `make_ref`,
/// `monitor` and their like; with any other, all messages are looked at. An arm that takes
/// messages without the reference sees none of those that are older, as far as the place is
/// known, so leave `for` out where there is one.
///
/// # Formatting
/// rustfmt formats a macro's arguments if they are expressions. The arms of a `match` are only
/// part of one, so rustfmt leaves `receive! { .. }` as it is. Written as the `match` that it
/// resembles, in parentheses, it is formatted:
///
/// ```ignore
/// receive!(match _ {
///     Ping { from, n } if n > 0 => send(from, n),
///     As::<(Pid, String)>((from, text)) => send(from, text),
///     _ if after(secs(60)) => return,
/// });
/// ```
///
/// There, `As::<TYPE>(PATTERN)` stands for `PATTERN: TYPE`, `_ if after(DURATION)` for
/// `after DURATION`, and `match since(REFERENCE)` for `for REFERENCE,`, since these three are no
/// Rust; all else is the same. They can be written in `receive! { .. }` too, all but the last.
///
/// # Timeout
/// `after DURATION => EXPRESSION` comes last. The time runs from the start of the receive,
/// and messages that no arm takes do not extend it; with a duration of zero the mailbox is
/// looked through once. `after` begins this arm wherever it begins one: a message type in a
/// module of that name is written `self::after::Ping`.
///
/// # Cancellation
/// A message leaves the mailbox when an arm has taken it, not before: dropping a future that
/// waits here loses none. A message of another node that does not decode as the type that it
/// claims to be is reported and dropped.
///
/// # Errors
/// A pattern that fits more than one type, an arm that can't be reached, and an `after` that
/// isn't the last arm do not compile, nor does a type that is not a `Message`.
///
/// # Panics
/// Outside a process, and while another `receive!` of the same process waits.
///
/// [`Envelope`]: https://docs.rs/fika/latest/fika/struct.Envelope.html
#[proc_macro]
pub fn receive(input: TokenStream) -> TokenStream {
    receive::receive(input.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct or an enum a message: a value that can be sent to any process, here and
/// on other nodes. Serde's two derives go with it.
///
/// ```ignore
/// use fika::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Ping { from: Pid, n: u64 }
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(tag = "shop::order")]           // stays when the type or the crate is renamed
/// struct Order<T> { id: u64, what: T }
/// ```
///
/// On the wire a message is known by its tag: the name of the package and of the type, or
/// the one that is given. The module is no part of it, so two types of one name in a
/// package need a tag each. A generic type's tag has those of its parameters in it, and its
/// parameters must be messages. Erlang needs nothing like it, since its terms carry their
/// own description.
///
/// # Errors
/// A type that borrows, or a union, does not compile, nor does a type without
/// `Serialize` and `Deserialize`. To send a value that can't leave the node, wrap it in
/// `Local(..)` instead.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    message::derive(input.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Lets an `async fn` be spawned or called on any node that runs this program.
///
/// ```ignore
/// use fika::prelude::*;
///
/// #[remote]
/// async fn ponger(idle: Duration) { /* .. */ }
///
/// #[remote(name = "shop::price")]           // stays when the function or the crate is renamed
/// async fn price(item: String) -> u64 { /* .. */ }
///
/// let here = spawn(ponger(secs(60)));
/// let there = spawn_on("b@127.0.0.1", ponger(secs(60)));
/// let cents = price("tea".to_owned()).await;
/// ```
///
/// It is what Erlang has as `{Module, Function, Args}`: calling the function runs nothing,
/// and gives a value that holds its arguments. `spawn` runs it here, `spawn_on` sends it to
/// another node by name, and `.await` runs it in the process that awaits it. A call inside
/// the function's own body is no exception, so a process can spawn its like; to await itself
/// it needs a box, as any `async fn` does: `Box::pin(f(n).into_future()).await`.
///
/// The other attributes stay with it: those that describe the function are the constructor's,
/// all others are for the `async fn`.
///
/// The name on the wire is that of the package and the function, or the one given. It is
/// registered when the program is linked; a node checks when it starts that no two
/// functions share one, and a node that has none of the name answers `notsup`.
///
/// # Errors
/// The arguments travel, so each is a `Message`; references, generic functions, methods with
/// a receiver, functions that are not `async`, and more than 12 arguments do not compile.
#[proc_macro_attribute]
pub fn remote(args: TokenStream, item: TokenStream) -> TokenStream {
    remote::remote(args.into(), item.into()).into()
}

/// Starts a node and runs `main` as a process on it; the program ends when that process
/// does.
///
/// ```ignore
/// use fika::prelude::*;
///
/// #[fika::main(name = "a@127.0.0.1", workers = 4)]
/// async fn main() -> fika::Result {
///     monitor(spawn(worker()));
///     receive! { Down { reason, .. } => println!("{reason}") }
///     Ok(())
/// }
/// ```
///
/// Each setting calls the method of that name of the node's builder, [`NodeBuilder`], with the
/// expression as its argument; a method with two arguments is set as in
/// `output_bytes(low, high)`. All methods but `build` can be called, in the order written.
/// Without a name the node is alone. It is what `erl -name a@127.0.0.1 -setcookie .. -s main`
/// does.
///
/// # Command line
/// With fika's feature `clap`, `args` takes the node's settings from the program's command line.
/// The options are those of [`NodeArgs`], and what they say comes before the settings of the
/// attribute:
///
/// ```ignore
/// #[fika::main(args, workers = 4)]          // `--workers 2` overrides it
/// async fn main() { /* .. */ }
/// ```
///
/// A program with options of its own has them as the argument of `main`, a type that derives
/// `clap::Parser`. It is parsed before the node starts, so that all settings can use it:
///
/// ```ignore
/// use clap::Parser;
/// use fika::prelude::*;
///
/// /// A cache that forgets.
/// #[derive(Parser)]
/// struct Cli {
///     /// Seconds after which an entry is forgotten
///     #[arg(long, default_value_t = 60)]
///     keep: u64,
///     #[command(flatten)]
///     node: fika::NodeArgs,
/// }
///
/// #[fika::main(args = cli.node)]
/// async fn main(cli: Cli) {
///     spawn(cache(secs(cli.keep)));
///     // ..
/// }
/// ```
///
/// If the command line is wrong, or asks for help, the program prints that and ends before the
/// node starts.
///
/// # Errors
/// An unknown setting, a `main` that is not `async`, and one with more than one argument do not
/// compile.
///
/// [`NodeBuilder`]: https://docs.rs/fika/latest/fika/struct.NodeBuilder.html
/// [`NodeArgs`]: https://docs.rs/fika/latest/fika/struct.NodeArgs.html
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::main(args.into(), item.into()).into()
}

/// Runs a test as a process on a node of its own. It takes the settings of
/// [`#[fika::main]`](macro@main), but for `args`.
///
/// ```ignore
/// use fika::prelude::*;
///
/// #[fika::test]
/// async fn a_message_to_oneself_arrives() {
///     send(self_pid(), 7_u64);
///     receive! { n: u64 => assert_eq!(n, 7), after secs(1) => panic!("it did not") }
/// }
/// ```
///
/// `#[should_panic]`, `#[ignore]` and other attributes are kept, and the test may return
/// what a test may return. Many nodes live in one program, so tests run side by side. It
/// takes the place of a Common Test case.
///
/// # In a simulation
/// With fika's feature `sim`, `#[fika::test(sim)]` runs the test as the main process of a
/// simulated node. Time passes only while all processes wait, so a test of a timeout of an
/// hour takes microseconds, and who runs next is decided by a seed, so what has failed once
/// fails again:
///
/// ```ignore
/// use fika::prelude::*;
///
/// #[fika::test(sim)]
/// async fn nobody_answers() {
///     receive! { (): () => unreachable!(), after secs(3600) => {} }
/// }
/// ```
///
/// | setting | |
/// |---|---|
/// | `sim` | seed 1 |
/// | `sim = 17` | this seed |
/// | `seeds = 100` | the seeds 0 to 99, until one fails |
/// | `limit = secs(5)` | how long the test may take, in its own time; without it, a day |
///
/// `FIKA_SIM_SEED` in the environment runs that seed instead, and `FIKA_SIM_SEEDS` so many. A
/// test that fails prints its seed, and the command that runs it again. For clusters and
/// faults, write a test of the standard library's kind with a `fika::sim::Sim`.
///
/// # Errors
/// Those of `#[fika::main]`, and a second `#[test]` on the same function. A simulated test takes
/// no other settings than these.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::test(args.into(), item.into()).into()
}
