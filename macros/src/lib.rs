//! The macros of fika: `receive!`, `#[message]`, `derive(Message)`, `#[remote]`, `#[gen_server]`,
//! `#[main]`, `#[test]`.
//!
//! Users reach them through the crate `fika`. Every path in the emitted code starts with the name that
//! the dependency has in the user's crate, so users need not import anything. This crate does not
//! depend on the runtime. The emitted code is a thin layer over `fika::__private`, and calls functions
//! there wherever it can.
#![forbid(unsafe_code)]

mod fika_path;
mod gen_server;
mod main_fn;
mod message;
mod message_attr;
mod message_fields;
mod name;
mod receive;
mod remote;
mod settings;
mod sim_test;
mod spell;

use proc_macro::TokenStream;

/// Takes the oldest message that matches one of the arms from the mailbox of the running process,
/// and runs that arm. Waits until there is such a message. The Erlang equivalent is `receive`.
///
/// ```
/// use fika::prelude::*;
///
/// #[message]
/// struct Ping { from: Pid, n: u64 }
/// #[message]
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
///
/// #[fika::main]
/// async fn main() {
///     let (account, _) = spawn_monitor(async { assert_eq!(serve(1).await, 8) });
///     send(account, Account::Deposit(7));
///     send(account, Account::Close);
///     receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Normal) }
/// }
/// ```
///
/// # Arms
/// An arm is `PATTERN => EXPRESSION`, with commas as in a `match`. A type may follow the pattern,
/// and a guard may follow the type: `n: u64 if n > 0 => ..`. The expression runs in the enclosing
/// function, so `return`, `?`, `break`, `continue` and `.await` mean there what they mean outside.
/// An arm takes messages of one type, or all messages:
///
/// | pattern | takes |
/// |---|---|
/// | `(a, b): (Pid, u64)` | messages of the type that follows the pattern |
/// | `Ping { from, n }`, `Stop`, `Account::Close`, `Timeout::<Tick> { .. }` | messages of the pattern's own type |
/// | `Get(n)` after `use Cmd::*`, a constant such as `LIMIT` | messages of the variant's enum, or of the constant's type |
/// | `Local(Cmd::Get(n))`, `Some(Stop)`, `(Stop, Ping { n, .. })` | messages of the pattern's type, if each part has only one type |
/// | `()`, `true`, `'x'`, `5_u64`, `1..=LIMIT` | messages of type `()`, `bool`, `char`, `u64`, and of the constant's type |
/// | `"stop"`, `"stop" \| "halt"` | a `String` that equals one of the literals |
/// | a lower-case name, `_` | every message; the name is bound to the [`Envelope`], and no arm can follow it unless it has a guard |
///
/// A pattern that fits more than one type, such as `(from, n)`, `Some(x)` or `5`, needs a type
/// after it. Type parameters that a pattern leaves out, as in `Tagged { value }`, are inferred as
/// in a `match`: a bare `5` inside such a pattern is an `i32`.
///
/// A name that begins with an upper-case letter is a type, a variant or a constant, and never a
/// binding. A string literal matches a `String` or any other type that is `AsRef<str>`, even inside
/// a pattern: `Named("first")`. A string constant can't match a `String`; write `text: String if
/// text == NAME`.
///
/// # Order
/// As in Erlang, the order of the messages comes first: the receive takes the oldest message that
/// matches any arm. If the message matches several arms, the first of these runs. Messages that no
/// arm takes stay in the mailbox. A guard can read the bindings, but it
/// can't move or change them, wait, return or bind.
///
/// # Answers
/// `for REFERENCE,` before the arms states that every arm waits for a message that contains this
/// reference. Such a message can't be older than the reference. So the receive skips all older
/// messages, and its cost does not depend on their number. (Erlang's compiler recognizes this case
/// by itself.)
///
/// ```
/// # use fika::message::Reference;
/// # use fika::prelude::*;
/// # #[message]
/// # struct Question { from: Pid, call: Reference }
/// # #[message]
/// # struct Answer { to: Reference, value: u64 }
/// async fn ask(server: Pid) -> Result<u64, ExitReason> {
///     let call = monitor(server);
///     send(server, Question { from: self_pid(), call });
///     receive! {
///         for call,
///         Answer { to, value } if to == call => Ok(value),
///         Down { monitor, reason, .. } if monitor == call => Err(reason),
///         after secs(5) => Err(ExitReason::Timeout),
///     }
/// }
/// # #[fika::main]
/// # async fn main() {
/// #     let server = spawn(async {
/// #         receive! { Question { from, call } => send(from, Answer { to: call, value: 42 }) }
/// #     });
/// #     assert_eq!(ask(server).await, Ok(42));
/// # }
/// ```
///
/// The process remembers the place in its mailbox for the last eight references that it has made by
/// `make_ref`, `monitor` and similar functions. With any other reference, the receive looks at all
/// messages. Leave `for` out if an arm takes messages that do not contain the reference: the arm
/// would miss messages that are older than the reference.
///
/// # Formatting
/// rustfmt formats the arguments of a macro only if they are expressions. The arms of
/// `receive! { .. }` are not, so rustfmt leaves them alone. It does format the same arms written as
/// a `match` in parentheses:
///
/// ```
/// # use fika::prelude::*;
/// # #[message]
/// # struct Ping { from: Pid, n: u64 }
/// # #[fika::main]
/// # async fn main() {
/// # send(self_pid(), (self_pid(), "hello".to_owned()));
/// receive!(match _ {
///     Ping { from, n } if n > 0 => send(from, n),
///     As::<(Pid, String)>((from, text)) => send(from, text),
///     _ if after(secs(60)) => return,
/// });
/// # receive! { "hello" => {} }
/// # }
/// ```
///
/// Three parts of the syntax are not valid Rust, so they are written differently in a `match`:
/// `As::<TYPE>(PATTERN)` stands for `PATTERN: TYPE`, `_ if after(DURATION)` for `after DURATION`,
/// and `match since(REFERENCE)` for `for REFERENCE,`. The first two also work in `receive! { .. }`.
///
/// # Timeout
/// `after DURATION => EXPRESSION` comes last. The time runs from the start of the receive, and
/// messages that no arm takes do not extend it. With a duration of zero, the receive looks through
/// the mailbox once. An arm that begins with the word `after` is always the timeout. Write a
/// message type in a module named `after` as `self::after::Ping`.
///
/// # Cancellation
/// A message stays in the mailbox until an arm has taken it, so dropping a future that waits here
/// loses no message. A message from another node that does not decode as its declared type is
/// reported and dropped.
///
/// In a destructor of a process that has ended, or that a panic or an `exit` unwinds, the receive
/// looks through the mailbox once and does not wait: `after` runs immediately. Without `after`, it
/// unwinds. If the process unwinds already, it ends there, and its thread is lost.
///
/// # The path of fika
/// `crate = "shop::fika",` before everything else names the path of fika, for macros of other
/// crates that expand to a `receive!`; otherwise the macro finds it in `Cargo.toml`.
///
/// # Errors
/// A pattern that fits more than one type, an arm that can't be reached, and an `after` that
/// isn't the last arm do not compile, nor does a type that is not a `Message`.
///
/// # Panics
/// Outside a process, and while another `receive!` of the same process waits.
///
/// [`Envelope`]: https://docs.rs/fika/latest/fika/message/struct.Envelope.html
#[proc_macro]
pub fn receive(input: TokenStream) -> TokenStream {
    receive::receive(input.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct or an enum a message: a value that can be sent to any process, on this node and
/// on others.
///
/// ```
/// use fika::prelude::*;
///
/// #[message]
/// struct Ping { from: Pid, n: u64 }
///
/// #[message(tag = "shop::order")]           // stays when the type or the crate is renamed
/// #[derive(Clone, Debug)]
/// struct Order<T> { id: u64, what: T }
///
/// #[message(local)]                         // never leaves its node, so it may hold anything
/// struct Job { answer: std::sync::mpsc::Sender<u64> }
/// ```
///
/// The attribute stands for `#[derive(Message, Serialize, Deserialize)]`, with the serde that fika
/// uses, so the crate of the type does not need serde. With `local` it stands for `#[derive(Message)]`.
/// See [`derive(Message)`](derive@Message) for what a message may hold, for its name on the wire, and for
/// the serde attributes that it may have.
///
/// # Settings
/// | setting | |
/// |---|---|
/// | `tag = "shop::order"` | the name of the type on the wire, in place of the names of the package and the type |
/// | `local` | values of the type stay on their node; serde is not needed |
/// | `crate = "shop::fika"` | the path of fika, for macros of other crates that emit this attribute; otherwise the macro finds it in `Cargo.toml` |
///
/// # Errors
/// A type that also derives `Message`, `Serialize` or `Deserialize`, an item that is not a struct or an
/// enum, and everything that [`derive(Message)`](derive@Message) refuses do not compile.
#[proc_macro_attribute]
pub fn message(args: TokenStream, item: TokenStream) -> TokenStream {
    // The item stays, so that its uses cause no further errors.
    let expanded = message_attr::message(args.into(), item.clone().into());
    expanded.map(TokenStream::from).unwrap_or_else(|error| {
        let mut tokens = TokenStream::from(error.to_compile_error());
        tokens.extend(item);
        tokens
    })
}

/// Derives `Message`, for types that derive serde's two traits themselves.
/// [`#[fika::message]`](macro@message) adds these two derives as well, and needs no serde in the
/// `Cargo.toml` of the program.
///
/// ```
/// use fika::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Ping { from: Pid, n: u64 }
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(tag = "shop::order")]           // stays when the type or the crate is renamed
/// struct Order<T> { id: u64, what: T }
/// ```
///
/// A message type that is `local` needs neither of serde's traits. Its values never leave their
/// node, so it may contain sockets, channels and functions. `receive!` takes it by its own type.
/// Sending it to another node ends the sender with `badarg`, as for a `Local`. It can't be a
/// `Term`. Its type parameters need not be messages.
///
/// ```
/// # use fika::prelude::*;
/// #[derive(Message)]
/// #[message(local)]
/// struct Job { answer: std::sync::mpsc::Sender<u64> }
/// ```
///
/// On the wire a message is identified by its tag: the name of the package and of the type, or the
/// tag that is given. The module is not part of the tag, so two types with the same name in one
/// package need explicit tags. If two types in a program have the same tag, none of its nodes can
/// have a name. (Cargo builds the doctests of a package as one program: mark an example with a
/// named node as `standalone_crate`.) The tag of a generic type includes the tags of its type
/// parameters, which must be messages. Two generic types with the same tag are an error when the
/// second one is sent or received. Erlang has no equivalent, since its terms describe themselves.
///
/// # On another node
/// A message arrives as it was sent, or its sender gets an error that names the type, the field and
/// the fix. The first time a type is sent to another node, fika checks that it can be read back:
/// with invented values, and with the value that is sent. A later value is checked too if it has a
/// variant, or a number of fields, that no value had before. Three cases escape the check:
///
/// - a hand-written `Serialize` that writes a different kind of value from time to time;
/// - a `Deserialize` that refuses some values of its type;
/// - a new variant that shares a bit with a variant seen before, since 64 bits record the variants.
///
/// A test on one node finds the first two cases if it sends such values, since
/// [`#[fika::test]`](macro@test) encodes and decodes messages.
///
/// A message is encoded in one of two forms. The *plain* form is postcard's: it has no names and no
/// kinds, and a small number takes one byte. It works for what serde derives without attributes,
/// and for most attributes. The *described* form carries the kind of each value and the names of
/// its fields, so that a type whose `Deserialize` asks for the kind of the next value can read it.
/// Fika chooses the form for each message as a whole. There is nothing to configure. The described
/// form costs one byte for each value and each field, one or two for each struct, and each name
/// once: ten structs of two numbers take 101 bytes instead of 21. Encoding takes three to eight
/// times as long (0.5 to 1.5 µs for a pid and a number, instead of 0.2 µs), and decoding three to
/// five times. Both forms share a large
/// [`Bytes`].
///
/// | serde attribute | form |
/// |---|---|
/// | none | plain |
/// | `rename`, `rename_all`, `rename_all_fields` | plain |
/// | `rename(serialize = .., deserialize = ..)` on a type or a variant | plain |
/// | the same on a field, `rename_all(serialize = ..)`: two names for one field | **refused**, unless an `alias` is the name that is sent |
/// | `alias` | plain |
/// | `default`, on a type or a field | plain |
/// | `deny_unknown_fields`, `bound`, `expecting`, `crate` | plain |
/// | `borrow` | not in a message, which owns its data |
/// | `field_identifier`, `variant_identifier` | not in a message, since they are for `Deserialize` only |
/// | `transparent` | plain |
/// | `into` and `from` or `try_from` of one type | plain |
/// | `into` or `from` alone, or of two types | **refused** if the value that is written can't be read back |
/// | `remote`, `getter` | plain |
/// | `with`, or a matching `serialize_with` and `deserialize_with` | plain |
/// | `with = "fika::message::array"`, for arrays of more than 32 elements | plain |
/// | one of these alone, or two that don't match | **refused** if the value can't be read back |
/// | `tag`: an internally tagged enum | described |
/// | `tag` on a struct | **refused**: the tag is written but not read |
/// | `tag` and `content` | described |
/// | `untagged`, on an enum or a variant | described; the first variant that fits is read, as always in serde |
/// | `other` | plain in an enum without `tag`, otherwise described |
/// | `flatten` | described |
/// | `skip` on a field | plain; the field arrives as its default |
/// | `skip` on a variant | sending the variant is **refused**; later variants are described |
/// | `skip_serializing` on a field, with a `default`, or of an `Option` | described; it arrives as its default |
/// | `skip_serializing` on a field, otherwise | **refused** |
/// | `skip_serializing` on a variant | sending the variant is **refused**; the others are plain |
/// | `skip_deserializing` on a field | **refused**: the field is sent but not read |
/// | `skip_deserializing` on a variant | sending the variant is **refused**; later variants are described |
/// | `skip_serializing_if`, with a `default`, or of an `Option` | plain if no field is left out, otherwise described |
/// | `skip_serializing_if`, otherwise | **refused** if a field is left out |
///
/// | implementation by hand, or by a crate | form |
/// |---|---|
/// | `Deserialize` reads what `Serialize` writes | plain |
/// | `Deserialize` calls `deserialize_any`, as `serde_json::Value` does | described |
/// | fields are left out, or the length of a list is not known in advance | described |
/// | fields in another order, or numbers of another type | described, and each value is checked; **refused** if it can't be read back |
/// | anything else | **refused** |
///
/// [`Bytes`]: https://docs.rs/bytes/latest/bytes/struct.Bytes.html
///
/// # Errors
/// A type that borrows does not compile, and neither does a union. A type without `Serialize` and
/// `Deserialize`, or with a field whose type lacks them, does not compile unless it is `local`, or an
/// attribute of serde says how the field is encoded.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    message::derive(input.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Lets an `async fn` be spawned or called on any node that runs this program.
///
/// ```standalone_crate
/// use fika::prelude::*;
///
/// #[remote]
/// async fn ponger(idle: Duration) { /* .. */ }
///
/// #[remote(name = "shop::price")]           // stays when the function or the crate is renamed
/// async fn price(item: String) -> u64 {
///     if item == "tea" { 250 } else { 0 }
/// }
///
/// # #[fika::main]
/// # async fn main() {
/// let here = spawn(ponger(secs(60)));
/// let there = spawn_on("b@127.0.0.1", ponger(secs(60))).await;
/// let cents = price("tea".to_owned()).await;
/// # assert_eq!(cents, 250);
/// # }
/// ```
///
/// Calling the function does not run it: the call returns a value that holds the arguments, like
/// Erlang's `{Module, Function, Args}`. `spawn` runs it on this node, `spawn_on` sends it to
/// another node by name, and `.await` runs it in the process that awaits it. This also holds inside
/// the function's own body, so a process can spawn another process of its own function. To await
/// itself, the function needs a box, as any `async fn` does: `Box::pin(f(n).into_future()).await`.
///
/// Other attributes of the function are kept: those that describe it, such as doc comments, apply
/// to the function that is called, and all others to the `async fn`.
///
/// The name on the wire consists of the names of the package and the function, unless a name is
/// given. When a node starts, it checks that no two functions of the program have the same name. A
/// node without a function of the requested name answers `notsup`.
///
/// # Errors
/// Each argument must be a `Message`: any message type, including arrays of any length, types of
/// std that serde supports, and messages with their own encoding. A `local` argument can only be
/// given to a process of the same node: `spawn_on` for another node ends the caller with `badarg`.
/// If the other node can't decode the arguments, it answers `notsup` if their types differ there,
/// and `badarg` if a type's own `Deserialize` refuses them.
///
/// References, generic functions, methods with a receiver, functions that are not `async`, and more
/// than 12 arguments do not compile.
///
/// # The path of fika
/// `#[remote(crate = "shop::fika")]` names the path of fika, for macros of other crates that emit
/// this attribute; otherwise the macro finds it in `Cargo.toml`.
#[proc_macro_attribute]
pub fn remote(args: TokenStream, item: TokenStream) -> TokenStream {
    remote::remote(args.into(), item.into()).into()
}

/// Makes a server from an `impl` block, and a client with a method for each request (OTP's
/// `gen_server`).
///
/// ```no_run
/// use fika::gen_server::Next;
/// use fika::prelude::*;
///
/// struct Counter { n: i64 }
///
/// #[gen_server]
/// impl Counter {
///     pub async fn init(start: i64) -> Self {
///         Counter { n: start }
///     }
///
///     /// Adds a number, and returns the sum.
///     #[call]
///     pub async fn add(&mut self, by: i64) -> i64 {
///         self.n += by;
///         self.n
///     }
///
///     #[cast]
///     pub async fn reset(&mut self) {
///         self.n = 0;
///     }
///
///     #[info]
///     async fn on_down(&mut self, down: Down) -> Next {
///         Next::stop(down.reason)
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let counter = Counter::start_link(Start::name("counter"), 5).await?;
///     assert_eq!(counter.add(2).await?, 7);
///     counter.reset();
///     Counter::at(("counter", "b@127.0.0.1")).add(1).timeout(secs(1)).await?;
///     Ok(())
/// }
/// ```
///
/// # Functions of the block
/// | function | what it is |
/// |---|---|
/// | `async fn init(ARGS) -> Init<Self>` | makes the state. It may return `Self`, or a `Result` whose error is the reason of the failed start |
/// | `#[call] async fn NAME(&mut self, ARGS) -> T` | a request whose reply is a `T`. With `-> Reply<T>`, it says also what the server does next |
/// | `#[cast] async fn NAME(&mut self, ARGS)` | a request without a reply. It may return a `Next`, or a `Result` whose error ends the server |
/// | `#[info] async fn NAME(&mut self, message: M)` | handles messages of type `M` that come by `send`, such as a `Down`. It returns what a `#[cast]` returns |
/// | `async fn handle_continue(&mut self, work: W) -> Next` | does what a callback has put off by `Next::proceed` |
/// | `async fn terminate(&mut self, reason: &ExitReason)` | cleans up |
/// | `fn format_status(&self) -> String` | the state in reports. Without it, reports have the beginning of the state's `Debug` text, if it has `Debug` |
///
/// A handler may take `&self` if the server is `Sync`. All other items stay as they are, and so do these
/// functions: they can be called like any other, in a handler or in a test. A `#[call]` that replies later takes its caller as an argument of type
/// `&mut Caller<'_, T>`, at any place.
///
/// # The client
/// For a server `Counter` the attribute makes `CounterClient`, with the visibility of `init`. Its
/// methods have the names, the visibility, the arguments and the docs of the handlers; for an
/// argument whose pattern is not a name, that is `arg0`, `arg1` and so on. The method of a `#[call]`
/// returns a [`Request`], which is sent when it is awaited. The method of a `#[cast]` sends at once.
///
/// The client is a message. It derefs to the server's [`ServerRef`], and is made from one by `From`.
/// `Counter::start`, `start_link` and `start_monitor` start a server and return its client. They take
/// a [`Start`], and the arguments of `init`. `Counter::child_spec("counter", Start::new(), 5)` specifies
/// the server as a child of a supervisor, if its arguments are `Clone`. `Counter::at` returns the client
/// of a server by its pid, its name, or its name and node; `Counter::via`, by its name in a registry.
///
/// # On another node
/// Each argument and each reply is a [`Message`], and is encoded as such. So a server of the same
/// node can take a `Local`. The type parameters of a generic server are messages, which the bound
/// `fika::message::Part` says: `impl<T: Part> Stack<T>`.
///
/// On the wire, a request has the name of the package, the server and the function, and the tags of
/// its arguments: a request with other arguments is another request. As with messages, the module
/// is not part of the name. If two servers of a program have equal names, and each has a request of
/// the same name, no node with a name starts in this program: give one of the servers a tag.
///
/// # Settings
/// | setting | |
/// |---|---|
/// | `tag = "shop::Counter"` | the name of the server on the wire, in place of the names of the package and the type |
/// | `crate = "shop::fika"` | the path of fika, for macros of other crates that emit this attribute; otherwise it is found by `Cargo.toml` |
///
/// # Errors
/// These do not compile:
///
/// - a block without `init`, or with two, or of a trait;
/// - a handler that is not `async`, that has no `&mut self` or `&self`, or that is generic itself;
/// - an argument that borrows, or that is not a message; a reply that is not a message;
/// - a type parameter without a bound;
/// - more than 12 arguments; a function with the name of one that the attribute makes.
///
/// [`Request`]: https://docs.rs/fika/latest/fika/gen_server/struct.Request.html
/// [`ServerRef`]: https://docs.rs/fika/latest/fika/gen_server/struct.ServerRef.html
/// [`Start`]: https://docs.rs/fika/latest/fika/gen_server/struct.Start.html
/// [`Message`]: https://docs.rs/fika/latest/fika/message/trait.Message.html
#[proc_macro_attribute]
pub fn gen_server(args: TokenStream, item: TokenStream) -> TokenStream {
    gen_server::gen_server(args.into(), item.into()).into()
}

/// In a block with [`#[gen_server]`](macro@gen_server): a request with a reply. Elsewhere, an error.
#[proc_macro_attribute]
pub fn call(_: TokenStream, item: TokenStream) -> TokenStream {
    gen_server::misplaced("call", item.into()).into()
}

/// In a block with [`#[gen_server]`](macro@gen_server): a request without a reply. Elsewhere, an
/// error.
#[proc_macro_attribute]
pub fn cast(_: TokenStream, item: TokenStream) -> TokenStream {
    gen_server::misplaced("cast", item.into()).into()
}

/// In a block with [`#[gen_server]`](macro@gen_server): the handler of messages of one type.
/// Elsewhere, an error.
#[proc_macro_attribute]
pub fn info(_: TokenStream, item: TokenStream) -> TokenStream {
    gen_server::misplaced("info", item.into()).into()
}

/// Starts a node and runs `main` as a process on it. The program ends when that process does. If
/// `main` returns an error or panics, or if its process ends before `main` returns, the program
/// prints an error and ends with status 1. If the program has a subscriber of `tracing`, this gets
/// the report of the process's failure, too.
///
/// ```no_run
/// use fika::prelude::*;
///
/// # async fn worker() {}
/// #[fika::main(name = "a@127.0.0.1", workers = 4)]
/// async fn main() -> fika::Result {
///     monitor(spawn(worker()));
///     receive! { Down { reason, .. } => println!("{reason}") }
///     Ok(())
/// }
/// ```
///
/// Each setting calls the method of that name on the node's builder, [`NodeBuilder`], with the
/// expression as its argument. A method with two arguments is written as `output_bytes(low, high)`.
/// The methods are called in the order written; only a setting in parentheses may be repeated, such as
/// `cookie_for("b@127.0.0.1", "..")`. Without a name the node is not distributed. The Erlang equivalent
/// is `erl -name a@127.0.0.1 -setcookie .. -s main`.
///
/// `crate = "shop::fika"` is the path of fika, for macros of other crates that emit this attribute;
/// otherwise the macro finds it in `Cargo.toml`.
///
/// # Command line
/// With fika's feature `clap`, `args` takes the node's settings from the program's command line.
/// The options are those of [`NodeArgs`]; they override the settings of the attribute:
///
/// ```no_run
/// #[fika::main(args, workers = 4)]          // `--workers 2` overrides it
/// async fn main() { /* .. */ }
/// ```
///
/// A program with its own options declares them as the argument of `main`, whose type derives
/// `clap::Parser`. The command line is parsed before the node starts, so every setting can use it.
/// If the type has a `NodeArgs` with `#[command(flatten)]`, or is `NodeArgs`, the node's options
/// are applied without the setting `args`:
///
/// ```no_run
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
///     node: fika::node::NodeArgs,
/// }
///
/// # async fn cache(keep: Duration) {}
/// #[fika::main(workers = 4)]
/// async fn main(cli: Cli) {
///     spawn(cache(secs(cli.keep)));
///     // ..
/// }
/// ```
///
/// If the `NodeArgs` is elsewhere, such as in a subcommand, write where:
/// `args = cli.command.node()`. A program that uses the options for other nodes only writes
/// `args = NodeArgs::default()`.
///
/// If the command line is invalid or asks for help, the program prints a message and ends before
/// the node starts.
///
/// # A supervisor as main
/// A `main` that returns the reference to a supervisor runs it until the supervisor ends, or until
/// a signal stops the node. Then the supervision tree is stopped in reverse order, and after it the
/// node:
///
/// ```no_run
/// use fika::gen_server::ServerRef;
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags, Supervisor};
///
/// # async fn work() {}
/// #[fika::main(shutdown_time = secs(20))]
/// async fn main() -> fika::Result<ServerRef<Supervisor>> {
///     let worker = ChildSpec::new("worker", || async { spawn_link(work()) });
///     Ok(supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), [worker]).await?)
/// }
/// ```
///
/// The status of the program is 0 after an orderly stop, or if the supervisor ends because its
/// significant children have done their work. It is 1 if the supervisor gives up, and a line says
/// why. If the tree has not stopped after the setting `shutdown_time`, its processes are killed, and
/// the program ends by the signal.
///
/// # Signals
/// On Unix, ctrl-c (SIGINT) and SIGTERM stop the node. If `main` waits in
/// `self_node().run_until_stopped()`, that future becomes ready first; `main` then has 5 s to
/// return, or the setting `shutdown_time`, and the program ends with the status that `main`
/// returns. Otherwise the node's processes are killed, and then the program ends by the signal, as
/// a program without a handler does: a shell reports status 130 or 143. A second signal ends the
/// program immediately. When a process calls `self_node().stop()`, the program ends with status 0.
/// With `stop_on_signals = false` the node leaves signals alone.
///
/// ```no_run
/// # use fika::prelude::*;
/// # async fn server() {}
/// #[fika::main]
/// async fn main() {
///     spawn_link(server());
///     self_node().run_until_stopped().await;
///     // Up to 5 s to clean up.
/// }
/// ```
///
/// # Errors
/// These do not compile:
///
/// - an unknown setting, for which the error suggests a known one or lists all, or a setting that is
///   given twice;
/// - a `main` that is not `async`, or that has more than one argument;
/// - `args` without a value, if the type of the argument is not `NodeArgs`.
///
/// [`NodeBuilder`]: https://docs.rs/fika/latest/fika/node/struct.NodeBuilder.html
/// [`NodeArgs`]: https://docs.rs/fika/latest/fika/node/struct.NodeArgs.html
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::main(args.into(), item.into()).into()
}

