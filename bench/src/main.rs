//! `cargo run --release -p munjigi-bench -- ratios | load [SCENARIO…] [--json]`.

/// The product's own allocator, for the server and for what it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    munjigi_bench::run(std::env::args().skip(1).collect())
}
