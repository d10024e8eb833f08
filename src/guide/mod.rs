//! Chapters on topics that concern more than one function.
//!
//! - [`requests`]: how to ask a process and wait for its reply.
//! - [`from_elixir`]: for programmers who know Elixir or Erlang.
//! - [`back_pressure`]: what happens if a sender is faster than its receiver.

pub mod back_pressure;
pub mod from_elixir;
pub mod requests;
