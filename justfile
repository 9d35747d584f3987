# The commands people need every day. `just` alone lists them.

_default:
    @just --list

# The whole gate, as CI runs it; or only the steps named: just check tidy lint
check *steps:
    scripts/test {{steps}}

# Format every source.
fmt:
    cargo fmt --all

# Start a server on its defaults; flags go through: just serve --listen 127.0.0.1:9000
serve *flags:
    cargo run --release --package muster-cli -- serve {{flags}}

# Measure a server on this machine; flags go through.
bench *flags:
    cargo run --release --package muster-cli -- bench {{flags}}
