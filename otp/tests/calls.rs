//! Calls that go wrong: circles, callers and servers that vanish, full mailboxes, and what they leave
//! behind.

extern crate fika_runtime as fika;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fika::{
    ExitReason, Local, MailboxLimit, Node, Pid, Waiting, WhenFull, exit, exit_process, info,
    is_process_alive, monitor, process_count, self_node, self_pid, send, sleep, spawn, timeout,
    whereis,
};
use fika_macros::{Message, receive};
use fika_otp::gen_server::*;
use fika_otp::{gen_server, sys};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

/// Work for a server: it gets the caller, and may call whomever it likes.
type Work = Box<dyn FnOnce(&mut Server, &mut Caller<'_, Told>) -> Job + Send>;
type Job = std::pin::Pin<Box<dyn Future<Output = Reply<Told>> + Send>>;
type Told = Local<Result<u64, CallError>>;

#[derive(Message)]
#[message(local)]
struct Do(Work);

fn work(work: impl FnOnce(&mut Server, &mut Caller<'_, Told>) -> Job + Send + 'static) -> Do {
    Do(Box::new(work))
}

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "calls::Get")]
struct Get;

#[derive(Default)]
struct Server {
    kept: Vec<ReplyTo<Told>>,
    at_end: Option<Box<dyn FnOnce() + Send>>,
}

impl GenServer for Server {
    type Args = ();
    type Receives = (Call<Do>, Call<Get>);

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Server::default())
    }

    async fn terminate(&mut self, _: &ExitReason) {
        if let Some(at_end) = self.at_end.take() {
            at_end();
        }
    }
}

impl HandleCall<Do> for Server {
    type Reply = Told;

    async fn handle_call(&mut self, Do(work): Do, caller: &mut Caller<'_, Told>) -> Reply<Told> {
        let job = work(self, caller);
        job.await
    }
}

impl HandleCall<Get> for Server {
    type Reply = u64;

    async fn handle_call(&mut self, _: Get, _: &mut Caller<'_, u64>) -> Reply<u64> {
        7.into()
    }
}

type Ref = ServerRef<Server>;

async fn server() -> Ref {
    gen_server::start::<Server>(Start::new(), ()).await.unwrap()
}

fn run<F>(test: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async { timeout(3 * LIMIT, test).await.expect("the test hangs") });
    node.stop();
}

/// Calls the next server of a list, which calls its next one, and so on.
fn chain(mut next: std::collections::VecDeque<Ref>) -> Do {
    work(move |_, _| {
        Box::pin(async move {
            let Some(server) = next.pop_front() else { return Local(Ok(7)).into() };
            let told = server.call(chain(next)).no_timeout().await;
            Local(told.and_then(|Local(told)| told)).into()
        })
    })
}

/// Makes the servers call each other in a circle. Returns the error of the first server's call.
async fn circle(servers: Vec<Ref>) -> CallError {
    let first = servers[0].clone();
    let mut calls = Vec::new();
    // Each server calls the next one by itself, so each call gets its own error.
    for at in 0..servers.len() {
        let next = servers[(at + 1) % servers.len()].clone();
        let calls_next = work(move |_, _| {
            Box::pin(async move { Local(next.call(Get).no_timeout().await).into() })
        });
        calls.push(servers[at].call(calls_next).send());
    }
    let mut errors = Vec::new();
    for call in calls {
        let Local(told) = call.receive_response(LIMIT).await.unwrap();
        errors.extend(told.err());
    }
    assert_eq!(errors.len(), servers.len(), "every member of the circle fails");
    for error in &errors {
        assert_eq!(error.cycle().len(), servers.len(), "{error}");
        for server in &servers {
            let pid = server.whereis().unwrap();
            assert!(error.cycle().iter().any(|hop| hop.caller == pid), "{error}");
            assert!(error.to_string().contains(&pid.to_string()), "{error}");
        }
        let text = error.to_string();
        assert!(text.contains("deadlock") && text.contains("Get"));
        assert_eq!(text.matches(", which waits in `").count(), servers.len() - 1, "{text}");
    }
    assert_eq!(first.call(Get).await.unwrap(), 7, "it goes on");
    errors.swap_remove(0)
}

