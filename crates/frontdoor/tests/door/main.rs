//! Does the front door keep its promises to real clients over real sockets?

mod answers;
mod clients;
mod cuts;
mod limits;
mod mosquitto;
mod support;
mod v311;
mod v5;
