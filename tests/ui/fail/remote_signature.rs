use fika::prelude::*;

#[remote]
fn not_async(_n: u64) {}

#[remote]
async fn borrows(_text: &str, _bytes: &[u8]) {}

#[remote]
async fn borrows_inside(_texts: Vec<&'static str>) {}

#[remote]
async fn generic<T: Message>(_value: T) {}

#[remote]
async fn hidden(_value: impl Message) {}

#[remote]
async fn forever() -> ! {
    std::process::exit(0)
}

#[remote]
#[allow(clippy::too_many_arguments)]
#[rustfmt::skip]
async fn too_many(_: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8) {}

#[remote]
async unsafe fn not_safe() {}

#[remote(tag = "x")]
async fn unknown_setting() {}

#[remote("x")]
async fn no_key() {}

#[remote(name = "")]
async fn empty_name() {}

#[remote]
struct NoFunction;

struct Counter(u64);

impl Counter {
    #[remote]
    async fn method(&self, _n: u64) {}

    #[remote]
    async fn of_itself(_counter: Self) {}
}

fn main() {}
