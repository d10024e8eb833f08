//! Taking a monitor back: the signal to its target.

use crate::carrier::RemoteDest;
use crate::node::Inner;
use crate::pid::Pid;
use crate::process::core::relations::Monitor;
use crate::reference::Reference;
use crate::signal::Signal;
use crate::system_message::Object;

impl Inner {
    /// Tells the target of a monitor that the monitor is gone. If the connection has no room and
    /// `waits` is set, the running process waits.
    pub(in crate::process) fn demonitor(
        &self,
        from: Pid,
        reference: Reference,
        held: &Monitor,
        waits: bool,
    ) {
        let signal = Signal::Demonitor { from, reference };
        match (held.target, &held.object) {
            (Some(target), _) => drop(self.signal_as(target, signal, waits)),
            (None, Object::Name(name, at)) if !self.is_called(at.as_str()) => {
                self.carry(RemoteDest::Name(name.clone(), at.clone()), signal, waits);
            }
            (None, _) => {}
        }
    }
}
