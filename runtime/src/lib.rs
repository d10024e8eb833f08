//! Processes on one node: the runtime beneath `fika`.
//!
//! Programs use the crate `fika`, which re-exports the public parts. This crate knows no network:
//! [`Carrier`] is its seam to other nodes, [`Driver`] its seam to what an idle worker waits for,
//! and [`Env`] its only source of time and randomness.

// The macros refer to the crate `fika`. This crate has all that they need here.
extern crate self as fika;

mod block_on;
mod carrier;
mod contain;
mod context;
mod dest;
mod env;
mod exit_reason;
mod few_map;
mod log_rate;
mod mailbox;
mod mailbox_limit;
pub mod message;
#[cfg(all(test, any(loom, shuttle)))]
mod models;
mod name;
mod node;
mod node_id;
mod node_name;
mod observe;
mod oneshot;
mod otp;
mod outcome;
mod outlet;
mod pid;
mod printable;
mod priority;
mod process;
mod process_info;
mod reference;
mod registry;
mod remote;
mod remote_call;
mod report;
mod request;
mod room;
mod run_process;
mod scheduler;
mod signal;
mod signal_queue;
mod stepper;
mod stop;
mod sync;
mod system_message;
mod table;
mod time;
mod timers;
mod undecodable;
mod vitals;

pub use bytes::Bytes;
pub use carrier::{
    Busy, Carried, Carrier, Conditions, Congested, ConnectionId, NotCarried, RemoteDest,
    SpawnRequest,
};
pub use dest::{Dest, NodeText, ProcessText};
pub use env::{Env, SystemEnv, Time};
pub use exit_reason::{ExitReason, PanicReason};
pub use log_rate::LogRate;
pub use mailbox_limit::{MailboxLimit, WhenFull};
pub use message::Tagged;
pub use message::{
    DecodeError, EncodeError, Encoded, Envelope, Local, Message, MessageType, Part, TagClash, Term,
    WireType,
};
pub use name::Name;
pub use node::{BuildError, Node, NodeBuilder, NodeService, StopService, WeakNode};
pub use node_id::{Creation, NodeId};
pub use node_name::{NodeName, NodeNameError};
pub use oneshot::Answer;
pub use otp::timer;
pub use outcome::{Ignored, Outcome, ProcessError};
pub use outlet::{Outlet, Round, Turn};
pub use pid::{LocalId, Pid};
pub use printable::{Printable, printable};
pub use priority::Priority;
pub use process::{
    AliasOpts, ExitDest, LinkOpts, MonitorAlias, MonitorOpts, ReplyOn, RequestOpts, SpawnOn,
    SpawnOpts, Spawned, alias, alias_with, exit_process_priority, link_with, monitor_with,
    send_priority, spawn_opt, spawn_opt_on, spawn_request, spawn_request_abandon, spawn_request_on,
    unalias,
};
pub use process::{
    Elapsed, Ended, SendError, Sleep, SpawnBlocking, Waiting, Within, acting_node, cancel_timer,
    catch_exit, current_node, demonitor, demonitor_flush, exit, exit_async, exit_process,
    exit_reason, is_in_destructor, is_receiving, link, make_ref, monitor, open_message,
    process_count, read_timer, register, registered, run_lookup, self_node, self_pid, send,
    send_after, sleep, spawn, spawn_blocking, spawn_link, spawn_link_on, spawn_monitor,
    spawn_monitor_on, spawn_on, spawn_open_service, spawn_open_service_monitor, spawn_service,
    start_timer, timeout, trap_exit, try_self_pid, try_spawn_on, unlink, unregister, whereis,
    yield_now, yield_to_driver,
};
pub use process::{
    Processes, SuspendError, bump_reductions, group_leader, has_ended, hibernate, is_process_alive,
    process_info, processes, processes_iter, resume_process, set_group_leader, set_label,
    set_priority, suspend_process,
};
pub use process::{
    SendOpts, TrySendError, mailbox_limit, send_timeout, send_wait, send_with, try_send,
};
pub use process::{SystemMonitor, async_dist, system_monitor};
pub use process::{
    cancel_timer_async, cancel_timer_no_info, read_timer_async, send_at, start_timer_at,
};
pub use process::{dictionary, info};
pub use process_info::{InfoItem, Item, Snapshot, Status};
pub use reference::Reference;
pub use registry::RegisterError;
pub use remote::RemoteFn;
pub use remote_call::RemoteCall;
pub use run_process::RunProcess;
pub use scheduler::Driver;
pub use signal::{Alias, Signal, SpawnError, Target};
pub use stop::RunUntilStopped;
pub use system_message::{
    BusyDist, Down, Exit, NodeDown, NodeDownReason, NodeType, NodeUp, Object, SpawnReply,
};
pub use timers::{CancelTimer, ReadTimer, Timeout, TimerRef};
pub use undecodable::{Undecodable, UndecodablePart};

pub(crate) use process::{Next, Opened, Receive};

/// Used by the distribution to call code of the program. Not part of the public API.
#[doc(hidden)]
pub use contain::{contained, wake};
/// Used by the distribution. Not part of the public API.
#[doc(hidden)]
pub use message::check_tags;
#[doc(hidden)]
pub use process::contain_call;

#[doc(hidden)]
pub use observe::{Observed, Observer, SignalRef};
/// Used by simulators and tests. Not part of the public API; it changes with them.
#[cfg(feature = "observe")]
#[doc(hidden)]
pub use process::messages_looked_at;
#[doc(hidden)]
pub use stepper::{Step, Stepper};

/// Used by the code that the macros generate. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::Bytes;
    pub use crate::Reference;
    pub use crate::RemoteFn;
    pub use crate::message::{
        Args, Buffer, DecodeError, EncodeError, Encoded, Envelope, Message, Part, TagEntry,
        decode_postcard_shared, encode_postcard, fingerprint_of, generic_tag, generic_tag_hash,
        hash_tag, stays_here,
    };
    pub use crate::process::{Next, Opened, Receive, Wanted, is_wanted, open_wanted, wanted};
    pub use crate::remote::{BoxFuture, NotMessage, Remote, RemoteEntry, Returned, ended};
    pub use crate::report::report;
    pub use crate::{Dest, ExitReason, Ignored};
    pub use inventory;
    pub use serde::de::DeserializeOwned;
    pub use serde::{self, Serialize};
    pub use tracing::{self, Level};

    /// The serde traits that a message needs.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can't be encoded",
        label = "serde's two traits are missing",
        note = "write `#[fika::message]` on it in place of the derives, and on a field that is an \
                array of more than 32 elements `#[serde(with = \"fika::message::array\")]`"
    )]
    pub trait SerdeMessage: Serialize + DeserializeOwned {}
    #[diagnostic::do_not_recommend]
    impl<T: Serialize + DeserializeOwned> SerdeMessage for T {}

    /// The serde traits that a field of a message needs.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can't be a field of a message: serde can't encode and decode it",
        label = "serde's two traits are missing",
        note = "write `#[fika::message]` on the type, or `#[fika::message(local)]` on the message if \
                it stays on its node; for a type of another crate, look for a feature `serde` of \
                that crate",
        note = "an array of more than 32 elements needs \
                `#[serde(with = \"fika::message::array\")]` on the field"
    )]
    pub trait SerdeField: Serialize + DeserializeOwned {}
    #[diagnostic::do_not_recommend]
    impl<T: Serialize + DeserializeOwned> SerdeField for T {}

    /// Compiles if the type can be a field of a message.
    pub fn field<T: SerdeField>() {}
}
