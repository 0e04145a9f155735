//! How the servers are set: as in production where it matters for what is promised (`fsync`, `synchronous_commit`,
//! passwords), sized for two cores and a few services.

/// Arguments of `initdb`.
pub(super) const INITDB: [&str; 6] = [
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--locale=C.UTF-8",
    "--auth=scram-sha-256",
    "--set=scram_iterations=1",
    // The server syncs what it writes; a machine that dies in the first second of a new cluster makes a new one.
    "--no-sync",
];

/// Settings given on the command line.
pub(super) const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    // Reached by TCP with a password alone: a socket's path may be longer than the kernel allows.
    "unix_socket_directories=",
    "max_connections=200",
    "password_encryption=scram-sha-256",
    // Iterations make guessing a weak password dear. Ours are 128 random bits, and in a build without optimisation the
    // usual 4096 cost a client a good part of a second for each connection.
    "scram_iterations=1",
    "timezone=UTC",
    // Promise 1 stands on these.
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=192MB",
    "effective_cache_size=1GB",
    "work_mem=16MB",
    "maintenance_work_mem=128MB",
    "huge_pages=off",
    "jit=off",
    "max_parallel_workers_per_gather=1",
    "random_page_cost=1.1",
    "wal_buffers=16MB",
    "min_wal_size=256MB",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    // Queue tables are emptied all the time.
    "autovacuum_naptime=15s",
    "log_line_prefix=%m [%p] %u@%d ",
    "log_lock_waits=on",
    "log_checkpoints=off",
    "log_timezone=UTC",
];
