//! `#[gen_server]`: the server and the client that it makes, on one node and between two.
#![deny(warnings)]
#![allow(unreachable_pub)]

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use fika::gen_server::{Caller, Init, Next, Reply, ReplyTo, ServerRef, StartError, Via};
use fika::message::{Encoded, Local, Part};
use fika::prelude::*;
use fika::process::hibernate;

use crate::support::{LIMIT, Place, down};

struct Counter {
    n: i64,
    later: Vec<ReplyTo<i64>>,
    ended: Option<Pid>,
}

#[message]
enum Work {
    Double,
}

#[message]
#[derive(Debug, PartialEq)]
struct Ended(i64, ExitReason);

/// A private server may have a `pub` client.
#[gen_server]
impl Counter {
    const STEP: i64 = 1;

    /// Starts to count from here.
    pub async fn init(start: i64, ended: Option<Pid>) -> Init<Self> {
        if start < 0 {
            return Init::error(ExitReason::Badarg("negative".into()));
        }
        Init::ok(Counter { n: start, later: Vec::new(), ended })
    }

    /// Adds a number.
    #[call]
    pub async fn add(&mut self, by: i64) -> i64 {
        self.n += by;
        self.n
    }

    #[call]
    async fn get(&self) -> i64 {
        self.n
    }

    /// Handlers can be called like any other function.
    #[call]
    async fn add_twice(&mut self, (a, b): (i64, i64), mut times: u8) -> i64 {
        while times > 0 {
            self.add(a).await;
            self.add(b).await;
            times -= 1;
        }
        self.sum()
    }

    #[call]
    async fn later(&mut self, _key: String, caller: &mut Caller<'_, i64>) -> Reply<i64> {
        assert!(caller.pid().is_some());
        self.later.push(caller.reply_later());
        Reply::later()
    }

    #[call]
    async fn divide(
        &mut self,
        caller: &mut Caller<'_, Result<i64, String>>,
        by: i64,
    ) -> Result<i64, String> {
        assert!(caller.pid().is_some());
        self.n.checked_div(by).ok_or_else(|| "by zero".to_owned())
    }

    #[call]
    async fn double(&mut self) -> Reply<()> {
        Reply::now(()).then(Next::proceed(Work::Double))
    }

    #[call]
    async fn hang(&mut self) {
        sleep(secs(1000)).await;
    }

    #[call]
    async fn fill(&mut self, to: Local<mpsc::Sender<i64>>) -> bool {
        to.0.send(self.n).is_ok()
    }

    #[cast]
    async fn release(&mut self) {
        for later in self.later.drain(..) {
            later.reply(self.n);
        }
    }

    #[cast]
    pub(crate) async fn stop_with(&mut self, reason: ExitReason) -> Next {
        Next::stop(reason)
    }

    #[cast]
    async fn fail(&mut self, text: String) -> Result<(), String> {
        Err(text)
    }

    #[info]
    async fn on_number(&mut self, n: u64) {
        self.n += i64::try_from(n).unwrap();
    }

    #[info]
    async fn on_down(&mut self, down: Down) -> Next {
        Next::stop(down.reason)
    }

    async fn handle_continue(&mut self, work: Work) -> Next {
        match work {
            Work::Double => self.n *= 2,
        }
        Next::go_on()
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        if let Some(ended) = self.ended {
            send(ended, Ended(self.n, reason.clone()));
        }
    }

    fn format_status(&self) -> String {
        format!("at {}", self.n)
    }

    fn sum(&self) -> i64 {
        self.n * Self::STEP
    }
}

#[fika::test]
async fn requests_are_methods_of_the_client() {
    let counter = Counter::start_link(Start::name("counter"), 5, None).await.unwrap();
    assert_eq!(counter.add(2).await.unwrap(), 7);
    assert_eq!(counter.get().await.unwrap(), 7);
    assert_eq!(counter.add_twice((1, 2), 2).timeout(secs(60)).await.unwrap(), 13);
    assert_eq!(counter.divide(0).await.unwrap(), Err("by zero".to_owned()));
    assert_eq!(Counter::at("counter").add(0).await.unwrap(), 13);
    let pid = counter.whereis().unwrap();
    assert_eq!(Counter::at(pid).add(0).await.unwrap(), 13);
    assert_eq!(format!("{counter:?} {:?}", counter.clone()), "counter counter");
    send(pid, 7_u64);
    assert_eq!(counter.get().await.unwrap(), 20);
    counter.double().await.unwrap();
    assert_eq!(counter.get().await.unwrap(), 40);
    assert_eq!(fika::sys::get_status(&counter).await.unwrap().state, "at 40");
    let (sender, receiver) = mpsc::channel();
    assert!(counter.fill(Local(sender)).await.unwrap());
    assert_eq!(receiver.recv(), Ok(40));
}

