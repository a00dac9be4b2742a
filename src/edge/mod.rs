//! The doors: HTTP on our side.
