//! `process_SUITE`: what processes do, and what other processes can learn about them, by topic.
//!
//! The path of a case ends with its suite and its name. So each file's module has the name of the
//! suite and lies inside a module with the name of the file.

#[path = "."]
mod aliases {
    #[path = "aliases.rs"]
    mod process;
}
#[path = "."]
mod exits {
    #[path = "exits.rs"]
    mod process;
}
#[path = "."]
mod flags {
    #[path = "flags.rs"]
    mod process;
}
#[path = "."]
mod inspect {
    #[path = "inspect.rs"]
    mod process;
}
#[path = "."]
mod releases {
    #[path = "releases.rs"]
    mod process;
}
#[path = "."]
mod requests {
    #[path = "requests.rs"]
    mod process;
}
#[path = "."]
mod turns {
    #[path = "turns.rs"]
    mod process;
}

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fika::message::{Reference, Tagged};
use fika::prelude::*;
use fika::process::{Object, RegisterError, RequestOpts, SpawnError, SpawnReply, registered};

use crate::support::Place;
use crate::wait::{LIMIT, down, end_of, exit_from, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// Returns the next message with a tag of this type. A receive without the tag does not match it.
async fn tagged<T: Message, M: Message>() -> (T, M) {
    let Tagged { tag, message } = next::<Tagged<T, M>>().await;
    assert!(has_none::<M>().await);
    (tag, message)
}

/// A call of a function that no program has.
struct Unknown;

impl IntoFuture for Unknown {
    type Output = ();
    type IntoFuture = std::future::Ready<()>;

    fn into_future(self) -> Self::IntoFuture {
        std::future::ready(())
    }
}

impl fika::process::RemoteFn for Unknown {
    fn name(&self) -> &'static str {
        "test::no_such_function"
    }

    fn args(&self) -> Result<fika::message::Encoded, fika::message::EncodeError> {
        fika::message::Encoded::new(&())
    }
}

/// Ends at once, with this reason.
#[remote(name = "test::ends_with")]
async fn ends_with(reason: ExitReason) {
    exit(reason);
}

/// Waits for the answer to this request.
async fn reply_to(request: Reference) -> Result<Pid, SpawnError> {
    receive! {
        for request,
        SpawnReply { reference, result } if reference == request => result,
        after LIMIT => panic!("no answer"),
    }
}
