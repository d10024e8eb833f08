//! Settings, attributes and a result; the process runs before the program ends.
#![deny(warnings, missing_docs, unreachable_pub)]

/// The program.
#[fika::main(workers = 2)]
async fn main() -> Result<(), std::num::ParseIntError> {
    let n: u64 = "7".parse()?;
    fika::message::send(fika::process::self_pid(), n);
    let n = fika::receive! { n: u64 => n };
    assert_eq!(n, 7);
    Ok(())
}