/// Runs a test as a process on its own node. The settings are those of
/// [`#[fika::main]`](macro@main), except `args`.
///
/// ```
/// use fika::prelude::*;
///
/// #[fika::test]
/// async fn a_message_to_oneself_arrives() {
///     send(self_pid(), 7_u64);
///     receive! { n: u64 => assert_eq!(n, 7), after secs(1) => panic!("it did not") }
/// }
/// ```
///
/// `#[should_panic]`, `#[ignore]` and other attributes are kept, and the test may return what any
/// test may return. Each test has its own node, so tests run in parallel. The Erlang equivalent is
/// a test case of Common Test.
///
/// Messages between processes of the node are encoded and decoded, so that a message that can't be
/// sent to another node already fails in a test on one node. `encode_messages = false` turns this
/// off.
///
/// Panics and reports of the test's processes are part of the test's output: `cargo test` shows
/// them if the test fails.
///
/// # In a simulation
/// With fika's feature `sim`, `#[fika::test(sim)]` runs the test as the main process of a simulated
/// node. Time passes only while all processes wait, so a test of a timeout of an hour takes
/// microseconds. A seed decides which process runs next, so a test that has failed once fails
/// again:
///
/// ```
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
/// | `limit = secs(5)` | how long the test may take, in simulated time; a day if not set |
/// | `crate = "shop::fika"` | the path of fika, as for `#[fika::main]` |
///
/// The environment variable `FIKA_SIM_SEED` sets the seed instead, and `FIKA_SIM_SEEDS` the number
/// of seeds. A test that fails prints its seed, and the command that runs it again. To test
/// clusters and faults, write a plain `#[test]` with a `fika::sim::Sim`.
///
/// # Errors
/// These do not compile: everything that `#[fika::main]` refuses, a second `#[test]` on the
/// function, and a setting for a simulated test that is not in the table.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::test(args.into(), item.into()).into()
}
