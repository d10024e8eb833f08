//! The settings of a supervisor and its children, and a supervisor's answers about its children.
//! Nothing here runs a supervisor.

pub(crate) mod backoff;
pub(crate) mod child_error;
pub(crate) mod child_spec;
pub(crate) mod flags;
pub(crate) mod starter;
