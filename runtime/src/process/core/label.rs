//! The label of a process: a text for logs and `process_info`.

use std::sync::Arc;

use super::control::Control;
use crate::context;

/// Gives the running process a label, which [`process_info`](crate::process_info()) and the report
/// of its crash show (Erlang's `proc_lib:set_label/1`). Unlike a registered name, it need not be
/// unique.
///
/// ```
/// # use fika_runtime::{Node, info, self_pid, set_label};
/// # Node::builder().build().unwrap().block_on(async {
/// set_label(format!("connection to {}", "10.0.0.7"));
/// assert_eq!(info::label(self_pid()).await, Some(Some("connection to 10.0.0.7".into())));
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn set_label(label: impl Into<Arc<str>>) {
    let label = label.into();
    context::process("set_label", |me| {
        me.control.extras().label.replace(Some(label));
    });
}

impl Control {
    pub(in crate::process) fn label(&self) -> Option<Arc<str>> {
        self.extras_if_any()?.label.borrow().clone()
    }
}
