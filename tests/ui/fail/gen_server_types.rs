#![allow(unused)]

use std::net::TcpStream;
use std::rc::Rc;

use fika::prelude::*;

struct Plain;

struct Counter(i64);

#[gen_server]
impl Counter {
    async fn init() -> Self {
        Counter(0)
    }

    #[call]
    async fn no_message(&mut self, _stream: TcpStream) {}

    #[call]
    async fn no_reply(&mut self) -> Plain {
        Plain
    }

    #[cast]
    async fn no_cast(&mut self, _count: Rc<u8>) {}

    #[info]
    async fn no_info(&mut self, _plain: Plain) {}

    #[cast]
    async fn no_next(&mut self) -> i64 {
        self.0
    }
}

struct Other;

#[gen_server]
impl Other {
    async fn init() -> u8 {
        1
    }
}

struct Stack<T>(Vec<T>);

#[gen_server]
impl<T: Send + 'static> Stack<T> {
    async fn init() -> Self {
        Stack(Vec::new())
    }

    #[call]
    async fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    #[cast]
    async fn push(&mut self, item: T) {
        self.0.push(item);
    }
}

fn main() {}
