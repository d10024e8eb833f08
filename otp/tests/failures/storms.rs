//! Very many children that crash at once.

use super::*;

const COUNT: usize = 10_000;

/// Counts a process until its future has been dropped.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Starts children, and makes all of them crash at once. The restart of the first one waits for
/// `gate`.
async fn storm(
    flags: SupFlags,
    alive: &Arc<AtomicUsize>,
    gate: Option<Waiting<()>>,
) -> ServerRef<Supervisor> {
    let flags = flags.period(LONG);
    let gate = Arc::new(Mutex::new(gate));
    let top = supervisor::start_link(Start::new(), flags, []).await.unwrap();
    let mut pids = Vec::new();
    for id in 0..COUNT {
        let (alive, gate) = (alive.clone(), gate.clone());
        let mut times = 0;
        let spec = ChildSpec::new(id, move || {
            times += 1;
            let gate = if id == 0 && times == 2 { gate.lock().take() } else { None };
            let alive = alive.clone();
            async move {
                if let Some(gate) = gate {
                    gate.await;
                }
                alive.fetch_add(1, Ordering::SeqCst);
                let alive = Alive(alive);
                spawn_link(async move {
                    let _alive = alive;
                    child().await;
                })
            }
        });
        pids.push(top.start_child(spec).await.unwrap().pid().unwrap());
    }
    pids.into_iter().for_each(|pid| send(pid, Stop(error())));
    top
}

async fn is_whole(top: &ServerRef<Supervisor>, restarts: u64) -> bool {
    let children = top.which_children().await.unwrap();
    assert!(children.iter().all(|child| child.restarts <= restarts));
    children.len() == COUNT
        && children.iter().all(|child| child.pid().is_some() && child.restarts > 0)
}

/// All are restarted, once each. The supervisor answers while the last restart hangs.
#[test]
fn each_of_many_children_is_restarted() {
    run(async {
        let (alive, (open, gate)) = (Arc::default(), Waiting::new());
        let flags = SupFlags::one_for_one().intensity(u32::try_from(COUNT).unwrap());
        let top = storm(flags, &alive, Some(gate)).await;
        let mut answers = 0;
        loop {
            answers += 1;
            let children = top.which_children().await.unwrap();
            let first = children.last().unwrap();
            if first.restarts == 1 {
                assert_eq!(first.child, ChildState::Restarting);
                break;
            }
        }
        top.start_child(worker("another")).await.unwrap();
        top.terminate_child("another").await.unwrap();
        top.delete_child("another").await.unwrap();
        assert!(!is_whole(&top, 1).await, "{answers} answers");
        open.give(());
        until("the restart of all", || is_whole(&top, 1)).await;
        assert_eq!(alive.load(Ordering::SeqCst), COUNT);
        exit_process(top.whereis().unwrap(), ExitReason::Shutdown);
        assert_eq!(exit_of(top.whereis().unwrap()).await, ExitReason::Shutdown);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

/// A group that crashes as a whole is restarted as a whole.
#[test]
fn a_group_of_many_children_is_restarted() {
    run(async {
        let alive = Arc::default();
        let flags = SupFlags::one_for_all().intensity(u32::MAX);
        let top = storm(flags, &alive, None).await;
        until("the restart of all", || is_whole(&top, u64::MAX)).await;
        assert_eq!(alive.load(Ordering::SeqCst), COUNT);
    });
}

/// With too little intensity, the supervisor gives up, and no child is left.
#[test]
fn too_many_crashes_end_all() {
    run(async {
        for flags in [SupFlags::one_for_one().intensity(100), SupFlags::one_for_one()] {
            let alive = Arc::default();
            let top = storm(flags, &alive, None).await;
            assert_eq!(exit_of(top.whereis().unwrap()).await, ExitReason::Shutdown);
            assert_eq!(alive.load(Ordering::SeqCst), 0);
        }
    });
}
