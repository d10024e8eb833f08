//! Spawning with options and by request, on this node.
#![deny(warnings)]

use crate::wait;

use fika::message::unalias;
use fika::prelude::*;
use fika::process::{
    MonitorAlias, MonitorOpts, SpawnOpts, SpawnReply, spawn_opt, spawn_opt_on, spawn_request,
    spawn_request_on,
};

use wait::{down, exit_from, has_none};

/// LINK-7, MON-15: link and monitor exist from the first moment on, and each works alone.
#[fika::test]
async fn options_at_spawn() {
    trap_exit(true);
    for n in 0..2000_u64 {
        let reason = ExitReason::term(n);
        let ends = reason.clone();
        let mut opts = SpawnOpts::new();
        opts = if n & 1 == 0 { opts } else { opts.link() };
        opts = if n & 2 == 0 { opts } else { opts.monitor() };
        let child = spawn_opt(opts, async move { exit(ends) });
        assert_eq!(child.monitor.is_some(), n & 2 != 0);
        if let Some(monitor) = child.monitor {
            assert_eq!(down(monitor).await, reason);
        }
        if n & 1 != 0 {
            assert_eq!(exit_from(child.pid).await, reason);
        }
    }
    assert!(has_none::<Exit>().await && has_none::<Down>().await);
}

/// ALIAS-9: a failed request leaves nothing behind, whatever the kind of its alias.
#[test]
fn a_request_that_fails_leaves_no_alias() {
    #[remote]
    async fn idle() {}

    const NOBODY: &str = "nobody@127.0.0.1";
    let node = Node::builder().workers(1).process_limit(2).build().unwrap();
    node.block_on(async {
        let full = spawn(std::future::pending::<()>());
        let kinds =
            [MonitorAlias::ExplicitUnalias, MonitorAlias::Demonitor, MonitorAlias::ReplyDemonitor];
        for kind in kinds {
            let opts = || SpawnOpts::new().monitor_with(MonitorOpts::new().alias(kind));
            let own = self_node().name();
            let there = spawn_opt_on(NOBODY, opts(), idle()).await;
            let here = spawn_opt_on(own.as_str(), opts(), idle()).await;
            for (spawned, why) in
                [(there, ExitReason::Noconnection), (here, ExitReason::SystemLimit)]
            {
                let monitor = spawned.monitor.unwrap();
                assert_eq!(down(monitor).await, why);
                assert!(!unalias(monitor), "{kind:?}");
            }
            for request in [
                spawn_request(opts(), async {}),
                spawn_request_on(own.as_str(), opts(), idle()),
                spawn_request_on(NOBODY, opts(), idle()),
            ] {
                let reply = receive! { reply: SpawnReply if reply.reference == request => reply };
                assert!(reply.result.is_err());
                send(request, 7_u64);
                assert!(has_none::<u64>().await && !unalias(request), "{kind:?}");
            }
        }
        exit_process(full, ExitReason::Kill);
    });
    node.stop();
}
