//! Types with unsafe code are only `Send` and `Sync` if their contents are.

use std::cell::Cell;
use std::rc::Rc;

use fika::message::{Envelope, Letter, Local};
use fika::process::SpawnBlocking;

fn send<T: Send>() {}
fn share<T: Sync>() {}

// The message may be a `Cell`, and two threads must not each have a reference to it.
fn an_envelope_is_not_shared() {
    share::<Envelope>();
}

fn an_opened_message_is_sent_and_shared_as_its_value() {
    send::<Letter<Local<Cell<u8>>>>();
    send::<Letter<Local<Rc<()>>>>();
    share::<Letter<Local<Cell<u8>>>>();
}

fn the_value_of_a_call_is_sent() {
    send::<SpawnBlocking<Cell<u8>>>();
    send::<SpawnBlocking<Rc<()>>>();
}

fn a_process_is_sent() {
    let own = Rc::new(());
    fika::process::spawn(async move { drop(own) });
}

fn main() {}
