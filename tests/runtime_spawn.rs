//! Spawning with options and by request, on this node.
#![deny(warnings)]

#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "otp/wait.rs"]
mod wait;

use fika::prelude::*;

use wait::{down, exit_from, has_none};

/// LINK-7, MON-15: link and monitor are there from the first moment on, and each alone.
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
