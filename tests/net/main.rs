//! The behaviour of several nodes together, seen from outside: one module for each topic.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod args;
mod attacks;
mod auto_connect;
mod bad_input;
mod cluster;
mod config;
mod congestion;
mod dynamic_names;
mod errors;
mod exhausted;
mod extreme_settings;
mod faults;
mod first_use;
mod guesses;
mod limits;
mod log;
mod mapper_attacks;
mod messages;
mod names;
mod networks;
mod nodes;
mod relations;
mod resolvers;
mod resources;
mod send_timeout;
mod services;
mod settings;
mod slow;
mod supervised;
mod tasks;
mod ticks;
mod transports;
mod turns;
mod undecodable;
mod unix;
mod user_code;
mod versions;
mod waiting;
