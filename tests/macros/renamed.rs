//! The macros in packages that give fika another name, and in one that has it by way of another package.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A package that names fika `actors`, and has no serde.
const SHOP: &str = r#"
pub use actors;
use actors::prelude::*;

#[message(tag = "shop::order")]
pub struct Order<T> { pub from: Pid, pub what: T }

#[message(local)]
pub struct Job(pub std::sync::mpsc::Sender<u64>);

#[derive(Message)]
#[message(local)]
pub struct Derived;

#[actors::remote]
pub async fn price(of: String) -> u64 {
    of.len() as u64
}

pub struct Till(u64);

#[gen_server]
impl Till {
    pub async fn init() -> Self {
        Till(0)
    }

    #[call]
    pub async fn add(&mut self, cents: u64) -> u64 {
        self.0 += cents;
        self.0
    }
}

pub async fn serve() {
    receive! {
        Order::<String> { from, what } => send(from, price(what).await),
        Job(answer) => answer.send(1).unwrap(),
        Derived => {},
        after secs(1) => {},
    }
}

#[actors::test]
async fn a_test() {}

#[actors::test(sim)]
async fn a_simulated_test() {}
"#;

/// A package that only knows `shop`.
const APP: &str = r#"
use shop::actors::prelude::*;

#[message(crate = "shop::actors")]
enum Ask { Price(String), Stop }

#[message(local, crate = "shop::actors")]
struct Job(std::sync::mpsc::Sender<u64>);

#[derive(Message)]
#[message(local, crate = "shop::actors")]
struct Derived;

#[remote(crate = "shop::actors", name = "app::answer")]
async fn answer(to: Pid) {
    receive! {
        crate = "shop::actors",
        Ask::Price(what) => send(to, what.len() as u64),
        Ask::Stop => {},
        Job(_) => {},
        Derived => {},
        after secs(1) => {},
    }
}

struct Echo;

#[gen_server(crate = "shop::actors")]
impl Echo {
    async fn init() -> Self {
        Echo
    }

    #[call]
    async fn echo(&mut self, n: u64) -> u64 {
        n
    }

    #[cast]
    async fn drop_all(&mut self) {}

    #[info]
    async fn on_down(&mut self, _: Down) {}
}

#[shop::actors::main(crate = "shop::actors", workers = 1)]
async fn main() {
    let echo = Echo::start(Start::new()).await.expect("it starts");
    echo.drop_all();
    let till = shop::Till::start(Start::new()).await.expect("it starts");
    let n = till.add(echo.echo(1).await.expect("it answers")).await;
    assert_eq!(n.expect("it answers"), 1);
    let answer = spawn(answer(self_pid()));
    send(answer, Ask::Price("tea".to_owned()));
    receive!(crate = "shop::actors", match _ { As::<u64>(n) => assert_eq!(n, 3) });
    send(answer, Ask::Stop);
}

#[shop::actors::test(crate = "shop::actors")]
async fn a_test() {}

#[shop::actors::test(sim, crate = "shop::actors")]
async fn a_simulated_test() {}
"#;

#[test]
fn the_crate_can_be_renamed() {
    let fika = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("renamed");
    let write = |file: &str, text: &str| {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n\n");
    write("Cargo.toml", "[workspace]\nmembers = [\"shop\", \"app\"]\nresolver = \"3\"\n");
    let renamed =
        format!("actors = {{ package = \"fika\", path = {fika:?}, features = [\"sim\"] }}");
    write("shop/Cargo.toml", &format!("{}[dependencies]\n{renamed}\n", package("shop")));
    write("shop/src/lib.rs", SHOP);
    let shop = "[dependencies]\nshop.path = \"../shop\"\n";
    write("app/Cargo.toml", &format!("{}{shop}", package("app")));
    write("app/src/main.rs", APP);
    // The package uses the versions of the workspace.
    fs::copy(fika.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    let check = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--workspace", "--all-targets"])
        .current_dir(&root)
        // The package uses the crates that the tests of compile errors have built.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tests/target"))
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
