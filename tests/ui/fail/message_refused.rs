use std::rc::Rc;
use std::sync::{Arc, Mutex};

use fika::prelude::*;
use fika::message::Local;

fn sends(to: Pid) {
    send(to, Rc::new(7_u64));
    send(to, Some(Mutex::new(7_u64)));
    // These types are messages.
    send(to, Arc::new(7_u64));
    send(to, Local(Arc::new(Mutex::new(7_u64))));
}

#[derive(Message)]
#[message(local, remote)]
struct Unknown;

fn main() {}
