#[fika::test(sim, workers = 2)]
async fn another_setting() {}

#[fika::test(sim = 1, seeds = 2)]
async fn one_or_many() {}

#[fika::test(seeds)]
async fn no_value() {}

#[fika::test(sim, sim)]
async fn twice() {}

#[fika::test(sim)]
fn not_async() {}

fn main() {}
