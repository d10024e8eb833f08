//! The processes that disturb the trees of their node, and those that call its servers.

use fika::gen_server::ServerRef;
use fika::prelude::*;
use fika::sim::Checks;
use fika::supervisor::{DynamicSupervisor, SimpleSupervisor, Supervisor};

use super::events::{Event, Path, Record, Sup, SupKind, time};
use super::tree::{Dice, Stop, WAYS, Work, Worker, random};
use crate::target::Enough;

/// The longest time that a supervisor takes to count its children, whatever they do.
const COUNTING_MAX: Duration = millis(100);

/// The longest wait for the answer to a request that changes children.
const LIMIT: Duration = secs(5);

/// Ends processes and sends requests to supervisors, while the scenario is not calm.
pub(super) async fn chaos(record: Record, checks: Checks, is_timely: bool) {
    loop {
        sleep(millis(20 + random(300))).await;
        if record.now().is_calm {
            return;
        }
        match random(10) {
            0..6 => end_one(&record),
            _ => {
                let here = self_pid().node();
                let sups: Vec<(Pid, Sup)> = record.now().sups.clone().into_iter().collect();
                let sups: Vec<_> = sups.into_iter().filter(|(pid, _)| pid.node() == here).collect();
                if sups.is_empty() {
                    continue;
                }
                let (pid, sup) = sups[random(sups.len() as u64) as usize].clone();
                let (record, checks) = (record.clone(), checks.clone());
                // A request may take long, and others come meanwhile.
                spawn(async move { ask(&record, &checks, pid, sup, is_timely).await });
            }
        }
    }
}

fn end_one(record: &Record) {
    let here = self_pid().node();
    let leaves: Vec<Pid> = record.now().leaves.keys().copied().collect();
    let leaves: Vec<Pid> = leaves.into_iter().filter(|pid| pid.node() == here).collect();
    if leaves.is_empty() {
        return;
    }
    let pid = leaves[random(leaves.len() as u64) as usize];
    match random(6) {
        0 => send(pid, Stop(ExitReason::Normal)),
        1 => send(pid, Stop(ExitReason::Shutdown)),
        2 | 3 => send(pid, Stop(ExitReason::Timeout)),
        4 => exit_process(pid, ExitReason::Timeout),
        _ => exit_process(pid, ExitReason::Kill),
    }
}

async fn ask(record: &Record, checks: &Checks, pid: Pid, sup: Sup, is_timely: bool) {
    if random(12) == 0 {
        return exit_process(pid, ExitReason::Kill);
    }
    let began = time();
    let counted = ServerRef::<Supervisor>::pid(pid).count_children().await;
    let took = time() - began;
    checks.hold(took <= COUNTING_MAX || !is_timely, || {
        format!("the supervisor {pid} took {took:?} to answer: {counted:?}")
    });
    match &sup.kind {
        SupKind::Keyed(ids) => change(record, pid, &sup.path, ids).await,
        SupKind::Dynamic => {
            let path = format!("{}/{}", sup.path, record.serial()).into();
            let child = Dice(random(1 << 40)).worker(path);
            let sup = ServerRef::<DynamicSupervisor>::pid(pid);
            let started = timeout(LIMIT, sup.start_child(child.spec(record, None))).await;
            if let Ok(Ok(child)) = started
                && random(2) == 0
                && let Some(child) = child.pid()
            {
                let _ = timeout(LIMIT, sup.terminate_child(child)).await;
            }
        }
        SupKind::Simple => {
            let sup = ServerRef::<SimpleSupervisor<u64>>::pid(pid);
            let _ = timeout(LIMIT, sup.start_child(record.serial())).await;
        }
    }
}

/// Sends a request about one of the children that the supervisor has from the start, or about one
/// that is added.
async fn change(record: &Record, pid: Pid, path: &Path, ids: &[Path]) {
    let sup = ServerRef::<Supervisor>::pid(pid);
    let added: Path = format!("{path}/x{}", random(2)).into();
    let choice = random(1 + ids.len() as u64) as usize;
    let id = ids.get(choice).unwrap_or(&added).clone();
    match random(8) {
        0 => {
            record.now().touched.insert(pid);
            let _ = timeout(LIMIT, sup.terminate_child(&*id)).await;
        }
        1 => {
            record.now().touched.insert(pid);
            let _ = timeout(LIMIT, sup.terminate_child(&*id)).await;
            let _ = timeout(LIMIT, sup.delete_child(&*id)).await;
        }
        // In a group, this would look like a restart.
        2..5 if super::is_single(record, pid) => {
            *record.now().by_hand.entry(id.clone()).or_default() += 1;
            // After a timeout, the supervisor may still perform it.
            if timeout(LIMIT, sup.restart_child(&*id)).await.is_ok()
                && let Some(calls) = record.now().by_hand.get_mut(&id)
            {
                *calls -= 1;
            }
        }
        2..5 => {
            let _ = sup.which_children().await;
        }
        _ => {
            let child = Dice(random(1 << 40)).worker(added);
            let _ = timeout(LIMIT, sup.start_child(child.spec(record, None))).await;
        }
    }
}

/// Calls the servers of all trees until it is told to end.
pub(super) async fn client(record: Record, servers: Vec<(String, Path)>) {
    let _life = record.lives(false);
    loop {
        let (node, name) = &servers[random(servers.len() as u64) as usize];
        let server = match self_node().name().as_str() == node {
            true => ServerRef::<Worker>::at(&**name),
            false => ServerRef::<Worker>::at((&**name, node.clone())),
        };
        let (call, client) = (record.serial(), self_pid());
        let limit = [millis(30), millis(400), secs(3)][random(3) as usize];
        let began = time();
        record.add(Event::Called { call, client, limit });
        let way = if record.now().is_calm { WAYS } else { random(WAYS) };
        let outcome = server.call(Work { call, way }).timeout(limit).await;
        let took = time() - began;
        record.add(Event::Answered { call, reply: outcome.ok(), took });
        receive! {
            Enough => return,
            after millis(random(100)) => {}
        }
    }
}
