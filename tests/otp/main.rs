//! Cases of OTP's own suites, one module for each suite. A test's path is the case's name. Its doc
//! line names the statements of the specification that it checks.
#![deny(warnings)]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wait.rs"]
mod wait;

mod bif;
mod busy;
mod distribution;
mod epmd;
mod erl_distribution;
mod erl_distribution_wb;
mod erl_link;
mod gen_server;
mod hibernate;
mod message_queue_data;
mod monitor;
mod node_container;
mod proc_lib;
mod process;
mod receive;
mod scheduler;
mod signal;
mod sys;
mod timer;
mod timer_bif;
