//! What the user says about a supervisor and its children, and what the supervisor says about them.
//! Nothing here runs a supervisor.

pub(crate) mod backoff;
pub(crate) mod child_error;
pub(crate) mod child_spec;
pub(crate) mod flags;
pub(crate) mod starter;
