//! A program's own code (serde implementations, the functions of `Message`, destructors,
//! transports) runs while a message is sent or received, and may itself use the connection. It
//! never runs under a lock that it could wait for.

use crate::support;

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use fika::Node;
use fika::message::{
    Buffer, Bytes, DecodeError, EncodeError, Reference, alias, send_wait, try_send,
};
use fika::net::transport::{HostIps, Listener, Network, Socket, SocketHandler};
use fika::net::{Ping as PingAnswer, disconnect_node, ping};
use fika::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use support::{LIMIT, Place, TestNode};

/// Runs `body` in a process, and fails if it does not end: a process that waits for a lock that its
/// own thread holds blocks forever.
fn within_limit(node: &TestNode, body: impl Future<Output = ()> + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    node.spawn(async move {
        body.await;
        done.send(()).unwrap();
    });
    if is_done.recv_timeout(LIMIT).is_err() {
        // A panic would not help here, since the nodes of the test could not stop.
        eprintln!("the process does not end");
        std::process::exit(1);
    }
}

/// Counts the numbers that it receives. Answers a pid with the count.
#[remote]
async fn counts(to: Pid) {
    register("counts", self_pid()).unwrap();
    let alias = alias();
    send(to, (self_pid(), alias));
    let mut count = 0_u64;
    loop {
        receive! {
            _number: u64 => count += 1,
            from: Pid => send(from, count),
            _other => {}
        }
    }
}

/// Asks `counts` for the count.
async fn count_at(pid: Pid) -> u64 {
    send(pid, self_pid());
    next!(u64)
}

/// Sends a number to `counts` of the node `to` when it is dropped.
struct Drops {
    text: String,
    to: Option<String>,
}

impl Drop for Drops {
    fn drop(&mut self) {
        if let Some(to) = &self.to {
            send(("counts", &**to), 1_u64);
        }
    }
}

impl Serialize for Drops {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Drops {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Drops, D::Error> {
        String::deserialize(deserializer).map(|text| Drops { text, to: None })
    }
}

impl Message for Drops {
    fn tag() -> Cow<'static, str> {
        "test::Drops".into()
    }

    fn fingerprint() -> u64 {
        7
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        fika::message::encode_postcard(self, out)
    }

    fn decode(bytes: &Bytes) -> Result<Drops, DecodeError> {
        fika::message::decode_postcard_shared(bytes)
    }
}

/// A value's code may send, however the value is sent, with an existing connection or without.
#[test]
fn a_destructor_may_send_to_the_same_node() {
    let place = Place::new();
    let (near, _far) = (place.node("near"), place.node("far"));
    let far = place.name("far");
    within_limit(&near, async move {
        let to = spawn_on(&far, counts(self_pid())).await;
        let (pid, alias) = next!((Pid, Reference));
        assert_eq!(to, pid);
        let value = |length: usize| Drops { text: "x".repeat(length), to: Some(far.clone()) };
        let mut dropped = 0;
        for length in [1, 8 << 10, 1 << 20] {
            send(pid, value(length));
            send(("counts", &*far), value(length));
            send(alias, value(length));
            send_wait(("counts", &*far), value(length)).await.unwrap();
            let not_sent = try_send(("counts", &*far), value(length));
            dropped += 5;
            // The destructor of a returned value runs here.
            drop(not_sent);
        }
        assert_eq!(count_at(pid).await, dropped);
        disconnect_node(&far).await;
        // These messages wait for the connection, and are already encoded.
        for length in [1, 1 << 20] {
            send(("counts", &*far), value(length));
            send(pid, value(length));
            dropped += 2;
        }
        assert_eq!(count_at(pid).await, dropped);
    });
}

/// The code of this test's types calls this function. It is set once there is a connection.
static SAYS: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
static SAID: AtomicUsize = AtomicUsize::new(0);

/// Sends something to the other node, unless this thread is already doing so.
fn says() {
    thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
    }
    if let Some(says) = SAYS.get().filter(|_| !INSIDE.replace(true)) {
        says();
        SAID.fetch_add(1, Ordering::SeqCst);
        INSIDE.set(false);
    }
}

/// A type whose code always sends something.
#[derive(Debug, PartialEq)]
struct Says(u64);

impl Serialize for Says {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        says();
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Says {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Says, D::Error> {
        says();
        u64::deserialize(deserializer).map(Says)
    }
}

impl Message for Says {
    fn tag() -> Cow<'static, str> {
        says();
        "test::Says".into()
    }

    fn fingerprint() -> u64 {
        says();
        8
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        says();
        fika::message::encode_postcard(self, out)
    }

    fn decode(bytes: &Bytes) -> Result<Says, DecodeError> {
        says();
        fika::message::decode_postcard_shared(bytes)
    }
}

/// Takes a value whose code sends, among other arguments.
#[remote(name = "test::user_code::takes")]
async fn takes(first: Says, to: Pid) {
    send(to, first.0);
    register("takes", self_pid()).unwrap();
    loop {
        receive! {
            Says(number) => send(to, number),
            list: Vec<Says> => send(to, list.len() as u64),
            some: Option<Says> => send(to, some.map_or(0, |says| says.0)),
        }
    }
}

