//! A request to spawn on another node that has not been answered, as its maker keeps it.

use super::table::{Delivery, LOCAL};
use super::tag::Tag;
use crate::carrier::ConnectionId;
use crate::pid::Pid;
use crate::process::relations::LinkOpts;

/// Which answers to a request to spawn arrive as messages (Erlang's `{reply, Option}`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ReplyOn {
    /// Each answer.
    #[default]
    Any,
    /// None.
    Nothing,
    /// That there is a process.
    Success,
    /// That there is none.
    Error,
}

/// What was asked for.
pub(in crate::process) struct Spawning {
    pub(in crate::process) connection: ConnectionId,
    pub(in crate::process) link: Option<LinkOpts>,
    pub(in crate::process) monitor: Asked,
    pub(in crate::process) reply: ReplyOn,
    pub(in crate::process) reply_tag: Option<Tag>,
    /// A process that never was. If there is an error, this one is said to have ended.
    pub(in crate::process) never: Option<Pid>,
    abandoned: bool,
}

/// A monitor that was asked for.
pub(in crate::process) enum Asked {
    /// It was not.
    No,
    /// The `Down` is to arrive so.
    Yes(Delivery),
    /// It was, and has been taken back since.
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
    /// A request whose answers all arrive, not sent yet.
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

    /// Takes the monitor back. Gives its tag, or none if there was to be no monitor.
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

    /// SPAWN-8: nothing of the answer is to be noticed, but that a linked child ends. Gives
    /// the tags.
    pub(in crate::process) fn abandon(&mut self) -> [Option<Tag>; 2] {
        self.abandoned = true;
        self.never = None;
        self.reply = ReplyOn::Nothing;
        [self.demonitor().flatten(), self.reply_tag.take()]
    }

    /// The process ends.
    pub(in crate::process) fn take_tags(&mut self) -> [Option<Tag>; 2] {
        [self.demonitor().flatten(), self.reply_tag.take()]
    }
}
