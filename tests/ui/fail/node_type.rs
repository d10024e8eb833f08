//! A node has its own methods only: the runtime's node, which knows no distribution, is not behind it.
fn main() {
    let node = fika::Node::builder().build().unwrap();
    (*node).stop();
    let _: &fika_runtime::Node = &node;
}
