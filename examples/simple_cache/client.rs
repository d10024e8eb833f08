//! A process for one TCP client: reads commands, and asks the cache of its node.
//!
//! Each line is a command and gets a line as its answer (`help` prints more). Any future runs in a
//! fika process; the sockets here are those of async-net.

use std::io;

use async_net::TcpStream;
use fika::prelude::*;
use futures_lite::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::cache;

/// The longest line in bytes. Without a limit, a client could fill the node's memory.
const LINE_BYTES_MAX: usize = 64 << 10;

const HELP: &str = "\
put KEY VALUE   give a key a value, which may have spaces
get KEY         show its value
del KEY         delete it
nodes           show this node, and those that it is connected to
quit            close this connection";

enum Command<'a> {
    Put(&'a str, &'a str),
    Get(&'a str),
    Del(&'a str),
    Nodes,
    Help,
    Quit,
}

/// Serves a client until it quits or disconnects.
pub(crate) async fn run(stream: TcpStream) {
    // An error means that the connection has broken, so it can't be reported to the client.
    let _ = converse(stream).await;
}

async fn converse(mut stream: TcpStream) -> io::Result<()> {
    let mut input = BufReader::new(stream.clone());
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut input).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Ok(());
        }
        if line.len() == LINE_BYTES_MAX && !line.ends_with(b"\n") {
            let error = format!("error: a line may have {LINE_BYTES_MAX} bytes at most\n");
            return stream.write_all(error.as_bytes()).await;
        }
        let (answer, quits) = match parse(&line) {
            Ok(Some(command)) => (answer(&command).await, matches!(command, Command::Quit)),
            Ok(None) => continue,
            Err(wrong) => (wrong.to_owned(), false),
        };
        stream.write_all(format!("{answer}\n").as_bytes()).await?;
        if quits {
            return Ok(());
        }
    }
}

/// Returns the command in a line; `None` for an empty line.
fn parse(line: &[u8]) -> Result<Option<Command<'_>>, &'static str> {
    let line = str::from_utf8(line).map_err(|_| "error: that is not UTF-8")?.trim();
    let (command, rest) = split(line);
    let one = Some(rest).filter(|key| !key.is_empty() && split(key).1.is_empty());
    let two = Some(split(rest)).filter(|(_, value)| !value.is_empty());
    Ok(Some(match command {
        "" => return Ok(None),
        "put" => two.map(|(key, value)| Command::Put(key, value)).ok_or("usage: put KEY VALUE")?,
        "get" => one.map(Command::Get).ok_or("usage: get KEY")?,
        "del" => one.map(Command::Del).ok_or("usage: del KEY")?,
        "nodes" => Command::Nodes,
        "help" => Command::Help,
        "quit" => Command::Quit,
        _ => return Err("error: there is no such command; try help"),
    }))
}

/// Splits a text into its first word and the rest.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

async fn answer(command: &Command<'_>) -> String {
    let here = self_node().name();
    match command {
        Command::Put(key, value) => {
            cache::put(&here, key, value).await;
            "ok".into()
        }
        Command::Get(key) => match cache::get(&here, key).await {
            Some(value) => format!("{key} = {value}"),
            None => format!("not found: {key}"),
        },
        Command::Del(key) => match cache::del(&here, key).await {
            Some(_) => "ok".into(),
            None => format!("not found: {key}"),
        },
        Command::Nodes => {
            let others: String = nodes().iter().map(|node| format!(", {node}")).collect();
            format!("{here} (this node){others}")
        }
        Command::Help => HELP.into(),
        Command::Quit => "bye".into(),
    }
}