/// A value's code may send over the same connection, at both ends, and make other connections.
#[test]
fn serialization_code_may_send_and_connect() {
    let place = Place::new();
    let (near, far, third) = (place.node("near"), place.node("far"), place.name("third"));
    let _third = place.os("third").start();
    let nodes: [Node; 2] = [(*near).clone(), (*far).clone()];
    let others = [place.name("far"), place.name("near")];
    for node in &nodes {
        node.spawn(async {
            register("hears", self_pid()).unwrap();
            loop {
                receive! { _number: u64 => {} }
            }
        });
    }
    let far = place.name("far");
    within_limit(&near, async move {
        assert_eq!(ping(&far).await, PingAnswer::Pong);
        let says = move || {
            for (node, other) in nodes.iter().zip(&others) {
                let _ = node.send(("hears", &**other), 1_u64);
                let _ = node.send(("nobody", &*third), 1_u64);
            }
        };
        assert!(SAYS.set(Box::new(says)).is_ok());
        spawn_on(&far, takes(Says(1), self_pid())).await;
        assert_eq!(next!(u64), 1);
        for n in 0..3 {
            send(("takes", &*far), Says(n));
            assert_eq!(next!(u64), n);
            send(("takes", &*far), vec![Says(n), Says(n)]);
            assert_eq!(next!(u64), 2);
            send(("takes", &*far), Some(Says(n)));
            assert_eq!(next!(u64), n);
        }
        assert!(SAID.load(Ordering::SeqCst) > 20);
    });
}

/// A list's items may come from code that uses the node's settings.
#[test]
fn an_iterator_of_nodes_may_use_the_node() {
    let place = Place::new();
    let (near, _far) = (place.node("near"), place.node("far"));
    let (far, own) = (place.name("far"), near.name().to_string());
    within_limit(&near, async move {
        struct Asks(String);
        impl AsRef<str> for Asks {
            fn as_ref(&self) -> &str {
                fika::net::allow([&self.0]).unwrap();
                fika::net::set_cookie(support::COOKIE).unwrap();
                &self.0
            }
        }
        fika::net::allow([Asks(own)]).unwrap();
        fika::net::set_cookie(AsksCookie).unwrap();
        fika::net::allow([&far]).unwrap();
        assert_eq!(ping(&far).await, PingAnswer::Pong);
    });
}

struct AsksCookie;

impl AsRef<str> for AsksCookie {
    fn as_ref(&self) -> &str {
        fika::net::set_cookie(support::COOKIE).unwrap();
        support::COOKIE
    }
}

/// A transport that calls a handler as soon as it has it, and before it answers about options.
struct Hasty(fika::net::transport::Poller);

struct HastySocket(Box<dyn Socket>, Mutex<Option<Arc<dyn SocketHandler>>>);

struct HastyListener(Box<dyn Listener>);

impl HastySocket {
    fn of(socket: Box<dyn Socket>) -> Box<dyn Socket> {
        Box::new(HastySocket(socket, Mutex::default()))
    }

    fn calls(&self) {
        let handler = self.1.lock().unwrap().clone();
        if let Some(handler) = handler {
            handler.ready(true, true);
        }
    }
}

impl Network for Hasty {
    fn connect(&self, addr: std::net::SocketAddr) -> std::io::Result<Box<dyn Socket>> {
        self.0.connect(addr).map(HastySocket::of)
    }

    fn listen(
        &self,
        addr: std::net::SocketAddr,
        backlog: u32,
    ) -> std::io::Result<Box<dyn Listener>> {
        Ok(Box::new(HastyListener(self.0.listen(addr, backlog)?)))
    }

    fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a> {
        self.0.host_ips(host)
    }
}

impl Listener for HastyListener {
    fn local_addr(&self) -> std::net::SocketAddr {
        self.0.local_addr()
    }

    fn try_accept(&self) -> std::io::Result<Box<dyn Socket>> {
        self.0.try_accept().map(HastySocket::of)
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.0.set_handler(handler);
    }
}

impl Socket for HastySocket {
    fn connected(&self) -> std::io::Result<()> {
        self.0.connected()
    }

    fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.try_read(buf)
    }

    fn try_write(&self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
        self.0.shutdown(how)
    }

    fn peer_addr(&self) -> std::net::SocketAddr {
        self.0.peer_addr()
    }

    fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
        self.calls();
        self.0.local_addr()
    }

    fn set_options(&self, options: &fika::net::SocketOptions) -> std::io::Result<()> {
        self.calls();
        self.0.set_options(options)
    }

    fn options(&self) -> std::io::Result<fika::net::SocketOptions> {
        self.calls();
        self.0.options()
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.0.set_handler(handler.clone());
        *self.1.lock().unwrap() = Some(handler);
        self.calls();
    }

    fn release_handler(&self) {
        self.0.release_handler();
        self.1.lock().unwrap().take();
    }
}

#[test]
fn a_transport_may_call_its_handler_at_once() {
    let place = Place::new();
    let node = |alive| TestNode::of(place.builder(alive).network(|poller| Ok(Hasty(poller))));
    let (near, _far) = (node("near"), node("far"));
    let far = place.name("far");
    within_limit(&near, async move {
        let pid = spawn_on(&far, counts(self_pid())).await;
        next!((Pid, Reference));
        let options = fika::net::getopts(&*far).unwrap();
        fika::net::setopts(&*far, options).unwrap();
        send(pid, 1_u64);
        assert_eq!(count_at(pid).await, 1);
    });
}
