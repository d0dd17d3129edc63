//! What holds for everything that may come: any prefix of any journal, any path that a script asks for.

mod confined;
mod replay;
