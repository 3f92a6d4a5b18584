//! What the end-to-end tests share: real servers, real brokers, real clients.

pub mod anhu;
pub mod mosquitto;
pub mod receiver;
pub mod wait;
pub mod world;
