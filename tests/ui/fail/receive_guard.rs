use fika::prelude::*;

async fn check(n: u64) -> Result<bool, String> {
    Ok(n > 0)
}

async fn guards(option: Option<u64>) -> Result<(), String> {
    loop {
        receive! {
            n: u64 if check(n).await == Ok(true) => break,
            n: u32 if "true".parse::<bool>().map_err(|e| e.to_string())? && n > 0 => break,
            n: u16 if n > 0 || break => {}
            n: u8 if let Some(m) = option && m > n.into() => break,
        }
    }
    Ok(())
}

fn main() {}
