//! `gen_server_SUITE`: servers, by topic. Cases about two nodes run the second node in another OS
//! process.
//!
//! The path of a case ends with its suite and its name. So each file's module has the name of the
//! suite and lies inside a module with the name of the file.

#[path = "."]
mod calling {
    #[path = "calling.rs"]
    mod gen_server;
}
#[path = "."]
mod multicall {
    #[path = "multicall.rs"]
    mod gen_server;
}
#[path = "."]
mod reports {
    #[path = "reports.rs"]
    mod gen_server;
}
#[path = "."]
mod requests {
    #[path = "requests.rs"]
    mod gen_server;
}
#[path = "."]
mod starting {
    #[path = "starting.rs"]
    mod gen_server;
}
#[path = "."]
mod state {
    #[path = "state.rs"]
    mod gen_server;
}
#[path = "."]
mod stopping {
    #[path = "stopping.rs"]
    mod gen_server;
}
#[path = "."]
mod timeouts {
    #[path = "timeouts.rs"]
    mod gen_server;
}

use std::fmt;
use std::pin::Pin as StdPin;
use std::sync::{Arc, Mutex};

pub(crate) use fika::gen_server::*;
pub(crate) use fika::prelude::*;
pub(crate) use fika::{gen_server as server, sys};

pub(crate) use crate::support::Place;
pub(crate) use crate::support::process::OsNode;
pub(crate) use crate::wait::{LIMIT, down, end_of, exit_from, has_none, next};

/// A callback that the server reports to its owner.
#[message]
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Saw {
    Init,
    Cast(u64),
    Note(u64),
    Timeout,
    Continue(u64),
    Down(ExitReason),
    Exit(Pid, ExitReason),
    NodeUp(String),
    NodeDown(String),
    Terminate(ExitReason),
}

/// How the server starts.
#[message]
#[derive(Clone, Debug)]
pub(crate) enum Begin {
    Ok(Then),
    /// Traps exits.
    Trap,
    Stop(ExitReason),
    Error(ExitReason),
    Ignore,
    Panic,
    Exit(ExitReason),
    Hang,
}

/// The server's next step after a callback.
#[message]
#[derive(Clone, Debug)]
pub(crate) enum Then {
    GoOn,
    /// Milliseconds.
    Timeout(u64),
    /// Milliseconds, and the note that comes then.
    TimeoutWith(u64, u64),
    /// A time of the node's clock, in milliseconds from now.
    TimeoutAt(u64, u64),
    Hibernate,
    /// Continues with this number, and with each lower one.
    Continue(u64),
    Stop(ExitReason),
}

impl Then {
    fn next(self) -> Next {
        match self {
            Then::GoOn => Next::go_on(),
            Then::Timeout(time) => Next::timeout(millis(time)),
            Then::TimeoutWith(time, note) => {
                Next::timeout_with(millis(time), Note(note, Box::new(Then::GoOn)))
            }
            Then::TimeoutAt(time, note) => {
                let at = self_node().env().now() + millis(time);
                Next::timeout_at(at, Note(note, Box::new(Then::GoOn)))
            }
            Then::Hibernate => Next::hibernate(),
            Then::Continue(n) => Next::proceed(n),
            Then::Stop(reason) => Next::stop(reason),
        }
    }
}

/// A request with a reply: the number of the server.
#[message]
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Get,
    /// Does something after the reply.
    Do(Then),
    /// Ends without a reply.
    End(ExitReason),
    Panic,
    Hang,
    /// Keeps the caller for `Release`.
    Later,
    /// Replies to all callers that were kept.
    Release(u64),
    /// Another process replies.
    ByAnother(u64),
    /// Never replies, and drops the caller.
    Never,
    /// Gives the caller to a process that ends by an error.
    Lost,
}

/// A request without a reply.
#[message]
#[derive(Clone, Debug)]
pub(crate) struct Tell(pub(crate) u64, pub(crate) Then);

/// A plain message.
#[message]
#[derive(Clone, Debug)]
pub(crate) struct Note(pub(crate) u64, pub(crate) Box<Then>);

