//! What routes.toml says: as written, then checked, then valid by construction.
