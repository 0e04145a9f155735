//! Against a real PostgreSQL, under the roles that services have.

mod batches;
