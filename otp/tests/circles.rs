//! Processes that wait for each other, by calls, starts and stops; and processes that only seem to.

extern crate fika_runtime as fika;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use fika::{
    ExitReason, Local, MailboxLimit, Node, Waiting, catch_exit, self_pid, send, sleep, spawn_link,
    timeout,
};
use fika_macros::{Message, receive};
use fika_otp::gen_server::{self, *};
use fika_otp::supervisor::{self, ChildSpec, SupFlags};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

/// How long a call waits before it is looked at.
const PATIENCE: Duration = Duration::from_millis(250);

type Told = Local<Result<u64, CallError>>;
type Job = Pin<Box<dyn Future<Output = Reply<Told>> + Send>>;
type Work = Box<dyn FnOnce(&mut Server, &mut Caller<'_, Told>) -> Job + Send>;

#[derive(Message)]
#[message(local)]
struct Do(Work);

/// Work that does not use the server itself.
fn job<F>(job: F) -> Do
where
    F: Future<Output = Result<u64, CallError>> + Send + 'static,
{
    Do(Box::new(move |_, _| Box::pin(async { Local(job.await).into() })))
}

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "circles::Get")]
struct Get;

type AtEnd = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

#[derive(Default)]
struct Server {
    at_end: Option<AtEnd>,
}

impl GenServer for Server {
    type Args = Option<AtEnd>;
    type Receives = (Call<Do>, Call<Get>);

    async fn init(begins: Option<AtEnd>) -> Init<Self> {
        if let Some(begins) = begins {
            begins().await;
        }
        Init::ok(Server::default())
    }

