//! Servers and their clients on nodes that fail. Each call has one outcome and in time, a server
//! handles each request at most once, and the requests of one client in their order. At the end,
//! calls work again, and nothing is left of those that failed.

use std::collections::BTreeMap;

use fika::gen_server::{
    self, Call, Caller, Cast, GenServer, HandleCall, HandleCast, Init, Next, Reply, ServerRef,
    Start,
};
use fika::node::Time;
use fika::prelude::*;
use fika::process::spawn_link;
use fika::sim::{Checks, Failure, Fault, Sim, seeds};

use crate::target::Enough;

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 3 } else { 300 };

/// The longest time between the limit of a call and its end, on a node that is never paused.
const LATE_MAX: Duration = millis(20);

/// A request with its client's number for it.
#[message]
#[derive(Clone, Copy)]
struct Add {
    client: Pid,
    serial: u64,
}

/// Asks for a reply that comes later, from another process.
#[message]
struct Later(Add);

/// A request that the server drops without a reply.
#[message]
struct Forget;

/// Records the serial numbers of its clients.
struct Ledger {
    checks: Checks,
    last: BTreeMap<Pid, u64>,
}

impl Ledger {
    fn note(&mut self, Add { client, serial }: Add) {
        let last = self.last.insert(client, serial).unwrap_or(0);
        let text = || format!("request {serial} of {client} came after {last}");
        self.checks.hold(last < serial, text);
    }
}

impl GenServer for Ledger {
    type Args = Checks;
    type Receives = (Call<Add>, Call<Later>, Call<Forget>, Cast<Add>);

    async fn init(checks: Checks) -> Init<Self> {
        Init::ok(Ledger { checks, last: BTreeMap::new() })
    }
}

impl HandleCall<Add> for Ledger {
    type Reply = u64;

    async fn handle_call(&mut self, add: Add, _: &mut Caller<'_, u64>) -> Reply<u64> {
        self.note(add);
        add.serial.into()
    }
}

impl HandleCall<Later> for Ledger {
    type Reply = u64;

    async fn handle_call(&mut self, Later(add): Later, caller: &mut Caller<'_, u64>) -> Reply<u64> {
        self.note(add);
        let to = caller.reply_later();
        spawn_link(async move {
            sleep(millis(add.serial % 300)).await;
            to.reply(add.serial);
        });
        Reply::later()
    }
}

impl HandleCall<Forget> for Ledger {
    type Reply = ();

    async fn handle_call(&mut self, _: Forget, _: &mut Caller<'_, ()>) -> Reply<()> {
        Reply::later()
    }
}

impl HandleCast<Add> for Ledger {
    async fn handle_cast(&mut self, add: Add) -> Next {
        self.note(add);
        Next::go_on()
    }
}

fn now() -> Time {
    fika::node::self_node().env().now()
}

/// Calls the servers of all nodes until it is told to end.
async fn client(checks: Checks, servers: Vec<ServerRef<Ledger>>, mut random: u64, is_timely: bool) {
    let me = self_pid();
    let mut below = move |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % n
    };
    let mut serial = 0;
    loop {
        let server = &servers[below(servers.len())];
        let limit = [millis(30), millis(400), secs(5)][below(3)];
        serial += 1;
        let add = Add { client: me, serial };
        let began = now();
        let outcome = match below(6) {
            0 => {
                server.cast(add);
                continue;
            }
            1 => server.call(Later(add)).timeout(limit).await.map(Some),
            2 => {
                let failed = server.call(Forget).timeout(limit).await;
                checks.hold(failed.is_err(), || "a dropped request was answered".into());
                failed.map(|()| None)
            }
            _ => server.call(add).timeout(limit).await.map(Some),
        };
        let took = now().since(began);
        checks.hold(took <= limit + LATE_MAX || !is_timely, || {
            format!("a call of {limit:?} took {took:?}")
        });
        match outcome {
            Ok(Some(reply)) => {
                checks.hold(reply == serial, || format!("{reply} answers request {serial}"));
            }
            Ok(None) => {}
            // Nothing is called in a hurry: a server that can't be reached fails at once.
            Err(_) => sleep(millis(50)).await,
        }
        receive! {
            Enough => return,
            after Duration::ZERO => {}
        }
    }
}

