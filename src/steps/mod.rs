//! Steps: one file, one step, one async fn.
