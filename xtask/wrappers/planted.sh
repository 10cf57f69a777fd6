#!/bin/sh
# Compiles the crates of this repository for `cargo xtask planted`, with the errors that are put in
# on purpose. Cargo calls it as its RUSTC_WORKSPACE_WRAPPER, so that dependencies are those of every
# other build and nothing that is shipped is ever built like this.
exec "$@" --cfg planted
