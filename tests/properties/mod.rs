//! Replay, as a property: any prefix of any journal is taken up, and ends where the whole one ended.

mod replay;
