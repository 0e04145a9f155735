# What can be done here. `./justw` gets the tools and hands on to this; `./justw --list` shows it.

set shell := ["bash", "-euo", "pipefail", "-c"]

# dev builds in a third of the time and is fast enough for everything but measuring; ERP_PROFILE=release for that.
profile := env("ERP_PROFILE", "dev")
export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", justfile_directory() / "target")
bin_dir := CARGO_TARGET_DIR / if profile == "dev" { "debug" } else { profile }
stack := bin_dir / "stack"

[private]
default:
    @{{ just_executable() }} --list --unsorted

# Start everything, send Stripe payments and tell what becomes of them, until Ctrl-C (--once: ends by itself, status 0 if all arrived once)
demo *args: build
    @exec '{{ stack }}' demo {{ args }}

# Start everything in the background
up: build
    @exec '{{ stack }}' up

# Stop everything
down: _stack
    @exec '{{ stack }}' down

# Say what runs
status: _stack
    @exec '{{ stack }}' status

# Print logs: [SERVER] [-f] [-n LINES]
logs *args: _stack
    @exec '{{ stack }}' logs {{ args }}

# Print how to reach what runs, as KEY=value lines
env: _stack
    @exec '{{ stack }}' env

# Run every test, on a PostgreSQL and a NATS of their own
test *args: _test-programs
    @exec '{{ CARGO_TARGET_DIR }}/debug/stack' with-infra -- .ci/run-tests --workspace {{ args }}

# Run the tests whose name contains FILTER
test-one filter: _test-programs
    @exec '{{ CARGO_TARGET_DIR }}/debug/stack' with-infra -- .ci/run-tests --workspace {{ filter }}

# Send 20,000 events while every fault there is comes and goes, and print what was felt of each: [--seed N] [--events N] [--fault TEXT] [--without-keys]
[positional-arguments]
soak *args: _test-programs
    #!/usr/bin/env bash
    set -euo pipefail
    while [ $# -gt 0 ]; do
        case $1 in
        --seed) export SOAK_SEED=${2:?--seed needs a number}; shift 2 ;;
        --events) export SOAK_EVENTS=${2:?--events needs a number}; shift 2 ;;
        --fault) export SOAK_FAULT=${2:?--fault needs a part of its name}; shift 2 ;;
        --without-keys) export SOAK_WITHOUT_KEYS=1; shift ;;
        *) echo "soak: unknown argument $1; there are --seed N, --events N, --fault TEXT and --without-keys" >&2; exit 2 ;;
        esac
    done
    exec cargo test -q -p system-tests --test it -- --ignored --exact faults::soak --nocapture

# Plant 500 differences of every class among 100,000 transactions that change meanwhile, and reconcile until none is left: [RECORDS] [PLANTED]
reconcile-full records="100000" planted="500": _test-programs
    @RECONCILE_RECORDS={{ records }} RECONCILE_PLANTED={{ planted }} exec '{{ CARGO_TARGET_DIR }}/debug/stack' with-infra -- .ci/run-tests --workspace exactly_what_was_planted_is_found_proven_and_mended

# Run the fuzz targets, a million cases each: [TARGET] [--cases N] [--seed N]; signatures, events, FlashERP's answers
[positional-arguments]
fuzz *args:
    #!/usr/bin/env bash
    set -euo pipefail
    target=fuzz_
    export FUZZ_CASES=1000000
    while [ $# -gt 0 ]; do
        case $1 in
        --cases) FUZZ_CASES=${2:?--cases needs a number}; shift 2 ;;
        --seed) export FUZZ_SEED=${2:?--seed needs a number}; shift 2 ;;
        -*) echo "fuzz: unknown argument $1; there are --cases N and --seed N" >&2; exit 2 ;;
        *) target=fuzz_${1#fuzz_}; shift ;;
        esac
    done
    cargo test -q --profile fuzz -p webhooks -p flasherp -p sync-worker --lib --test fuzz -- "$target" --nocapture --test-threads 2

# Measure against the limits of the parts underneath, in release builds: all benches, or those named (start, sandbox, ingress, inbound, path, outbound, upcoach, admin, gateway, reconcile, seal, enqueue)
[positional-arguments]
bench *names:
    #!/usr/bin/env bash
    set -euo pipefail
    [ $# -gt 0 ] || set -- start sandbox ingress inbound path outbound upcoach admin gateway reconcile seal enqueue
    cargo build --release --bins
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    export ERP_BIN_DIR="$CARGO_TARGET_DIR/release" ERP_DATA_DIR="$scratch/data" ERP_PORT_BASE="${ERP_PORT_BASE:-18080}"
    for name in "$@"; do
        printf '\n== %s\n' "$name"
        "$ERP_BIN_DIR/bench-$name"
    done

# Build all programs
build:
    @cargo build --profile {{ profile }} --bins

# Format all code
fmt:
    cargo fmt --all

# Refuse what is badly formatted, what clippy dislikes, and dependencies that may not be there
lint:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings
    python3 .ci/dependencies.py
    @if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

# Write what is generated from code: event schemas, asyncapi.yaml, admin-api.json, the README's table of settings
schemas:
    cargo run -q --bin event-schemas
    cargo run -q --bin admin-api-schema
    cargo run -q --bin settings-table -- --write

# Write the TypeScript client's types from the API's description (needs Node 20 or newer)
client: _client-packages
    cd apps/admin-client && npm run --silent generate

# Refuse a TypeScript client that is not what the API's description says, or does not compile
client-check: _client-packages
    cd apps/admin-client && npm run --silent check

# Drive the TypeScript client, and one that knows only what UpCoach's uses, against a stack of their own
client-test: build _client-packages
    cd apps/admin-client && STACK='{{ stack }}' ../../.ci/with-stack npm test --silent

# Hold the running API against its description, as schemathesis does: requests made up for an operation [EXAMPLES]
api-test examples="10": build
    GATEWAY_RATE_LIMIT=0 API_TEST_EXAMPLES={{ examples }} STACK='{{ stack }}' .ci/with-stack .ci/api-test

# The same with at least 10,000 requests
api-test-full: build
    GATEWAY_RATE_LIMIT=0 API_TEST_EXAMPLES=170 API_TEST_AT_LEAST=10000 STACK='{{ stack }}' .ci/with-stack .ci/api-test

[private]
_client-packages:
    @command -v npm >/dev/null || { echo "npm is missing. Get Node 20 or newer (Debian, Ubuntu: apt-get install nodejs npm)." >&2; exit 1; }
    cd apps/admin-client && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent; }

# Do what is done before a change is taken: lint, generated files, tests
ci:
    @exec .ci/run

# The stack as it was last built; it must be able to go down also while the code does not compile.
[private]
_stack:
    @[ -x '{{ stack }}' ] || cargo build --profile {{ profile }} --bins

# Tests start services as processes: built in one go with the tests, from the same dependencies, and with the failpoints that the system
# tests' dev-dependencies ask for. `build`, which builds no tests, builds programs without any.
[private]
_test-programs:
    @cargo build --workspace --all-targets
