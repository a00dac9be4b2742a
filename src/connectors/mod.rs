//! Connectors: payment rails behind one handle.
