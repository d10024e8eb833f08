//! What OTP builds from processes: ordinary processes on the public functions, which know no
//! scheduler, queue or table.

pub mod timer;
