//! The behaviour of a node's processes, seen from outside: one module for each topic.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "../support/wait.rs"]
mod wait;

mod abort;
mod blocking;
mod catch;
mod dest;
mod exits;
mod failures;
mod foreign_code;
mod large_futures;
mod limits;
mod links;
mod model;
mod monitors;
mod names;
mod node;
mod outside;
mod panics;
mod priorities;
mod processes;
mod receive;
mod scheduler;
mod spawn;
mod stop;
mod suspend;
mod timer_service;
mod timers;
mod top;
mod waiting;
mod within;
