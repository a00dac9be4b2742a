//! The one HTTP client: sockets, TLS and their deadlines, for providers and payment rails alike.
