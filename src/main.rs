//! The `trunkline` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // rustls wants one maker of ciphers per process, named before anybody asks for TLS. Err: there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    trunkline::cli::main()
}
