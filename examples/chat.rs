//! A chat server under supervision. Each client is a process, and a client that crashes disconnects
//! nobody else.
//!
//! ```sh
//! cargo run --release --bin chat -- --port 4000      # in one terminal
//! nc 127.0.0.1 4000                                  # in several others
//! ```
//!
//! A line is said to everybody in the room. `/crash` panics in the process of the client that says
//! it, `/tree` prints the supervision tree, and `/quit` leaves. Ctrl-c stops the tree in order.
//!
//! ```text
//! top (rest_for_one)
//!   room      the registry of the clients' processes
//!   clients   a dynamic supervisor of one process for each client
//!   listener  the process that accepts connections
//! ```

use async_net::{TcpListener, TcpStream};
use clap::Parser;
use fika::gen_server::{ServerRef, Start};
use fika::prelude::*;
use fika::registry::{Keys, Registry};
use fika::supervisor::{self, ChildSpec, DynamicSupervisor, Restart, SupFlags, Supervisor};
use futures_lite::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use futures_lite::{StreamExt as _, future};

#[derive(Parser)]
struct Cli {
    /// The port on which clients connect.
    #[arg(long, default_value_t = 4000)]
    port: u16,
}

/// The processes of all clients, under one key. The value of each is its number.
type Room = Registry<&'static str, u64>;

const EVERYBODY: &str = "everybody";

/// A line for a client's terminal.
#[message]
#[derive(Clone)]
struct Said(String);

#[fika::main]
async fn main(cli: Cli) -> fika::Result<ServerRef<Supervisor>> {
    let room = Room::new(Keys::Duplicate);
    let of_listener = room.clone();
    let children = [
        ChildSpec::new("room", move || {
            let room = room.clone();
            async move { room.start_link(Start::new()).await }
        }),
        ChildSpec::supervisor("clients", || {
            supervisor::start_link_dynamic(Start::name("clients"), SupFlags::one_for_one())
        }),
        ChildSpec::process("listener", move || listen(of_listener.clone(), cli.port)),
    ];
    let flags = SupFlags::rest_for_one().intensity(5);
    let top = supervisor::start_link(Start::name("top"), flags, children).await?;
    println!("{}", supervisor::tree(&top).await?);
    println!("connect with: nc 127.0.0.1 {}", cli.port);
    // Runs until ctrl-c.
    Ok(top)
}

/// Accepts connections, and has the supervisor start a process for each.
async fn listen(room: Room, port: u16) -> fika::Result {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let clients = ServerRef::<DynamicSupervisor>::at("clients");
    for number in 1_u64.. {
        let (stream, _) = listener.accept().await?;
        let room = room.clone();
        let client =
            ChildSpec::process(number, move || client(room.clone(), stream.clone(), number));
        // A client whose process has crashed has to connect again.
        clients.start_child(client.restart(Restart::Temporary)).await?;
    }
    Ok(())
}

/// A client's process: it says what the client types, and shows what others say.
async fn client(room: Room, mut stream: TcpStream, number: u64) -> fika::Result {
    room.register(EVERYBODY, number).await?;
    room.dispatch(&EVERYBODY, Said(format!("* guest {number} is here\n")));
    let mut lines = BufReader::new(stream.clone()).lines();
    loop {
        let heard = async {
            receive! { said: Said => Event::Heard(said) }
        };
        let typed = async { Event::Typed(lines.next().await) };
        match future::or(heard, typed).await {
            Event::Heard(Said(text)) => stream.write_all(text.as_bytes()).await?,
            Event::Typed(Some(line)) => match line?.trim() {
                "/quit" => break,
                "/crash" => panic!("guest {number} asked for it"),
                "/tree" => {
                    let tree = supervisor::tree(&ServerRef::<Supervisor>::at("top")).await?;
                    stream.write_all(format!("{tree}\n").as_bytes()).await?;
                }
                line => {
                    room.dispatch(&EVERYBODY, Said(format!("guest {number}: {line}\n")));
                }
            },
            Event::Typed(None) => break,
        }
    }
    room.unregister(&EVERYBODY);
    room.dispatch(&EVERYBODY, Said(format!("* guest {number} has left\n")));
    Ok(())
}

enum Event {
    Heard(Said),
    /// `None` at the end of the connection.
    Typed(Option<std::io::Result<String>>),
}
