//! A step of the stack: write one async fn, get one tower layer.
