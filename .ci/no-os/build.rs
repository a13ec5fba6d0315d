//! Links the firmware by the board's memory map.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=link.x");
    let is_firmware = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "arm");
    if let (true, Ok(folder)) = (is_firmware, env::var("CARGO_MANIFEST_DIR")) {
        println!("cargo::rustc-link-arg-bins=-T{folder}/link.x");
    }
}
