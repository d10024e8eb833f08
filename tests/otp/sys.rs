//! `sys_SUITE`: system messages.

use std::sync::{Arc, Mutex};

use fika::gen_server::*;
use fika::prelude::*;
use fika::proc_lib::{self, InitAck};
use fika::sys::{self, Control, Event, Received, Traced};

use crate::support::Place;
use crate::support::process::OsNode;
use crate::wait::{LIMIT, down, has_none, next};

/// Answers with its number after adding to it.
struct Public(u64);

#[message]
#[derive(Clone, Debug)]
struct Add(u64);

impl GenServer for Public {
    type Args = ();
    type Receives = (Call<Add>, Cast<Add>);

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Public(0))
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        assert_eq!(*reason, ExitReason::Shutdown, "the only one of these tests");
    }

    fn format_status(&self) -> String {
        self.0.to_string()
    }
}

impl HandleCall<Add> for Public {
    type Reply = u64;

    async fn handle_call(&mut self, Add(n): Add, _: &mut Caller<'_, u64>) -> Reply<u64> {
        self.0 += n;
        self.0.into()
    }
}

impl HandleCast<Add> for Public {
    async fn handle_cast(&mut self, Add(n): Add) -> Next {
        self.0 += n;
        Next::go_on()
    }
}

type Ref = ServerRef<Public>;

async fn public() -> Ref {
    fika::gen_server::start::<Public>(Start::new(), ()).await.unwrap()
}

#[remote(name = "test::sys_public")]
async fn public_there(owner: Pid) {
    send(owner, public().await.whereis().unwrap());
}

/// Returns a server of this node and one of another node.
async fn both(there: &OsNode) -> [Ref; 2] {
    spawn_on(&there.name, public_there(self_pid())).await;
    [public().await, Ref::pid(next::<Pid>().await)]
}

fn event_in(callback: &str, from: Option<Pid>) -> Event {
    let (callback, message) = (callback.to_owned(), std::any::type_name::<Add>().to_owned());
    Event::In { callback, message, from }
}

/// The events of a call by this process that makes the number `n`.
fn call_events(n: u64) -> [Event; 3] {
    let me = Some(self_pid());
    let out = Event::Out { message: "u64".to_owned(), to: me };
    [event_in("handle_call", me), out, Event::State(n.to_string())]
}

/// SYS-5: the last events of a process, and functions that see its events.
#[test]
fn log() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        for server in both(&there).await {
            assert_eq!(sys::get_log(&server).await.unwrap(), []);
            sys::log(&server, 4).await.unwrap();
            server.call(Add(1)).await.unwrap();
            assert_eq!(sys::get_log(&server).await.unwrap(), call_events(1));
            server.cast(Add(1));
            let [_, out, state] = call_events(1);
            let last = [out, state, event_in("handle_cast", None), Event::State("2".to_owned())];
            assert_eq!(sys::get_log(&server).await.unwrap(), last, "the last four");
            assert_eq!(sys::get_status(&server).await.unwrap().log, last);
            sys::log(&server, 1).await.unwrap();
            assert_eq!(sys::get_log(&server).await.unwrap(), last[3..]);
            sys::log(&server, 0).await.unwrap();
            server.call(Add(1)).await.unwrap();
            assert_eq!(sys::get_log(&server).await.unwrap(), []);
        }
        // Functions: until they return false, panic, or are removed.
        let server = public().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sees = seen.clone();
        let first_two = move |event: &Event| {
            let mut seen = sees.lock().unwrap();
            seen.push(event.clone());
            seen.len() < 2
        };
        sys::install(&server, "first two", first_two).await.unwrap();
        sys::install(&server, "fails", |_| panic!("a function fails as asked")).await.unwrap();
        let all = Arc::new(Mutex::new(0));
        let counts = all.clone();
        sys::install(&server, "counts", move |_| {
            *counts.lock().unwrap() += 1;
            true
        })
        .await
        .unwrap();
        server.call(Add(1)).await.unwrap();
        server.call(Add(1)).await.unwrap();
        sys::get_status(&server).await.unwrap();
        assert_eq!(*seen.lock().unwrap(), call_events(1)[..2]);
        assert_eq!(*all.lock().unwrap(), 6);
        sys::remove(&server, "counts").await.unwrap();
        server.call(Add(1)).await.unwrap();
        sys::get_status(&server).await.unwrap();
        assert_eq!((*all.lock().unwrap(), Arc::strong_count(&all)), (6, 1), "it is dropped");
        assert_eq!(Arc::strong_count(&seen), 1, "it is dropped");
    });
}

/// SYS-5: counts, for how long, and reductions.
#[test]
fn stats() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        for server in both(&there).await {
            assert_eq!(sys::get_statistics(&server).await.unwrap(), None);
            server.call(Add(1)).await.unwrap();
            sys::statistics(&server, true).await.unwrap();
            let mut last = sys::get_statistics(&server).await.unwrap().unwrap();
            assert_eq!((last.messages_in, last.messages_out), (0, 0));
            for n in 1..=3 {
                server.call(Add(1)).await.unwrap();
                server.cast(Add(1));
                let now = sys::get_statistics(&server).await.unwrap().unwrap();
                assert_eq!((now.messages_in, now.messages_out), (2 * n, n));
                assert!(now.reductions > last.reductions && now.time > last.time, "{now:?}");
                assert!(now.reductions < 1000, "since they were switched on: {now:?}");
                last = now;
            }
            sys::statistics(&server, true).await.unwrap();
            let again = sys::get_statistics(&server).await.unwrap().unwrap();
            assert_eq!((again.messages_in, again.messages_out), (0, 0));
            sys::no_debug(&server).await.unwrap();
            assert_eq!(sys::get_statistics(&server).await.unwrap(), None);
            server.stop(ExitReason::Shutdown, LIMIT).await.unwrap();
            assert!(sys::get_statistics(&server).await.unwrap_err().is_noproc());
        }
    });
}

