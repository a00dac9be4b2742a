//! The assembly: the whole stack on one screen.
