//! The macros and derives: the code that they accept, their expansion, and their errors for other
//! code.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod children;
mod gen_server;
mod message;
mod message_serde;
mod receive;
mod remote;
mod renamed;
mod settings;
mod test_macro;
mod ui;