/// Makes `terminate` fail.
#[message]
#[derive(Clone, Debug)]
pub(crate) struct FailLater;

/// A request that the server does not list.
#[message]
#[derive(Clone, Debug)]
pub(crate) struct Unlisted;

/// The server of these tests.
pub(crate) struct Server {
    pub(crate) owner: Pid,
    pub(crate) n: u64,
    pub(crate) fails: bool,
    pub(crate) kept: Vec<ReplyTo<u64>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server {}", self.n)
    }
}

impl Server {
    fn saw(&self, saw: Saw) {
        send(self.owner, saw);
    }
}

impl GenServer for Server {
    type Args = (Pid, Begin);
    type Receives = (
        (Call<Ask>, Cast<Tell>, Cast<FailLater>, Continue<u64>),
        (Info<Note>, Info<Timeout>, Info<Down>, Info<Exit>, Info<NodeUp>, Info<NodeDown>),
    );

    async fn init((owner, begin): (Pid, Begin)) -> Init<Self> {
        send(owner, Saw::Init);
        let server = Server { owner, n: 0, fails: false, kept: Vec::new() };
        match begin {
            Begin::Ok(then) => Init::ok(server).then(then.next()),
            Begin::Trap => {
                trap_exit(true);
                Init::ok(server)
            }
            Begin::Stop(reason) => Init::stop(reason),
            Begin::Error(reason) => Init::error(reason),
            Begin::Ignore => Init::ignore(),
            Begin::Panic => panic!("init fails as asked"),
            Begin::Exit(reason) => exit(reason),
            Begin::Hang => std::future::pending().await,
        }
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        self.saw(Saw::Terminate(reason.clone()));
        assert!(!self.fails, "terminate fails as asked");
    }

    fn format_status(&self) -> String {
        format!("formatted {}", self.n)
    }
}

impl HandleCall<Ask> for Server {
    type Reply = u64;

    async fn handle_call(&mut self, ask: Ask, caller: &mut Caller<'_, u64>) -> Reply<u64> {
        match ask {
            Ask::Get => self.n.into(),
            Ask::Do(then) => Reply::now(self.n).then(then.next()),
            Ask::End(reason) => Reply::stop(reason),
            Ask::Panic => panic!("a call fails as asked"),
            Ask::Hang => std::future::pending().await,
            Ask::Later => {
                self.kept.push(caller.reply_later());
                Reply::later()
            }
            Ask::Release(n) => {
                self.kept.drain(..).for_each(|caller| caller.reply(n));
                self.n.into()
            }
            Ask::ByAnother(n) => {
                let caller = caller.reply_later();
                spawn(async move { caller.reply(n) });
                Reply::later()
            }
            Ask::Never => Reply::later(),
            Ask::Lost => {
                let caller = caller.reply_later();
                spawn(async move {
                    let _caller = caller;
                    exit(ExitReason::Shutdown)
                });
                Reply::later()
            }
        }
    }
}

impl HandleCast<Tell> for Server {
    async fn handle_cast(&mut self, Tell(n, then): Tell) -> Next {
        self.n = n;
        self.saw(Saw::Cast(n));
        then.next()
    }
}

impl HandleCast<FailLater> for Server {
    async fn handle_cast(&mut self, _: FailLater) -> Next {
        self.fails = true;
        Next::go_on()
    }
}

impl HandleContinue<u64> for Server {
    async fn handle_continue(&mut self, n: u64) -> Next {
        self.saw(Saw::Continue(n));
        if n > 0 { Next::proceed(n - 1) } else { Next::go_on() }
    }
}

impl HandleInfo<Note> for Server {
    async fn handle_info(&mut self, Note(n, then): Note) -> Next {
        self.saw(Saw::Note(n));
        then.next()
    }
}

impl HandleInfo<Timeout> for Server {
    async fn handle_info(&mut self, _: Timeout) -> Next {
        self.saw(Saw::Timeout);
        Next::go_on()
    }
}

