//! Bytes to words and back, one module per dialect. Pure.
