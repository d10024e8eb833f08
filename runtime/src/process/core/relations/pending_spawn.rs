//! An unanswered request to spawn on another node, as the requesting process keeps it.

use super::delivery::{Delivery, LOCAL};
use super::link_opts::LinkOpts;
use super::tag::Tag;
use crate::carrier::ConnectionId;
use crate::pid::Pid;

/// The answers to a request to spawn that arrive as messages (Erlang's `{reply, Option}`).
///
/// ```
/// # use fika_runtime::{Node, ReplyOn, SpawnOpts, spawn_request};
/// # Node::builder().build().unwrap().block_on(async {
/// spawn_request(SpawnOpts::new().reply(ReplyOn::Nothing), async { /* ... */ });
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ReplyOn {
    /// Each answer.
    #[default]
    Any,
    /// No answer.
    Nothing,
    /// The answer that the process was spawned.
    Success,
    /// The answer that the process was not spawned.
    Error,
}

/// A request to spawn that has not been answered.
pub(in crate::process) struct Spawning {
    pub(in crate::process) connection: ConnectionId,
    pub(in crate::process) link: Option<LinkOpts>,
    pub(in crate::process) monitor: Asked,
    pub(in crate::process) reply: ReplyOn,
    pub(in crate::process) reply_tag: Option<Tag>,
    /// A pid that no process has. If the answer is an error, links and monitors report the end of
    /// this process.
    pub(in crate::process) never: Option<Pid>,
    abandoned: bool,
}

/// Whether a request asks for a monitor.
pub(in crate::process) enum Asked {
    /// It asks for no monitor.
    No,
    /// It asks for a monitor whose `Down` arrives like this.
    Yes(Delivery),
    /// It asked for a monitor, which was taken back since.
    TakenBack,
}

impl ReplyOn {
    pub(in crate::process) fn wants(self, success: bool) -> bool {
        match self {
            ReplyOn::Any => true,
            ReplyOn::Nothing => false,
            ReplyOn::Success => success,
            ReplyOn::Error => !success,
        }
    }
}

impl Spawning {
    /// Returns a request that was not sent yet, all of whose answers arrive as messages.
    pub(in crate::process) fn new(link: Option<LinkOpts>, monitor: Option<Delivery>) -> Spawning {
        Spawning {
            connection: LOCAL,
            link,
            monitor: monitor.map_or(Asked::No, Asked::Yes),
            reply: ReplyOn::Any,
            reply_tag: None,
            never: None,
            abandoned: false,
        }
    }

    pub(in crate::process) fn is_monitor_asked(&self) -> bool {
        matches!(self.monitor, Asked::Yes(_))
    }

    pub(in crate::process) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Takes the monitor back, and returns its tag. `None` if the request asks for no monitor.
    pub(in crate::process) fn demonitor(&mut self) -> Option<Option<Tag>> {
        match &mut self.monitor {
            Asked::Yes(delivery) => {
                let tag = delivery.tag.take();
                self.monitor = Asked::TakenBack;
                Some(tag)
            }
            Asked::No | Asked::TakenBack => None,
        }
    }

    /// Abandons the request (SPAWN-8): its answer has no effect, except that a linked child ends.
    /// Returns the tags.
    pub(in crate::process) fn abandon(&mut self) -> [Option<Tag>; 2] {
        self.abandoned = true;
        self.never = None;
        self.reply = ReplyOn::Nothing;
        [self.demonitor().flatten(), self.reply_tag.take()]
    }

    /// Takes the tags out of a process that ends.
    pub(in crate::process) fn take_tags(&mut self) -> [Option<Tag>; 2] {
        [self.demonitor().flatten(), self.reply_tag.take()]
    }
}
