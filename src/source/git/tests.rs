//! Repositories made here, served by a server of our own on the loopback, fetched and read.

mod hostile;
mod local;
mod remote;
mod scene;
mod server;
