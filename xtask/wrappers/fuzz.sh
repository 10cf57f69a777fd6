#!/bin/sh
# Compiles the crates of this repository for `cargo xtask fuzz`: a counter at every edge and at every
# comparison for libFuzzer, arithmetic that does not wrap in silence, and some speed. Cargo calls it
# as its RUSTC_WORKSPACE_WRAPPER, so that dependencies are those of every other build.
exec "$@" -Copt-level=2 -Cdebug-assertions=on -Coverflow-checks=on -Ccodegen-units=1 \
    -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
