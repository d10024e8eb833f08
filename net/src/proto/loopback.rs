//! Both ends of a connection and no socket between them: the protocol, as benchmarks
//! reach it.

use fika_runtime::{Creation, LocalId, NodeId, Pid, Signal, Target};

use super::connection::{Config, Connection};
use super::error::ProtocolError;
use super::limits::Limits;

/// Two connected nodes, of which the near one sends and the far one receives.
pub struct Loopback {
    near: Connection,
    far: Connection,
    /// A process of the far node.
    to: Target,
}

impl Default for Loopback {
    fn default() -> Loopback {
        let node = |name: &str, creation| {
            NodeId::of(&name.parse().expect("it has a host"), Creation(creation))
        };
        let (near, far) = (node("near@loopback", 1), node("far@loopback", 2));
        let end = |local, peer| {
            let limits = Limits::default();
            let config =
                Config { local, peer, hidden: false, priority: true, intensity: 4, limits };
            Connection::new(config)
        };
        let to = Target::Pid(Pid::new(far, LocalId { slot: 1, generation: 1 }));
        Loopback { near: end(near, far), far: end(far, near), to }
    }
}

impl Loopback {
    /// Has the near node encode a signal.
    ///
    /// # Errors
    /// When it can't be sent.
    pub fn encode(&mut self, signal: &Signal) -> Result<(), impl std::error::Error + use<>> {
        self.near.send(&self.to, signal)
    }

    /// The bytes that wait to be written.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.near.output()
    }

    /// The output has been written.
    pub fn advance_output(&mut self) {
        self.near.advance_output(self.near.output_bytes());
    }

    /// Gives bytes to the far node, and returns how many events they were.
    ///
    /// # Errors
    /// When they are not what a peer may send; so will all later ones be.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<usize, impl std::error::Error + use<>> {
        self.far.read_buffer().extend_from_slice(bytes);
        let mut events = 0;
        loop {
            match self.far.poll_event() {
                Ok(Some(event)) => drop(std::hint::black_box(event)),
                Ok(None) => return Ok::<usize, ProtocolError>(events),
                Err(error) => return Err(error),
            }
            events += 1;
        }
    }
}
