# The usual tasks; `just` alone lists them. `cargo run --release -- run ci -- just` needs no other just.

_default:
    @just --list

# Build the program
build:
    cargo build --release

# Run all tests, or those with NAME in their name
test *NAME:
    cargo test {{ NAME }}

# Rewrite what tests expect, the reference of the command line among it
bless:
    UPDATE_EXPECT=1 cargo test

# Check format, lints and the documents of the code
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items

# Measure
bench *NAME:
    cargo bench {{ NAME }}

# Everything that a change has to pass
ci:
    .ci/run

# Give made-up input to what reads things from elsewhere, for so many seconds each
fuzz SECONDS="20":
    .ci/fuzz {{ SECONDS }}
