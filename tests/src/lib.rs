//! What the end-to-end tests share: real servers, real brokers, real disks, real clients.

pub mod anhu;
pub mod caller;
pub mod clock;
pub mod counties;
pub mod disk;
pub mod mosquitto;
pub mod mqtt;
pub mod power;
pub mod presses;
pub mod proxy;
pub mod receiver;
pub mod siege;
pub mod wait;
pub mod world;
