//! What the macros and derives accept, what they expand to, and what they say about the rest.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod message;
mod message_serde;
mod receive;
mod remote;
mod renamed;
mod test_macro;
mod ui;
