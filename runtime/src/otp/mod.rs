//! The parts of OTP that are built from processes. They are ordinary processes that use the public
//! functions and the runtime's timers.

pub mod timer;
