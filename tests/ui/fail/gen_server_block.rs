#![allow(unused)]

use fika::gen_server::{Caller, Reply, info};
use fika::prelude::*;

struct Counter(i64);

#[gen_server]
impl Counter {
    async fn init() -> Self {
        Counter(0)
    }

    #[call]
    async fn no_self(by: i64) -> i64 {
        by
    }

    #[call]
    fn not_async(&mut self) -> i64 {
        self.0
    }

    #[call]
    async fn takes_it(self) -> i64 {
        self.0
    }

    #[call]
    async fn borrows(&mut self, text: &str, bytes: Option<&[u8]>) {}

    #[call]
    async fn generic<T: Message>(&mut self, value: T) {}

    #[call]
    async fn hidden(&mut self, value: impl Message) {}

    #[handle_call]
    async fn as_in_otp(&mut self) {}

    #[call(reply = i64)]
    async fn settings(&mut self) {}

    #[call]
    #[cast]
    async fn both(&mut self) {}

    #[cast]
    async fn replies(&mut self) -> Reply<i64> {
        Reply::now(1)
    }

    #[cast]
    async fn has_caller(&mut self, caller: &mut Caller<'_, i64>) {}

    #[call]
    async fn owned_caller(&mut self, caller: Caller<'_, i64>) -> i64 {
        1
    }

    #[info]
    async fn two_messages(&mut self, down: Down, exit: Exit) {}

    #[info]
    async fn on_down(&mut self, down: Down) {}

    #[info]
    async fn on_down_again(&mut self, down: Down) {}

    #[call]
    async fn start(&mut self) {}

    fn at(&self) {}

    #[rustfmt::skip]
    #[call]
    async fn many(&mut self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8) {}

    #[call]
    async fn terminate(&mut self) {}

    fn handle_continue(&mut self, work: u8) {}

    async fn format_status(&self) -> String {
        String::new()
    }
}

struct NoInit;

#[gen_server]
impl NoInit {
    #[call]
    async fn get(&mut self) {}
}

struct TwoInits;

#[gen_server]
impl TwoInits {
    async fn init() -> Self {
        TwoInits
    }

    #[cfg(any())]
    async fn init(n: u8) -> Self {
        TwoInits
    }
}

struct BadInit;

#[gen_server]
impl BadInit {
    fn init(&mut self) {}
}

struct InitReturnsNothing;

#[gen_server]
impl InitReturnsNothing {
    async fn init(text: &str) {}

    async fn terminate(&mut self) {}
}

struct Borrowed<'a>(&'a str);

#[gen_server]
impl<'a> Borrowed<'a> {
    async fn init() -> Self {
        Borrowed("")
    }
}

struct NoBounds<T, K, V>(T, K, V);

#[gen_server]
impl<T, K: Send + 'static, V> NoBounds<T, K, V>
where
    V: Send + 'static,
{
    async fn init() -> Self {
        todo!()
    }

    #[call]
    async fn get(&mut self) -> T {
        todo!()
    }
}

#[gen_server]
impl Drop for NoInit {
    fn drop(&mut self) {}
}

#[gen_server]
struct NoBlock;

struct Settings;

#[gen_server(name = "counter")]
impl Settings {
    async fn init() -> Self {
        Settings
    }
}

struct EmptyTag;

#[gen_server(tag = "")]
impl EmptyTag {
    async fn init() -> Self {
        EmptyTag
    }
}

struct NoAttribute;

impl NoAttribute {
    #[call]
    async fn get(&mut self) {}

    #[cast]
    async fn put(&mut self) {}

    #[info]
    async fn on_down(&mut self, down: Down) {}
}

fn main() {}
