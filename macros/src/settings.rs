//! The names of the settings of `#[fika::main]` and `#[fika::test]`, for errors about other names.

use proc_macro2::Ident;
use syn::{Error, Result};

/// The settings that are not methods of the node's builder.
const OWN: &[&str] = &["args", "crate"];

/// The methods of the node's builder that set something. `tests/macros/settings.rs` compares them
/// with the settings of fika.
const OF_BUILDER: &[&str] = &[
    "name",
    "cookie",
    "cookie_file",
    "cookie_for",
    "cookie_file_for",
    "allow_weak_cookie",
    "cluster_id",
    "workers",
    "process_limit",
    "mailbox_limit",
    "long_message_queue",
    "hidden",
    "listen",
    "listen_ports",
    "dist_listen",
    "unix_sockets",
    "start_epmd",
    "epmd_port",
    "allow",
    "dist_auto_connect",
    "connect_all",
    "net_ticktime",
    "net_tickintensity",
    "net_setuptime",
    "handshake_time",
    "message_bytes_max",
    "output_bytes",
    "async_dist",
    "nodelay",
    "keepalive",
    "send_buffer",
    "recv_buffer",
    "encode_messages",
    "shutdown_time",
    "stop_on_signals",
    "socket_options",
    "config",
    "env",
    "net_handler",
    "network",
    "resolver",
];

/// Refuses a name that no setting has, with the name that was probably meant, or with all names.
pub(crate) fn check(key: &Ident) -> Result<()> {
    let written = key.to_string();
    let known = || OWN.iter().chain(OF_BUILDER).copied();
    if known().any(|name| name == written) {
        return Ok(());
    }
    let distance = |name: &&str| strsim::damerau_levenshtein(name, &written);
    let nearest = known().min_by_key(distance).filter(|name| distance(name) * 3 <= name.len());
    let text = match nearest {
        Some(name) => format!("there is no setting `{written}`: did you mean `{name}`?"),
        None => {
            let names: Vec<_> = known().map(|name| format!("`{name}`")).collect();
            format!("there is no setting `{written}`; the settings are {}", names.join(", "))
        }
    };
    Err(Error::new(key.span(), text))
}
