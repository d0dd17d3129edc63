//! What an instance and its database lack for the work of relevo, from facts already read. Pure.
