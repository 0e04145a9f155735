//! Against a live, migrated database.

mod live_shape;