/// SYS-5: a trace that is reported, and one that goes to a process; both end.
#[test]
fn trace() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        for server in both(&there).await {
            let pid = server.whereis().unwrap();
            sys::trace_to(&server, self_pid()).await.unwrap();
            server.call(Add(1)).await.unwrap();
            for event in call_events(1) {
                assert_eq!(next::<Traced>().await, Traced { pid, event });
            }
            sys::trace(&server, false).await.unwrap();
            server.call(Add(1)).await.unwrap();
            sys::get_status(&server).await.unwrap();
            assert!(has_none::<Traced>().await);
            sys::trace(&server, true).await.unwrap();
            server.call(Add(40)).await.unwrap();
            sys::no_debug(&server).await.unwrap();
            server.call(Add(1)).await.unwrap();
        }
        there.await_log("a traced process", 3);
        there.await_log("state 42", 1);
        assert_eq!(there.logged("state 43"), 0);
    });
}

/// SYS-1: a suspended server keeps its messages in order; calls meanwhile time out. System messages
/// and orders to end pass a full mailbox (SYS-4).
#[test]
fn suspend() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        for server in both(&there).await {
            assert_eq!(server.call(Add(1)).await.unwrap(), 1);
            sys::suspend(&server).await.unwrap();
            assert!(sys::get_status(&server).await.unwrap().suspended);
            for n in 0..2 {
                let late = server.call(Add(n)).timeout(millis(20)).await.unwrap_err();
                assert!(late.is_timeout(), "{late}");
            }
            server.cast(Add(10));
            let kept = server.call(Add(100)).send();
            assert_eq!(sys::get_status(&server).await.unwrap().state, "1");
            sys::resume(&server).await.unwrap();
            assert_eq!(kept.receive_response(LIMIT).await.unwrap(), 112);
            assert!(!sys::get_status(&server).await.unwrap().suspended);
            // It ends while it is suspended, by its callback.
            sys::suspend(&server).await.unwrap();
            let watch = monitor(server.whereis().unwrap());
            sys::terminate(&server, ExitReason::Shutdown).await.unwrap();
            assert_eq!(down(watch).await, ExitReason::Shutdown);
            assert!(sys::suspend(&server).await.unwrap_err().is_noproc());
        }
        assert!(sys::resume(&Ref::at("nobody")).await.unwrap_err().is_noproc());
    });
}

/// SYS-1, SYS-4: a process that is written by hand obeys system messages.
#[fika::test(workers = 2)]
async fn special_process() {
    trap_exit(true);
    async fn special(ack: InitAck<()>) {
        trap_exit(true);
        let mut control = Control::new(&ack);
        assert!(control.parent().is_some() && !control.is_watched());
        ack.ok(());
        let mut sum = 0_u64;
        loop {
            match control.next(&mut sum).await {
                Received::Message(message) => {
                    if let Some(n) = fika::message::open_message::<u64>(message) {
                        sum += n;
                        control.event(|| Event::State(sum.to_string()));
                    }
                }
                Received::Stop(reason) => exit(reason),
            }
        }
    }
    let (pid, ()) = proc_lib::start_link(Start::new(), special).await.unwrap();
    let at = ServerRef::<u64>::pid(pid);
    sys::log(&at, 10).await.unwrap();
    for _ in 0..3 {
        send(pid, 5_u64);
    }
    assert_eq!(sys::get_state(&at).await.unwrap(), 15);
    sys::suspend(&at).await.unwrap();
    send(pid, 1_u64);
    sys::replace_state(&at, |sum| sum * 2).await.unwrap();
    let status = sys::get_status(&at).await.unwrap();
    assert_eq!((status.parent, status.suspended), (Some(self_pid()), true));
    assert_eq!((status.state.as_str(), status.log.len()), ("30", 3));
    assert!(status.module.ends_with("special"), "{}", status.module);
    sys::resume(&at).await.unwrap();
    assert_eq!(sys::get_state(&at).await.unwrap(), 31);
    // A request that it does not know, an exit signal of another process, and that of its parent.
    let refused = ServerRef::<Public>::pid(pid).call(Add(1)).await.unwrap_err();
    assert!(refused.is_unknown_request(), "{refused}");
    spawn(async move { exit_process(pid, ExitReason::Shutdown) });
    sys::suspend(&at).await.unwrap();
    exit_process(pid, ExitReason::term(9_u64));
    assert_eq!(crate::wait::exit_from(pid).await, ExitReason::term(9_u64));
    // Stopped.
    let (pid, ()) = proc_lib::start_link(Start::new(), special).await.unwrap();
    proc_lib::stop(pid, ExitReason::Shutdown, LIMIT).await.unwrap();
    assert_eq!(crate::wait::exit_from(pid).await, ExitReason::Shutdown);
}