#[fika::test]
async fn a_reply_can_come_later() {
    let counter = Counter::start_link(Start::new(), 1, None).await.unwrap();
    let first = counter.later("a".into()).send();
    let second = counter.later("b".into()).send();
    counter.add(1).await.unwrap();
    counter.release();
    assert_eq!(first.receive_response(LIMIT).await.unwrap(), 2);
    assert_eq!(second.receive_response(LIMIT).await.unwrap(), 2);
}

#[fika::test]
async fn a_server_starts_and_ends_as_its_functions_say() {
    let failed = Counter::start(Start::new(), -1, None).await.unwrap_err();
    assert_eq!(failed, StartError::Failed(ExitReason::Badarg("negative".into())));
    let (counter, monitor) =
        Counter::start_monitor(Start::new(), 3, Some(self_pid())).await.unwrap();
    counter.stop_with(ExitReason::Shutdown);
    receive! { ended: Ended => assert_eq!(ended, Ended(3, ExitReason::Shutdown)) }
    assert_eq!(down(monitor).await, ExitReason::Shutdown);
    let (counter, monitor) = Counter::start_monitor(Start::new(), 3, None).await.unwrap();
    counter.fail("as asked".into());
    assert_eq!(down(monitor).await, ExitReason::Error("as asked".into()));
    let (counter, monitor) = Counter::start_monitor(Start::new(), 3, None).await.unwrap();
    let other = Counter::start(Start::new(), 0, None).await.unwrap();
    counter.info(Down {
        monitor,
        object: fika::process::Object::Pid(other.whereis().unwrap()),
        reason: ExitReason::Killed,
    });
    assert_eq!(down(monitor).await, ExitReason::Killed);
}

/// The request has the name that the user has given to it.
#[fika::test]
async fn a_failed_call_names_the_request() {
    let counter = Counter::start(Start::name("slow"), 0, None).await.unwrap();
    let error = counter.hang().timeout(millis(300)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the call `Counter::hang` of slow failed: timeout"), "{text}");
    assert!(text.contains("in `handle_call` of `Counter::hang`"), "{text}");
    let error = Counter::at("nobody").get().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the call `Counter::get` of nobody failed: noproc: there is no such process"
    );
}

struct Stack<T> {
    items: Vec<T>,
}

#[gen_server]
impl<T: Part> Stack<T> {
    pub(crate) async fn init(items: Vec<T>) -> Self {
        Stack { items }
    }

    #[call]
    async fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    #[call]
    async fn push_all(&mut self, items: Vec<T>, _other: Option<(T, StackClient<T>)>) -> u64 {
        self.items.extend(items);
        self.items.len() as u64
    }

    #[cast]
    async fn push(&mut self, item: T) {
        self.items.push(item);
    }

    #[info]
    async fn on_item(&mut self, item: T) {
        self.items.insert(0, item);
    }
}

#[fika::test]
async fn a_generic_server() {
    let numbers = Stack::start_link(Start::name("numbers"), vec![1_u64]).await.unwrap();
    let texts = Stack::<String>::start_link(Start::name("texts"), vec![]).await.unwrap();
    numbers.push(2);
    texts.push("a".to_owned());
    numbers.info(0);
    assert_eq!(numbers.push_all(vec![3], None).await.unwrap(), 4);
    assert_eq!(numbers.pop().await.unwrap(), Some(3));
    assert_eq!(texts.pop().await.unwrap(), Some("a".to_owned()));
    assert_eq!(texts.pop().await.unwrap(), None);
    // A request to a server of another type has no handler.
    let wrong = Stack::<String>::at("numbers").pop().await.unwrap_err();
    assert!(wrong.is_unknown_request() || wrong.is_no_reply(), "{wrong}");
}