    async fn terminate(&mut self, _: &ExitReason) {
        if let Some(ends) = self.at_end.take() {
            ends().await;
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
    gen_server::start::<Server>(Start::new(), None).await.unwrap()
}

fn run(test: impl Future<Output = ()> + Send + 'static) {
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async { timeout(LIMIT, test).await.expect("the test hangs") });
    node.stop();
}

async fn told() -> Result<u64, CallError> {
    receive! { Local(told): Told => told, after LIMIT => panic!("there is no report") }
}

/// A server starts another one, whose `init` calls the first.
#[test]
fn a_start_is_part_of_a_circle() {
    run(async {
        let (a, me) = (server().await, self_pid());
        let to_a = a.clone();
        let starts = job(async move {
            let begins: AtEnd = Box::new(move || {
                Box::pin(async move {
                    send(me, Local(to_a.call(Get).no_timeout().await));
                })
            });
            gen_server::start::<Server>(Start::new(), Some(begins)).await.unwrap();
            Ok(3)
        });
        let started = a.call(starts).no_timeout().send();
        let error = told().await.unwrap_err();
        assert_eq!(error.cycle().len(), 2, "{error}");
        assert!(error.to_string().contains(&a.whereis().unwrap().to_string()), "{error}");
        assert_eq!(started.receive_response(LIMIT).await.unwrap().0.unwrap(), 3);
        assert_eq!(a.call(Get).await.unwrap(), 7);
    });
}

/// A server stops another one, whose `terminate` calls the first.
#[test]
fn a_stop_is_part_of_a_circle() {
    run(async {
        let (a, b, me) = (server().await, server().await, self_pid());
        let to_a = a.clone();
        let ends: AtEnd = Box::new(move || {
            Box::pin(async move {
                send(me, Local(to_a.call(Get).no_timeout().await));
            })
        });
        let set = Do(Box::new(move |server, _| {
            server.at_end = Some(ends);
            Box::pin(async { Local(Ok(0)).into() })
        }));
        b.call(set).await.unwrap().0.unwrap();
        let to_b = b.clone();
        let stops = job(async move { to_b.stop(ExitReason::Normal, None).await.map(|()| 4) });
        let stopped = a.call(stops).no_timeout().send();
        let error = told().await.unwrap_err();
        assert_eq!(error.cycle().len(), 2, "{error}");
        let stopped = stopped.receive_response(LIMIT).await.unwrap().0;
        assert!(stopped.is_ok_and(|n| n == 4) || b.whereis().is_some());
        assert_eq!(a.call(Get).await.unwrap(), 7);
    });
}

/// Two servers stop each other.
#[test]
fn two_servers_that_stop_each_other_are_a_circle() {
    run(async {
        let (a, b) = (server().await, server().await);
        let mut stops = Vec::new();
        for (one, other) in [(&a, b.clone()), (&b, a.clone())] {
            let stop = job(async move { other.stop(ExitReason::Normal, None).await.map(|()| 4) });
            stops.push(one.call(stop).no_timeout().send());
        }
        for stop in stops {
            let error = stop.receive_response(LIMIT).await.unwrap().0.unwrap_err();
            assert_eq!(error.cycle().len(), 2, "{error}");
        }
    });
}

/// A caller that waits for room in the mailbox of a server waits for that server.
#[test]
fn a_full_mailbox_is_part_of_a_circle() {
    run(async {
        let opts = Start::new().mailbox_limit(MailboxLimit::messages(1));
        let (a, b) = (server().await, gen_server::start::<Server>(opts, None).await.unwrap());
        let (to_a, to_b) = (a.clone(), b.clone());
        let (gate, waiting) = Waiting::<()>::new();
        let me = self_pid();
        let by_b = b.call(job(async move {
            send(me, Local::<Result<u64, CallError>>(Ok(1)));
            waiting.await;
            to_a.call(Get).no_timeout().await
        }));
        let by_b = by_b.no_timeout().send();
        told().await.unwrap();
        // Now it is full.
        let full = b.call(Get).no_timeout().send();
        let by_a = a.call(job(async move {
            send(me, Local::<Result<u64, CallError>>(Ok(1)));
            to_b.call(Get).no_timeout().await
        }));
        let by_a = by_a.no_timeout().send();
        told().await.unwrap();
        gate.give(());
        for call in [by_b, by_a] {
            let error = call.receive_response(LIMIT).await.unwrap().0.unwrap_err();
            assert_eq!(error.cycle().len(), 2, "{error}");
        }
        assert_eq!(full.receive_response(LIMIT).await.unwrap(), 7);
    });
}

/// A child that asks its supervisor for another child in its `init`, while the supervisor starts.
#[test]
fn a_child_that_waits_for_its_starting_supervisor_is_a_circle() {
    run(async {
        fika::trap_exit(true);
        for at_restart in [false, true] {
            let me = self_pid();
            let armed = Arc::new(Mutex::new(!at_restart));
            let arms = armed.clone();
            let spec = ChildSpec::new("a", move || {
                let armed = std::mem::replace(&mut *arms.lock(), true);
                let begins: AtEnd = Box::new(move || {
                    Box::pin(async move {
                        if !armed {
                            return;
                        }
                        let top = ServerRef::<supervisor::Supervisor>::at("top");
                        assert_eq!(top.count_children().await.unwrap().specs, 1);
                        let spec = ChildSpec::new("b", || async {
                            spawn_link(std::future::pending::<()>())
                        });
                        let failed = top.start_child(spec).await.unwrap_err();
                        let supervisor::ChildError::Call(error) = failed else {
                            panic!("{failed}")
                        };
                        send(me, Local::<Result<u64, _>>(Err(error)));
                    })
                });
                gen_server::start_link::<Server>(Start::new(), Some(begins))
            });
            let flags = SupFlags::one_for_all();
            let opts = Start::name("top");
            let top = supervisor::start_link(opts, flags, [spec]).await.unwrap();
            if at_restart {
                let pid = top.which_children().await.unwrap()[0].pid().unwrap();
                fika::exit_process(pid, ExitReason::Kill);
            }
            let error = told().await.unwrap_err();
            assert_eq!(error.cycle().len(), 2, "{error}");
            top.stop(ExitReason::Normal, None).await.unwrap();
        }
    });
}

/// A child that is started later may ask its supervisor for anything.
#[test]
fn a_child_may_use_its_supervisor() {
    run(async {
        fika::trap_exit(true);
        let top =
            supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), []).await.unwrap();
        let spec = ChildSpec::new("a", move || {
            let begins: AtEnd = Box::new(move || {
                Box::pin(async move {
                    let top = ServerRef::<supervisor::Supervisor>::at("top");
                    let slow = ChildSpec::new("b", || async {
                        sleep(Duration::from_millis(600)).await;
                        spawn_link(std::future::pending::<()>())
                    });
                    top.start_child(slow).await.unwrap();
                    assert_eq!(supervisor::tree(&top).await.unwrap().children.unwrap().len(), 2);
                })
            });
            gen_server::start_link::<Server>(Start::new(), Some(begins))
        });
        top.start_child(spec).await.unwrap();
        assert_eq!(top.count_children().await.unwrap().active, 2);
        top.stop(ExitReason::Normal, None).await.unwrap();
    });
}

