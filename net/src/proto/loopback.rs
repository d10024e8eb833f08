//! Both ends of a connection without a socket between them, for benchmarks of the protocol.

use std::io::IoSlice;

use fika_runtime::{ConnectionId, Creation, LocalId, NodeId, Pid, Signal, Target};

use super::connection::{Config, Receiving, Sending};
use super::error::ProtocolError;
use super::limits::Limits;
use super::output::Batch;
use super::parcel::Parcel;

/// Two connected nodes. The near one sends and the far one receives.
pub struct Loopback {
    near: Sending,
    far: Receiving,
    batch: Batch,
    output: Vec<u8>,
    /// A process of the far node.
    to: Target,
}

impl Default for Loopback {
    fn default() -> Loopback {
        let node = |name: &str, creation| {
            NodeId::of(&name.parse().expect("a valid node name"), Creation(creation))
        };
        let (near, far) = (node("near@loopback", 1), node("far@loopback", 2));
        let end = |local, peer| {
            let (id, limits) = (ConnectionId(1), Limits::default());
            Config { id, local, peer, hidden: false, priority: true, intensity: 4, limits }
                .connection()
        };
        let to = Target::Pid(Pid::new(far, LocalId { slot: 1, generation: 1 }));
        let (batch, output) = (Batch::default(), Vec::new());
        Loopback { near: end(near, far).0, far: end(far, near).1, batch, output, to }
    }
}

impl Loopback {
    /// Encodes a signal at the near node.
    ///
    /// # Errors
    /// If the signal can't be sent.
    pub fn encode(&mut self, signal: Signal) -> Result<(), impl std::error::Error + use<>> {
        let parcel =
            Parcel::signal(signal, &Limits::default(), &mut None).map_err(|(why, _)| why)?;
        self.near.send(None, Some(self.to.clone()), parcel).map_err(|refused| refused.0)
    }

    /// Returns the bytes that wait to be written.
    #[must_use]
    pub fn output(&mut self) -> &[u8] {
        loop {
            self.near.take_output(&mut self.batch, &mut |error| panic!("{error}"));
            let mut slices = [IoSlice::new(&[]); 64];
            let before = self.output.len();
            for slice in self.batch.slices(&mut slices) {
                self.output.extend_from_slice(slice);
            }
            let count = self.output.len() - before;
            self.batch.advance(count);
            self.near.handle_written(count);
            if count == 0 {
                return &self.output;
            }
        }
    }

    /// Marks the output as written.
    pub fn advance_output(&mut self) {
        let _ = self.output();
        self.output.clear();
    }

    /// Passes bytes to the far node. Returns the number of events.
    ///
    /// # Errors
    /// If a peer must not send these bytes. All later calls then fail as well.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<usize, impl std::error::Error + use<>> {
        let mut events = Vec::new();
        self.far.handle(bytes, &mut events)?;
        Ok::<usize, ProtocolError>(std::hint::black_box(events).len())
    }
}