/// In half of the runs, no clock stands still or jumps, so calls end in time.
fn is_timely(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

fn member(sim: &mut Sim, n: usize, count: usize) {
    let (checks, seed) = (sim.checks(), sim.seed());
    sim.node(format!("n{n}@host{n}"), move || {
        let checks = checks.clone();
        async move {
            let server = gen_server::start_link::<Ledger>(Start::name("ledger"), checks.clone());
            server.await.expect("the name is free");
            let servers = (0..count).map(|other| {
                if other == n {
                    ServerRef::at("ledger")
                } else {
                    ServerRef::at(("ledger", format!("n{other}@host{other}")))
                }
            });
            let servers: Vec<_> = servers.collect();
            register("app", self_pid()).expect("a node has one");
            let mut clients = Vec::new();
            for m in 0..2_u64 {
                let random = seed * 97 + n as u64 * 7 + m;
                clients.push(spawn(client(
                    checks.clone(),
                    servers.clone(),
                    random,
                    is_timely(seed),
                )));
            }
            receive! { Enough => clients.iter().for_each(|client| send(*client, Enough)) }
            std::future::pending::<()>().await
        }
    });
}

/// Fails after a while, and then takes long to end.
struct Slow;

#[message]
struct Fail(Duration);

impl GenServer for Slow {
    type Args = ();
    type Receives = Call<Fail>;

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Slow)
    }

    async fn terminate(&mut self, _: &ExitReason) {
        sleep(secs(2)).await;
    }
}

impl HandleCall<Fail> for Slow {
    type Reply = ();

    async fn handle_call(&mut self, Fail(after): Fail, _: &mut Caller<'_, ()>) -> Reply<()> {
        sleep(after).await;
        exit(ExitReason::Timeout)
    }
}

/// A caller waits for the end of a server that fails, to get the reason. It waits no longer than
/// its limit, whenever the server fails.
#[test]
fn a_call_to_a_server_that_ends_slowly_keeps_its_limit() {
    let limit = millis(400);
    for after in [1, 100, 230, 249, 260, 390] {
        let mut sim = Sim::new(after);
        let node = sim.node("a@host", std::future::pending::<()>);
        let took = sim.run_on(node, secs(10), async move {
            let server = gen_server::start::<Slow>(Start::new(), ()).await.expect("it starts");
            let began = now();
            let outcome = server.call(Fail(millis(after))).timeout(limit).await;
            outcome.expect_err("it fails");
            now().since(began)
        });
        let took = took.expect("it ends");
        assert!(limit <= took && took <= limit + LATE_MAX, "{took:?} after {after} ms");
    }
}

#[test]
fn each_call_has_one_outcome() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let count = 2 + seed as usize % 2;
        (0..count).for_each(|n| member(&mut sim, n, count));
        sim.run_for(secs(5));
        let stands_still = |fault: &Fault| matches!(fault, Fault::Pause | Fault::ClockJump);
        let kinds =
            Fault::ALL.into_iter().filter(|fault| !(is_timely(seed) && stands_still(fault)));
        sim.run_with_some_faults(secs(40), &kinds.collect::<Vec<_>>());
        let is_up =
            |sim: &Sim, node| sim.runtime(node).is_some_and(|of| of.whereis("app").is_some());
        sim.run_until(|sim| sim.nodes().all(|node| is_up(sim, node)), secs(60))?;
        for node in sim.nodes() {
            sim.send(node, "app", Enough);
        }
        // The longest call, and the limit of a connection that was lost unnoticed.
        sim.run_for(secs(200));
        // The app, its server, and the node's own processes.
        let text = |sim: &Sim, node| {
            format!("{} processes are left", sim.runtime(node).map_or(0, |of| of.process_count()))
        };
        for node in sim.nodes() {
            let left = sim.runtime(node).map_or(0, |of| of.process_count());
            let why = text(&sim, node);
            sim.check(left < 40, &why)?;
            works(&mut sim, node)?;
        }
        sim.finish()
    });
}

/// Checks that a call works from this node to each other one.
fn works(sim: &mut Sim, from: fika::sim::SimNode) -> Result<(), Failure> {
    let names: Vec<String> = sim.nodes().map(|node| sim.name(node).to_string()).collect();
    let checks = sim.checks();
    sim.spawn(from, async move {
        for name in names {
            let server = ServerRef::<Ledger>::at(("ledger", name.clone()));
            let add = Add { client: self_pid(), serial: 1 };
            let reply = server.call(add).timeout(secs(60)).await;
            checks.hold(reply.as_ref().is_ok_and(|serial| *serial == 1), || {
                format!("{name}: {reply:?}")
            });
        }
    });
    sim.run_for(secs(130));
    sim.verdict()
}