/// The node that has the servers, and one that has the clients.
#[test]
fn servers_and_clients_on_two_nodes() {
    let place = Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let (up, ready) = mpsc::channel();
    let servers = there.spawn(async move {
        let _counter = Counter::start_link(Start::name("counter"), 5, None).await.unwrap();
        let _stack = Stack::start_link(Start::name("stack"), vec![7_u64]).await.unwrap();
        up.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    servers.unwrap();
    ready.recv_timeout(LIMIT).unwrap();
    here.block_on(async move {
        let node = place.name("there");
        let counter = Counter::at(("counter", &*node));
        assert_eq!(counter.add(1).await.unwrap(), 6);
        assert_eq!(counter.add_twice((1, 2), 1).await.unwrap(), 9);
        assert_eq!(counter.divide(0).await.unwrap(), Err("by zero".to_owned()));
        counter.release();
        let stack = Stack::<u64>::at(("stack", &*node));
        stack.push(8);
        // The client goes with the request, and a plain name is then one of this node.
        let mine = Stack::start_link(Start::name("mine"), vec![]).await.unwrap();
        let count = stack.push_all(vec![9, 10], Some((1, mine))).await.unwrap();
        assert_eq!(count, 4);
        assert_eq!(stack.pop().await.unwrap(), Some(10));
        let wrong = Stack::<String>::at(("stack", &*node)).pop().timeout(millis(50)).await;
        assert!(wrong.is_err(), "{wrong:?}");
        let late = counter.hang().timeout(millis(50)).await.unwrap_err();
        assert!(
            late.to_string().starts_with("the call `Counter::hang` of {counter,there@"),
            "{late}"
        );
    });
}

#[message]
struct Use(CounterClient);

/// A client that was sent to another node means the process of the node that sent it.
#[test]
fn a_client_is_a_message() {
    let place = Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let (result, results) = mpsc::channel();
    let user = there.spawn(async move {
        for _ in 0..2 {
            let Use(counter) = next!(Use);
            result.send(counter.add(1).await.map_err(|error| error.to_string())).unwrap();
        }
        let counter = next!(CounterClient);
        result.send(counter.add(1).await.map_err(|error| error.to_string())).unwrap();
        hibernate().await;
    });
    let user = user.unwrap();
    there.register("user", user).unwrap();
    here.block_on(async move {
        let user = ("user", &*place.name("there"));
        let counter = Counter::start_link(Start::name("counter"), 0, None).await.unwrap();
        // Another process of that name is where the client goes to.
        send(user, Use(counter.clone()));
        let pid = counter.whereis().unwrap();
        send(user, Use(Counter::at(pid)));
        send(user, counter);
        for n in 1..=3 {
            while results.try_recv().map(|result| assert_eq!(result, Ok(n))).is_err() {
                sleep(millis(1)).await;
            }
        }
    });
}

#[fika::test]
async fn a_reference_is_encoded_with_its_node() {
    let by_name = ServerRef::<Counter>::at("counter");
    let sent: ServerRef<Counter> = Encoded::new(&by_name).unwrap().decode().unwrap();
    assert_eq!(sent.to_string(), format!("{{counter,{}}}", self_node().name()));
    let list: Vec<ServerRef<Counter>> = vec![sent, ServerRef::pid(self_pid())];
    let sent: Vec<ServerRef<Counter>> = Encoded::new(&list).unwrap().decode().unwrap();
    assert_eq!(format!("{sent:?}"), format!("{list:?}"));
    let client: CounterClient = Encoded::new(&Counter::at("counter")).unwrap().decode().unwrap();
    assert_eq!(format!("{client:?}"), format!("{:?}", sent[0]));
    let tag = format!("fika_otp::ServerRef<{}>", std::any::type_name::<Counter>());
    assert_eq!(ServerRef::<Counter>::tag(), tag);
    assert_eq!(CounterClient::tag(), "fika::CounterClient");
    assert_eq!(StackClient::<u64>::tag(), "fika::StackClient<u64>");

    let error = Encoded::new(&Counter::via(Arc::new(Nowhere))).unwrap_err().to_string();
    assert!(error.contains("a name in a registry has a meaning on its own node only"), "{error}");
    // Sending to an invalid name would end the sender, so the name is not decoded.
    for name in ["", "undefined", &*"x".repeat(1021)] {
        let bad = ServerRef::<Counter>::at((name, "a@127.0.0.1"));
        let error = Encoded::new(&bad).map(|encoded| encoded.decode::<ServerRef<Counter>>());
        assert!(!matches!(error, Ok(Ok(_))), "{name}");
    }
    let (sender, receiver) = mpsc::channel();
    #[allow(clippy::disallowed_methods, reason = "a thread that works for no node")]
    std::thread::spawn(move || sender.send(Encoded::new(&by_name).is_err()));
    assert_eq!(receiver.recv(), Ok(true), "no node encodes it");
}

struct Nowhere;

type Later<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Via for Nowhere {
    fn register(&self, _: Pid) -> Later<'_, Result<(), Pid>> {
        Box::pin(async { Ok(()) })
    }

    fn unregister(&self) -> Later<'_, ()> {
        Box::pin(async {})
    }

    fn whereis(&self) -> Option<Pid> {
        None
    }

    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nowhere")
    }
}