#[test]
fn a_circle_of_calls_is_found() {
    run(async {
        for size in [2, 3, 7] {
            let mut servers = Vec::new();
            for _ in 0..size {
                servers.push(server().await);
            }
            let began = self_node().env().now();
            circle(servers).await;
            let took = self_node().env().now().since(began);
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
        // One behind the other: the call that closes the circle is made last.
        let servers = [server().await, server().await, server().await];
        let mut path: Vec<Ref> = servers[1..].to_vec();
        path.push(servers[0].clone());
        let Local(told) = servers[0].call(chain(path.into())).await.unwrap();
        assert_eq!(told.unwrap_err().cycle().len(), 3);
    });
}

#[test]
fn two_circles_at_once_are_kept_apart() {
    run(async {
        let mut circles = Vec::new();
        let (a, b) = (self_pid(), 2);
        for size in [3, 4] {
            let mut servers = Vec::new();
            for _ in 0..size {
                servers.push(server().await);
            }
            spawn(async move { send(a, Local(circle(servers).await)) });
            circles.push(size);
        }
        let mut sizes = Vec::new();
        for _ in 0..b {
            receive! { Local(error): Local<CallError> => sizes.push(error.cycle().len()), after LIMIT => panic!("late") }
        }
        sizes.sort_unstable();
        assert_eq!(sizes, circles);
    });
}

/// A process waits in two calls, of which the later one is answered. The other one stays known, and
/// becomes part of a circle.
#[test]
fn a_circle_goes_through_one_of_two_calls() {
    run(async {
        let (a, x, y) = (server().await, server().await, server().await);
        let (me, to_a) = (self_pid(), a.clone());
        let answers_late = work(|_, _| {
            Box::pin(async {
                // The call is in the table when it is answered.
                sleep(Duration::from_millis(400)).await;
                Local(Ok(1)).into()
            })
        });
        let calls_back = work(move |_, _| {
            Box::pin(async move {
                receive! { () => {} }
                Local(to_a.call(Get).no_timeout().await).into()
            })
        });
        let to_y = y.clone();
        let calls_both = work(move |_, _| {
            Box::pin(async move {
                let mut circle = pin!(async { to_y.call(calls_back).no_timeout().await });
                let mut other = pin!(async { x.call(answers_late).no_timeout().await });
                let mut answered = false;
                let told = poll_fn(|context| {
                    let told = circle.as_mut().poll(context);
                    if !answered && other.as_mut().poll(context).is_ready() {
                        answered = true;
                        send(me, ());
                    }
                    told
                });
                Local(told.await.and_then(|Local(told)| told)).into()
            })
        });
        let call = a.call(calls_both).no_timeout().send();
        receive! { () => {}, after LIMIT => panic!("the late call was not answered") }
        send(y.whereis().unwrap(), ());
        let Local(told) = call.receive_response(LIMIT).await.unwrap();
        assert_eq!(told.unwrap_err().cycle().len(), 2);
    });
}

/// A server whose reply comes later can take other requests, so there is no circle.
#[test]
fn a_deferred_reply_is_no_circle() {
    run(async {
        let (a, b) = (server().await, server().await);
        let (to_b, to_a) = (b.clone(), a.clone());
        // `a` keeps two callers; `b` waits for `a`, which then calls `b`.
        let keep = || {
            work(|server: &mut Server, caller| {
                server.kept.push(caller.reply_later());
                Box::pin(async { Reply::later() })
            })
        };
        // `b` is a caller that waits twice, and whose first request is answered first.
        let waits = work(move |_, _| {
            Box::pin(async move {
                let first = to_a.call(keep()).send();
                let second = to_a.call(keep()).no_timeout();
                let told = second.await.and_then(|Local(told)| told);
                drop(first);
                Local(told).into()
            })
        });
        let waiting = b.call(waits).no_timeout().send();
        let kept = async |at_least: usize| {
            while sys::with_state(&a, |a| a.kept.len()).await.unwrap() < at_least {}
        };
        kept(2).await;
        let release_first = work(|server: &mut Server, _| {
            server.kept.remove(0).reply(Local(Ok(1)));
            Box::pin(async { Local(Ok(0)).into() })
        });
        a.call(release_first).await.unwrap().0.unwrap();
        let calls_b = work(move |_, _| {
            Box::pin(async move {
                let limit = Duration::from_millis(900);
                Local(to_b.call(Get).timeout(limit).await).into()
            })
        });
        let Local(told) = a.call(calls_b).no_timeout().await.unwrap();
        let error = told.unwrap_err();
        assert!(error.is_timeout() && error.cycle().is_empty(), "{error}");
        let release = work(|server: &mut Server, _| {
            server.kept.drain(..).for_each(|caller| caller.reply(Local(Ok(5))));
            Box::pin(async { Local(Ok(0)).into() })
        });
        a.call(release).await.unwrap().0.unwrap();
        let Local(told) = waiting.receive_response(LIMIT).await.unwrap();
        assert_eq!(told.unwrap(), 5);
        // All replies were given, so the two can form a circle.
        circle(vec![a, b]).await;
    });
}

/// A server can tell who called, and whether the caller still waits.
#[test]
fn the_address_of_a_caller_says_whether_it_waits() {
    run(async {
        let me = self_pid();
        let server = server().await;
        let keeps = work(move |server: &mut Server, caller| {
            assert_eq!(caller.pid(), Some(me));
            let shown = format!("{caller:?}");
            assert!(shown.contains(&self_pid().to_string()), "the server: {shown}");
            server.kept.push(caller.reply_later());
            assert_eq!(caller.pid(), None, "it was taken");
            Box::pin(async { Reply::later() })
        });
        let mut request = server.call(keeps).send();
        let kept = async || {
            let state = |server: &Server| {
                let kept = server.kept.first()?;
                Some((kept.pid(), kept.is_abandoned(), format!("{kept:?}")))
            };
            sys::with_state(&server, state).await.unwrap()
        };
        let seen = kept().await.unwrap();
        let shown = format!("ReplyTo {{ caller: Some({me:?}), .. }}");
        assert_eq!(seen, (Some(me), false, shown));
        assert!(request.check_response().await.is_none());
        drop(request);
        let (pid, abandoned, _) = kept().await.unwrap();
        assert_eq!((pid, abandoned), (Some(me), true));
        // A late reply goes nowhere.
        let replies = work(|server, _| {
            server.kept.remove(0).reply(Local(Ok(7)));
            Box::pin(async { Local(Ok(7)).into() })
        });
        server.call(replies).await.unwrap().0.unwrap();
        assert_eq!(server.call(Get).await.unwrap(), 7);
    });
}

/// A request that another process or a thread holds, and drops, fails; the server goes on.
#[test]
#[allow(clippy::disallowed_methods, reason = "a thread that is not a process")]
fn a_request_that_is_dropped_elsewhere_fails_at_once() {
    run(async {
        let server = server().await;
        let drop_in: [fn(ReplyTo<Told>); 3] = [
            |caller| {
                spawn(async move { exit_with(caller) });
            },
            |caller| {
                spawn(async move {
                    let _caller = caller;
                    panic!("as it should")
                });
            },
            |caller| drop(std::thread::spawn(move || drop(caller))),
        ];
        for drop_in in drop_in {
            let dropped = work(move |_, caller| {
                drop_in(caller.reply_later());
                Box::pin(async { Reply::later() })
            });
            let failed = server.call(dropped).no_timeout().await;
            let failed = failed.map(drop).unwrap_err();
            assert!(failed.is_no_reply(), "{failed}");
            assert_eq!(server.call(Get).await.unwrap(), 7);
        }
        // A panic that the server survives.
        let survives = work(|_, caller| {
            let caller = caller.reply_later();
            Box::pin(async move {
                let panics = async move {
                    let _caller = caller;
                    panic!("as it should")
                };
                let _: Result<(), ExitReason> = fika::catch_exit(panics).await;
                Reply::later()
            })
        });
        let failed = server.call(survives).no_timeout().await;
        let failed = failed.map(drop).unwrap_err();
        assert!(failed.is_no_reply(), "{failed}");
        assert_eq!(server.call(Get).await.unwrap(), 7);
    });
}

fn exit_with(caller: ReplyTo<Told>) {
    let _caller = caller;
    exit(ExitReason::Shutdown)
}

/// Calls run beside each other, and beside a `receive!`.
#[test]
fn calls_run_side_by_side() {
    run(async {
        let (a, b) = (server().await, server().await);
        let slow = |answer: u64| {
            work(move |_, _| {
                Box::pin(async move {
                    sleep(Duration::from_millis(400)).await;
                    Local(Ok(answer)).into()
                })
            })
        };
        let me = self_pid();
        spawn(async move {
            sleep(Duration::from_millis(300)).await;
            send(me, 3_u64);
        });
        let began = self_node().env().now();
        let mut calls =
            [Box::pin(a.call(slow(1)).into_future()), Box::pin(b.call(slow(2)).into_future())];
        let both = async {
            let mut told = Vec::new();
            let [first, second] = &mut calls;
            told.push(first.await.unwrap().0.unwrap());
            told.push(second.await.unwrap().0.unwrap());
            told
        };
        let note = async {
            receive! { n: u64 => n, after LIMIT => panic!("late") }
        };
        // Both branches wait at once, in the one process.
        let (mut both, mut note) = (std::pin::pin!(both), std::pin::pin!(note));
        let (mut told, mut noted) = (None, None);
        std::future::poll_fn(|context| {
            if told.is_none()
                && let std::task::Poll::Ready(done) = both.as_mut().poll(context)
            {
                assert!(noted.is_some(), "the message came first");
                told = Some(done);
            }
            if noted.is_none()
                && let std::task::Poll::Ready(n) = note.as_mut().poll(context)
            {
                noted = Some(n);
            }
            if told.is_some() && noted.is_some() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        assert_eq!((told.unwrap(), noted.unwrap()), (vec![1, 2], 3));
        let took = self_node().env().now().since(began);
        assert!(took < LIMIT, "{took:?}");
    });
}

/// Calls that time out leave no message, no timer, no process and no memory behind.
#[test]
fn calls_that_time_out_leave_nothing_behind() {
    run(async {
        let server = server().await;
        let (answer, waiting) = Waiting::<()>::new();
        let hangs = work(move |_, _| {
            Box::pin(async move {
                waiting.await;
                Local(Ok(0)).into()
            })
        });
        let hanging = server.call(hangs).no_timeout().send();
        let processes = process_count();
        let mut memory = 0;
        for n in 0..10_000 {
            let late = server.call(Get).timeout(Duration::from_micros(100)).await.unwrap_err();
            assert!(late.is_timeout(), "{late}");
            if n == 100 {
                memory = info::memory(self_pid()).await.unwrap();
            }
        }
        assert_eq!(info::message_queue_len(self_pid()).await, Some(0));
        assert_eq!(info::unanswered(self_pid()).await, Some(0));
        assert_eq!(process_count(), processes);
        let now = info::memory(self_pid()).await.unwrap();
        assert!(now <= memory, "{now} after {memory}");
        answer.give(());
        hanging.receive_response(LIMIT).await.unwrap().0.unwrap();
        // The server replies to all of them, to nobody.
        assert_eq!(server.call(Get).await.unwrap(), 7);
        assert_eq!(info::message_queue_len(self_pid()).await, Some(0));
    });
}

/// A caller that ends while it waits, in each step of a call, does no harm.
#[test]
fn a_caller_may_end_at_any_time() {
    run(async {
        let server = server().await;
        for delay in [0, 1, 300] {
            let to = server.clone();
            let caller = spawn(async move {
                let slow = work(|_, _| {
                    Box::pin(async {
                        sleep(Duration::from_millis(400)).await;
                        Local(Ok(0)).into()
                    })
                });
                to.call(slow).await.unwrap().0.unwrap();
            });
            sleep(Duration::from_millis(delay)).await;
            exit_process(caller, ExitReason::Kill);
            assert_eq!(server.call(Get).await.unwrap(), 7);
        }
    });
}

/// System messages and the order to end pass a full mailbox, with each way to refuse messages.
#[test]
fn a_full_mailbox_lets_system_messages_in() {
    run(async {
        let limits = [
            MailboxLimit::messages(3),
            MailboxLimit::messages(3).when_full(WhenFull::DropNewest),
            MailboxLimit::messages(0).when_full(WhenFull::Kill),
        ];
        for limit in limits {
            let opts = Start::name("full").mailbox_limit(limit);
            let server = gen_server::start::<Server>(opts, ()).await.unwrap();
            let pid = server.whereis().unwrap();
            sys::suspend(&server).await.unwrap();
            let full = |at: Pid| fika::try_send(at, 1_u64).is_err_and(|error| error.is_full());
            while !full(pid) {}
            let status = sys::get_status(&server).await.unwrap();
            assert!(status.suspended);
            assert_eq!(sys::with_state(&server, |server| server.kept.len()).await.unwrap(), 0);
            assert!(full(pid), "a system message gives no room back");
            server.stop(ExitReason::Shutdown, LIMIT).await.unwrap();
            assert!(!is_process_alive(pid).await && whereis("full").is_none());
        }
    });
}

/// A call of a server whose mailbox is full waits for room, within the call's limit. A request that is
/// only sent does not wait.
#[test]
fn a_call_waits_for_room() {
    run(async {
        let opts = Start::new().mailbox_limit(MailboxLimit::messages(1).when_full(WhenFull::Wait));
        let server = gen_server::start::<Server>(opts, ()).await.unwrap();
        let pid = server.whereis().unwrap();
        sys::suspend(&server).await.unwrap();
        let first = server.call(Get).send();
        let (short, long) = (Duration::from_millis(20), Duration::from_millis(400));
        for limit in [short, long] {
            let late = server.call(Get).timeout(limit).await.unwrap_err();
            assert!(late.is_timeout(), "{late}");
            let text = format!("timeout: no reply within {limit:?}; 1 message was waiting");
            assert!(late.to_string().ends_with(&text), "{late}");
        }
        let full = server.call(Get).send().receive_response(LIMIT).await.unwrap_err();
        assert!(!full.is_noproc() && full.to_string().contains("full"), "{full}");

        let me = self_pid();
        for limit in [None, Some(LIMIT)] {
            let server = server.clone();
            spawn(async move {
                let call = server.call(Get);
                let call = match limit {
                    None => call.no_timeout(),
                    Some(limit) => call.timeout(limit),
                };
                send(me, call.await.unwrap());
            });
        }
        sys::resume(&server).await.unwrap();
        assert_eq!(first.receive_response(LIMIT).await.unwrap(), 7);
        for _ in 0..2 {
            receive! { n: u64 => assert_eq!(n, 7), after LIMIT => panic!("a call got no room") }
        }

        // The server ends while a call waits for room.
        sys::suspend(&server).await.unwrap();
        let _kept = server.call(Get).send();
        let late = server.clone();
        spawn(async move {
            send(me, Local(late.call(Get).timeout(LIMIT).await.unwrap_err()));
        });
        exit_process(pid, ExitReason::Kill);
        receive! {
            Local(error): Local<CallError> => assert!(error.is_noproc(), "{error}"),
            after LIMIT => panic!("a call waits for a server that has ended"),
        }
    });
}

/// A server whose parts panic wherever they can: its callers and the node go on.
#[test]
fn panics_in_a_destructor_and_in_terminate_are_contained() {
    struct Explosive;
    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("a state's destructor, as it should")
        }
    }
    #[allow(dead_code, reason = "its destructor is meant")]
    struct Fragile(Option<Explosive>, bool);
    impl GenServer for Fragile {
        type Args = (bool, bool);
        type Receives = (Call<Get>,);
        async fn init((explosive, fails): (bool, bool)) -> Init<Self> {
            Init::ok(Fragile(explosive.then(|| Explosive), fails))
        }
        async fn terminate(&mut self, _: &ExitReason) {
            assert!(!self.1, "`terminate`, as it should");
        }
        fn format_status(&self) -> String {
            panic!("`format_status`, as it should")
        }
    }
    impl HandleCall<Get> for Fragile {
        type Reply = u64;
        async fn handle_call(&mut self, _: Get, _: &mut Caller<'_, u64>) -> Reply<u64> {
            Reply::stop(ExitReason::Error("as it should".into()))
        }
    }
    run(async {
        for explosive in [false, true] {
            for fails in [false, true] {
                let server =
                    gen_server::start::<Fragile>(Start::name("fragile"), (explosive, fails))
                        .await
                        .unwrap();
                let pid = server.whereis().unwrap();
                let watch = monitor(pid);
                let failed = server.call(Get).no_timeout().await.unwrap_err();
                assert!(failed.exit_reason().is_some(), "{failed}");
                receive! {
                    fika::Down { monitor, .. } if monitor == watch => {},
                    after LIMIT => panic!("no Down"),
                }
                assert_eq!(whereis("fragile"), None);
            }
        }
        assert_eq!(server().await.call(Get).await.unwrap(), 7);
    });
}

/// The tables of a node are empty again when its servers have ended.
#[test]
fn nothing_is_kept_of_servers_that_ended() {
    run(async {
        let before = process_count();
        let counted = Arc::new(());
        for _ in 0..100 {
            let server = server().await;
            let pid = server.whereis().unwrap();
            let held = counted.clone();
            let keeps = work(move |server: &mut Server, _| {
                server.at_end = Some(Box::new(move || drop(held)));
                Box::pin(async { Local(Ok(1)).into() })
            });
            server.call(keeps).await.unwrap().0.unwrap();
            server.stop(ExitReason::Normal, LIMIT).await.unwrap();
            assert_eq!(fika_otp::proc_lib::ancestors(pid), None);
        }
        assert_eq!((process_count(), Arc::strong_count(&counted)), (before, 1));
    });
}
