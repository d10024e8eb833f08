//! The turns of a process, and its end.

mod crash;
mod destructor;
mod exit;
mod growth;
mod run;

pub(in crate::process) use self::destructor::leave_destructor;
pub(crate) use self::exit::end;
pub(in crate::process) use self::growth::check_growth;
pub(crate) use self::run::run;