/// A process may have its reply and look at it much later. It does not wait, so it does not belong
/// to a circle. `later` is whether another process gives the reply.
fn call_that_has_its_reply(later: bool) {
    run(async move {
        let (a, b) = (server().await, server().await);
        let (to_a, to_b) = (a.clone(), b.clone());
        let slow = Do(Box::new(move |_, caller| {
            let mut caller = later.then(|| caller.reply_later());
            Box::pin(async move {
                let pause = sleep(PATIENCE * 3 / 2);
                let Some(caller) = caller.take() else {
                    pause.await;
                    return Local(Ok(3)).into();
                };
                spawn_link(async move {
                    pause.await;
                    caller.reply(Local(Ok(3)));
                });
                Reply::later()
            })
        }));
        let calls_b = job(async move {
            let mut call = pin!(to_b.call(slow).into_future());
            // The call is found in the table when the reply comes.
            assert!(timeout(PATIENCE * 5 / 4, &mut call).await.is_err());
            sleep(PATIENCE * 4).await;
            call.await.unwrap().0
        });
        let first = a.call(calls_b).no_timeout().send();
        sleep(PATIENCE / 2).await;
        // The next request of `b`.
        let calls_a = job(async move {
            sleep(PATIENCE * 3 / 2).await;
            to_a.call(Get).no_timeout().await
        });
        let second = b.call(calls_a).no_timeout().send();
        assert_eq!(second.receive_response(LIMIT).await.unwrap().0.unwrap(), 7);
        assert_eq!(first.receive_response(LIMIT).await.unwrap().0.unwrap(), 3);
    });
}

#[test]
fn a_call_that_has_its_reply_is_no_part_of_a_circle() {
    call_that_has_its_reply(false);
}

#[test]
fn a_call_that_has_its_reply_from_another_process_is_no_part_of_a_circle() {
    call_that_has_its_reply(true);
}

/// A request that a server loses by a panic that it survives fails, also without a time limit.
#[test]
fn a_request_that_is_lost_by_a_panic_fails() {
    run(async {
        let server = server().await;
        let loses = || {
            Do(Box::new(|_, caller| {
                let caller = caller.reply_later();
                Box::pin(async move {
                    let panics = async move {
                        let _caller = caller;
                        panic!("as it should")
                    };
                    let _: Result<(), ExitReason> = catch_exit(panics).await;
                    Reply::later()
                })
            }))
        };
        let failed = server.call(loses()).no_timeout().await.map(drop).unwrap_err();
        assert!(failed.is_no_reply(), "{failed}");
        let failed = server.call(loses()).timeout(Duration::MAX).await.map(drop).unwrap_err();
        assert!(failed.is_no_reply(), "{failed}");
        assert_eq!(server.call(Get).await.unwrap(), 7);
    });
}

/// GS-18: responses come in the order in which they arrived, and a collection may be large.
#[test]
fn responses_come_as_they_arrived() {
    run(async {
        let (a, b) = (server().await, server().await);
        let gates = [Waiting::<()>::new(), Waiting::new()];
        let [(first, of_a), (second, of_b)] = gates;
        let waits = |gate: Waiting<()>, n| {
            job(async move {
                gate.await;
                Ok(n)
            })
        };
        let mut ids = RequestIds::new();
        ids.add("a", a.call(waits(of_a, 1)).send());
        ids.add("b", b.call(waits(of_b, 2)).send());
        second.give(());
        assert_eq!(b.call(Get).await.unwrap(), 7);
        first.give(());
        assert_eq!(a.call(Get).await.unwrap(), 7);
        let (label, response) = ids.check_response().await.unwrap();
        assert_eq!((label, response.unwrap().0.unwrap()), ("b", 2));
        let (label, response) = ids.receive_response(LIMIT).await.unwrap().unwrap();
        assert_eq!((label, response.unwrap().0.unwrap()), ("a", 1));

        let mut many = RequestIds::new();
        let (gate, waiting) = Waiting::<()>::new();
        let hangs = a.call(waits(waiting, 0)).send();
        for n in 0..30_000_u32 {
            many.add(n, a.call(Get).send());
        }
        gate.give(());
        for n in 0..30_000_u32 {
            let (label, response) = many.receive_response(LIMIT).await.unwrap().unwrap();
            assert_eq!((label, response.unwrap()), (n, 7));
        }
        hangs.receive_response(LIMIT).await.unwrap().0.unwrap();
    });
}