#[fika::test]
async fn requests_have_stable_names_on_the_wire() {
    #[derive(Default)]
    struct Odd(Arc<Mutex<Vec<u8>>>);

    /// All that a block may have besides.
    #[gen_server(tag = "odd::Server")]
    impl Odd {
        async fn init() -> Result<Self, String> {
            Ok(Odd::default())
        }

        #[deprecated = "too old"]
        #[call]
        async fn old(&mut self, with: <Self as HasPair>::Pair, r#type: u8) -> Vec<u8> {
            let mut all = self.0.lock().unwrap();
            all.extend([with.0, with.1, r#type]);
            all.clone()
        }

        #[cfg(any())]
        #[call]
        async fn left_out(&mut self, _: NoSuchType) {}

        #[cfg(test)]
        #[cast]
        async fn r#match(&mut self) {
            self.0.lock().unwrap().push(1);
        }
    }

    trait HasPair {
        type Pair;
    }

    impl HasPair for Odd {
        type Pair = (u8, u8);
    }

    let odd = Odd::start_link(Start::new()).await.unwrap();
    odd.r#match();
    #[expect(deprecated)]
    let all = odd.old((2, 3), 4).await.unwrap();
    assert_eq!(all, [1, 2, 3, 4]);
    #[expect(deprecated)]
    let request = odd.old((2, 3), 4);
    assert_eq!(tag_of(&request), "odd::Server::old(tuple2<u8,u8>,u8)");
    assert_eq!(tag_of(&Counter::at("x").add(1)), "fika::Counter::add(i64)");
    assert_eq!(tag_of(&Stack::<u64>::at("x").pop()), "fika::Stack::pop()");
}

/// A node checks these when it starts, as it does for messages.
#[test]
fn every_request_has_an_entry() {
    let entries = fika::__private::inventory::iter::<fika::__private::TagEntry>;
    let entries: String = entries.into_iter().map(|entry| format!("{entry:?}")).collect();
    for tag in ["odd::Server::old", "odd::Server::match", "fika::Counter::add", "fika::Stack::pop"]
    {
        assert_eq!(entries.matches(&format!("{tag:?}")).count(), 1, "{tag} in {entries}");
    }
    assert!(!entries.contains("left_out") && !entries.contains("on_number"), "{entries}");
}

fn tag_of<R: Message, A>(_: &fika::gen_server::Request<'_, R, A>) -> String {
    R::tag().into_owned()
}

mod small_interface {
    use fika::prelude::*;

    /// The types of a private request, of its reply and of `init` may be private.
    #[message]
    pub(super) struct Private;

    pub struct Public;

    #[gen_server]
    impl Public {
        pub(super) async fn init() -> Self {
            Public
        }

        #[call]
        pub(super) async fn ask(&mut self, _: Private) -> Private {
            Private
        }
    }

    pub(super) async fn asks() -> bool {
        let public = Public::start_link(Start::new()).await.unwrap();
        public.ask(Private).await.is_ok()
    }
}

#[fika::test]
async fn a_public_server_may_have_private_requests() {
    assert!(small_interface::asks().await);
}
