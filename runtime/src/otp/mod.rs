//! What OTP builds from processes: ordinary processes that use the public functions and the
//! runtime's timers.

pub mod timer;
