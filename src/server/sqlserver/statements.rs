//! Every statement that may be sent to a server. What cannot be expressed here cannot be sent.
