//! The server, an OS process of its own. The first byte of each connection selects what to do.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use fika_bench_kit::{Params, Peer, free_port};

/// Sends back what arrives, as much as possible in one write.
pub(crate) const ECHO: u8 = b'e';
/// Reads everything, and sends back the number of bytes at the end.
pub(crate) const SINK: u8 = b's';
/// Sends without end.
pub(crate) const SOURCE: u8 = b'f';

const BUFFER_BYTES: usize = 1 << 20;

pub(crate) fn serve(p: &Params) {
    let port = u16::try_from(p.get("port")).expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    for stream in listener.incoming().flatten() {
        thread::spawn(move || connection(stream));
    }
}

fn connection(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut count = 0_u64;
    while kind[0] == SOURCE {
        stream.write_all(&buffer)?;
    }
    loop {
        let read = stream.read(&mut buffer)?;
        count += read as u64;
        match (read, kind[0]) {
            (0, SINK) => return stream.write_all(&count.to_be_bytes()),
            (0, _) => return Ok(()),
            (read, ECHO) => stream.write_all(&buffer[..read])?,
            _ => {}
        }
    }
}

/// Serves one connection at a time, without a thread for each: sends back what arrives.
pub(crate) fn echo(p: &Params) {
    let port = u16::try_from(p.get("port")).expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("nobody has the port");
    for stream in listener.incoming().flatten() {
        // The other end closes the connection.
        let _ = echo_until_closed(stream);
    }
}

fn echo_until_closed(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1 << 10];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}

/// The server and the port on which it listens.
pub(crate) struct Server {
    pub(crate) peer: Peer,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Server {
        let port = free_port();
        Server {
            peer: Peer::start_server(port, ["serve".to_owned(), format!("port={port}")]),
            port,
        }
    }

    pub(crate) fn connect(&self, kind: u8) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_nodelay(true).expect("it is a TCP socket");
        stream.write_all(&[kind]).expect("it has just been connected");
        stream
    }
}
