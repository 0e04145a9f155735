//! A new or changed SQL file must rebuild what embeds it.
fn main() {
    println!("cargo::rerun-if-changed=.");
}
