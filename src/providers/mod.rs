//! Providers: the tower Service at the end of a lane.
