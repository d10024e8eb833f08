//! The case of `process_SUITE` about flags.

use super::super::*;
use fika::process::spawn_blocking;

use fika::inspect::{Item, process_info};
use fika::process::{Priority, set_group_leader};

/// FLAG-1: each flag has a type, so that it accepts valid values only. Each process has its own
/// flags. Outside a process, setting a flag fails with an error that names the function, and
/// changes nothing.
#[fika::test]
async fn process_flag_badarg() {
    const FLAGS: [Item; 4] = [Item::TrapExit, Item::Priority, Item::Label, Item::GroupLeader];
    let flags = || async { process_info(self_pid(), &FLAGS).await.unwrap() };
    let (before, leader) = (flags().await, spawn(serve()));
    type Set = Box<dyn Fn() + Send>;
    let cases: [(&str, Set); 5] = [
        ("trap_exit", Box::new(|| _ = trap_exit(true))),
        ("set_priority", Box::new(|| _ = fika::process::set_priority(Priority::Low))),
        ("set_label", Box::new(|| fika::inspect::set_label("none"))),
        ("set_group_leader", Box::new(move || set_group_leader(leader, leader))),
        ("bump_reductions", Box::new(|| fika::inspect::bump_reductions(1))),
    ];
    for (function, set) in cases {
        let outside = async move { spawn_blocking(set).await };
        let ExitReason::Panic(why) = end_of(outside).await else { panic!("{function}") };
        assert!(why.message.contains(&format!("`{function}`")), "{}", why.message);
    }
    assert_eq!(flags().await, before);
    // Each call returns the flag's previous value, also the initial one.
    for _ in 0..2 {
        assert_eq!([trap_exit(true), trap_exit(true), trap_exit(false)], [false, true, true]);
        let [normal, max] = [Priority::Normal, Priority::Max];
        let set = [max, max, normal].map(fika::process::set_priority);
        assert_eq!(set, [normal, max, max]);
    }
    assert_eq!(flags().await, before);
}
