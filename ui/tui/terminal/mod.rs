//! The user's terminal: raw mode, the alternate screen and all else that has to be given back.
