use fika::prelude::*;
use fika::message::Reference;

async fn a_number() -> u64 {
    receive! { for 5, n: u64 => n }
}

async fn no_comma(call: Reference) {
    receive! { for call Down { monitor, .. } if monitor == call => {} }
}

async fn in_the_middle(call: Reference) {
    receive! {
        (): () => {},
        for call,
        Down { monitor, .. } if monitor == call => {},
    }
}

fn main() {}
