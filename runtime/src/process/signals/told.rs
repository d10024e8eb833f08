//! Answering `process_info`: the facts that a process tells about itself.

use crate::process::core::Running;
use crate::process_info::{InfoItem, Item, Snapshot, Status};

/// Returns what this process tells about itself.
pub(in crate::process) fn info(
    me: Running<'_>,
    items: &[Item],
    seen_running: bool,
) -> Vec<InfoItem> {
    items.iter().map(|item| info_item(me, item, seen_running)).collect()
}

fn info_item(me: Running<'_>, item: &Item, seen_running: bool) -> InfoItem {
    let control = me.control;
    let extras = control.extras_if_any();
    match item {
        Item::RegisteredName => InfoItem::RegisteredName(me.node.registry.name_of(me.pid())),
        Item::Status => InfoItem::Status(status(me, seen_running)),
        Item::MessageQueueLen => InfoItem::MessageQueueLen(control.message_count()),
        Item::Messages => InfoItem::Messages(messages(me)),
        Item::Links => InfoItem::Links(control.view(|relations| relations.links())),
        Item::Monitors => InfoItem::Monitors(control.view(|relations| relations.monitors())),
        Item::MonitoredBy => InfoItem::MonitoredBy(control.view(|relations| relations.watchers())),
        Item::TrapExit => InfoItem::TrapExit(control.trap_exit.get()),
        Item::Priority => InfoItem::Priority(control.slot.vitals.priority()),
        Item::GroupLeader => InfoItem::GroupLeader(control.slot.vitals.group_leader()),
        Item::Parent => InfoItem::Parent(control.parent),
        Item::Label => InfoItem::Label(control.label()),
        Item::Dictionary => InfoItem::Dictionary(
            extras.map_or_else(Vec::new, |extras| extras.dictionary.borrow().snapshots()),
        ),
        Item::DictionaryKey(key) => InfoItem::DictionaryKey(
            key.clone(),
            extras.and_then(|extras| extras.dictionary.borrow().snapshot(key)),
        ),
        Item::Memory => InfoItem::Memory(control.memory()),
        Item::Reductions => InfoItem::Reductions(control.reductions()),
        Item::InitialCall => InfoItem::InitialCall(control.site),
        // A process that is polled is past that place.
        Item::CurrentFunction if me.is_polled() => InfoItem::CurrentFunction(None),
        Item::CurrentFunction => InfoItem::CurrentFunction(control.receiving.get()),
        Item::AsyncDist => InfoItem::AsyncDist(control.slot.vitals.is_async_dist()),
        Item::Unanswered => InfoItem::Unanswered(control.view(|relations| relations.unanswered())),
        Item::Undecodable => {
            InfoItem::Undecodable(extras.map_or(0, |extras| extras.undecodable.get()))
        }
        Item::SuspendedBy => InfoItem::SuspendedBy(
            extras.map_or_else(Vec::new, |extras| extras.suspensions.borrow().suspenders()),
        ),
    }
}

fn messages(me: Running<'_>) -> Vec<Snapshot> {
    let mut messages = Vec::new();
    me.control.each_message(|message| messages.push(Snapshot::of(message)));
    messages
}

/// Returns what the process was doing when it was asked. A turn in which it only answers does not
/// count.
fn status(me: Running<'_>, seen_running: bool) -> Status {
    let control = me.control;
    match () {
        () if control.slot.vitals.is_suspended() => Status::Suspended,
        () if me.is_polled() => Status::Running,
        // The asking process sees one that only answers as running as well, so `works` decides.
        () if control.works.get() && seen_running => Status::Running,
        () if control.works.get() => Status::Runnable,
        () => Status::Waiting,
    }
}
