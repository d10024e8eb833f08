//! Borrows from types with unsafe code end with those types, and such types store no borrows.

use fika::message::{Encoded, Envelope};
use fika::Node;

fn a_message_is_not_used_behind_its_envelope() {
    let envelope = Envelope::new(String::from("text"));
    let text = envelope.peek::<String>();
    drop(envelope);
    println!("{text:?}");
}

fn no_bytes_borrowed(envelope: Envelope) -> usize {
    let encoded: &Encoded = envelope.as_encoded().unwrap();
    let message = envelope.downcast::<String>();
    drop(message);
    encoded.bytes.len()
}

fn a_process_borrows_nothing(node: &Node) {
    let text = String::from("text");
    let borrowed = &text;
    node.spawn(async move { println!("{borrowed}") });
}

fn a_call_borrows_nothing() {
    let text = String::from("text");
    drop(fika::process::spawn_blocking(|| println!("{text}")));
}

fn main() {}
