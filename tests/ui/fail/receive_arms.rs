use std::time::Duration;

use fika::prelude::*;

async fn empty() {
    receive! {}
}

async fn any_is_not_last() {
    receive! {
        any => drop(any),
        n: u64 => drop(n),
    }
    receive! {
        _ => {}
        _ => {}
        after Duration::ZERO => {}
    }
}

async fn after_is_not_last() {
    receive! {
        after Duration::ZERO => {}
        n: u64 => drop(n),
    }
    receive! {
        n: u64 => drop(n),
        after Duration::ZERO => {}
        after Duration::ZERO => {}
    }
}

async fn after_is_no_name() {
    receive! { after => drop(after) }
}

async fn no_comma() {
    receive! {
        n: u64 => drop(n)
        after Duration::ZERO => {}
    }
}

async fn configured() {
    receive! {
        #[cfg(test)]
        n: u64 => drop(n),
    }
}

fn main() {}
