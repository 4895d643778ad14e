//! Finds what was learned by the network of `earshot`, for `src/media/vad/network.rs`, which computes it faster than
//! the crate does.
//!
//! Weights are not kept in this repository: they come with the crate, wherever cargo put its source (a registry's copy,
//! a vendored folder), and the crate offers no other way to them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

fn main() {
    let crate_folder = folder_of("earshot");
    let weights = crate_folder.join("src/weights.bin");
    let copy = Path::new(&env::var("OUT_DIR").expect("cargo names it")).join("earshot-weights.bin");
    if let Err(error) = fs::copy(&weights, &copy) {
        panic!("{}: {error}; this version of earshot keeps its weights elsewhere", weights.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-changed={}", weights.display());
}

/// Where the source of a package that we depend on lies.
fn folder_of(package: &str) -> PathBuf {
    let cargo = env::var("CARGO").expect("cargo names itself");
    let target = env::var("TARGET").expect("cargo names it");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--filter-platform", &target])
        .current_dir(env::var("CARGO_MANIFEST_DIR").expect("cargo names it"))
        .output()
        .expect("cargo runs, since it builds this");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
    let found = metadata["packages"].as_array().into_iter().flatten().find(|found| found["name"] == package);
    let manifest = found.and_then(|found| found["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    folder.unwrap_or_else(|| panic!("{package} is among the packages of Cargo.lock")).to_owned()
}