impl HandleInfo<Down> for Server {
    async fn handle_info(&mut self, down: Down) -> Next {
        self.saw(Saw::Down(down.reason));
        Next::go_on()
    }
}

impl HandleInfo<Exit> for Server {
    async fn handle_info(&mut self, exit: Exit) -> Next {
        self.saw(Saw::Exit(exit.from, exit.reason));
        Next::go_on()
    }
}

impl HandleInfo<NodeUp> for Server {
    async fn handle_info(&mut self, up: NodeUp) -> Next {
        self.saw(Saw::NodeUp(up.node.to_string()));
        Next::go_on()
    }
}

impl HandleInfo<NodeDown> for Server {
    async fn handle_info(&mut self, down: NodeDown) -> Next {
        self.saw(Saw::NodeDown(down.node.to_string()));
        Next::go_on()
    }
}

pub(crate) type Ref = ServerRef<Server>;

/// Starts a server that is not linked, and waits for its `init`.
pub(crate) async fn start_server(begin: Begin) -> Ref {
    start_with(Start::new(), begin).await
}

pub(crate) async fn start_with(opts: Start, begin: Begin) -> Ref {
    let started = server::start::<Server>(opts, (self_pid(), begin)).await.unwrap();
    saw(Saw::Init).await;
    started
}

/// A server that does nothing special.
pub(crate) async fn plain_server() -> Ref {
    start_server(Begin::Ok(Then::GoOn)).await
}

/// Waits for the next thing that a server tells, which must be this.
#[track_caller]
pub(crate) fn saw(expected: Saw) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        receive! {
            saw: Saw => assert_eq!(saw, expected, "at {caller}"),
            after LIMIT => panic!("no {expected:?} at {caller}"),
        }
    }
}

/// Checks that the servers told nothing since.
pub(crate) async fn saw_nothing() -> bool {
    has_none::<Saw>().await
}

pub(crate) fn reason(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

pub(crate) fn note(n: u64) -> Note {
    Note(n, Box::new(Then::GoOn))
}

/// Starts a server on this node for a process of another one, and says so.
#[remote(name = "test::gen_server_start")]
pub(crate) async fn start_there(name: Option<String>, owner: Pid, begin: Begin) {
    let opts = name.map_or_else(Start::new, Start::name);
    let started = server::start::<Server>(opts, (owner, begin)).await;
    send(owner, started.ok().and_then(|server| server.whereis()));
}

/// Starts a server on another node.
pub(crate) async fn server_on(node: &OsNode, name: Option<&str>) -> Pid {
    server_on_with(node, name, Begin::Ok(Then::GoOn)).await
}

pub(crate) async fn server_on_with(node: &OsNode, name: Option<&str>, begin: Begin) -> Pid {
    spawn_on(&node.name, start_there(name.map(str::to_owned), self_pid(), begin)).await;
    saw(Saw::Init).await;
    next::<Option<Pid>>().await.expect("it starts")
}

/// A registry of one test, with names that are numbers.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<Vec<(u64, Pid)>>>);

impl Names {
    pub(crate) fn via(&self, key: u64) -> Arc<dyn Via> {
        Arc::new(Key(self.clone(), key))
    }
}

struct Key(Names, u64);

impl Via for Key {
    fn register(&self, pid: Pid) -> StdPin<Box<dyn Future<Output = Result<(), Pid>> + Send + '_>> {
        let mut names = self.0.0.lock().unwrap();
        let taken = names.iter().find(|(key, _)| *key == self.1).map(|(_, pid)| *pid);
        if taken.is_none() {
            names.push((self.1, pid));
        }
        Box::pin(std::future::ready(taken.map_or(Ok(()), Err)))
    }

    fn unregister(&self) -> StdPin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.0.lock().unwrap().retain(|(key, _)| *key != self.1);
        Box::pin(std::future::ready(()))
    }

    fn whereis(&self) -> Option<Pid> {
        self.0.0.lock().unwrap().iter().find(|(key, _)| *key == self.1).map(|(_, pid)| *pid)
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}", self.1)
    }
}
