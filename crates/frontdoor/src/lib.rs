//! How does a device hand us a message that we may not lose?
//!
//! It connects here by MQTT, 3.1.1 or 5, and publishes. What is promised, in plain words:
//!
//! 1. A device is told "we have it" only after the server said the message is on stable storage ([`Ack::durable`]).
//! 2. Answers leave in the order the messages came. Out of order, some devices stop sending for good.
//! 3. A message whose [`Ack`] is dropped or comes too late is never acknowledged: the connection is closed, because a
//!    3.1.1 device sends again only after it has connected again.
//! 4. When the server has no room, the socket is simply not read: nothing is thrown away, nothing piles up here.
//! 5. Every buffer, queue and wait has a limit in [`Limits`]; one slow, silent or hostile device cannot hold up others.
//! 6. One device, one connection: the newer one wins, and the older one's last will is handed over first.
//!
//! It is not a broker. Devices cannot reach each other; only the server publishes, with [`FrontDoor::publish`]. No
//! session outlives its connection: CONNACK always says "session present: 0", and a receipt for a device that is away
//! is not kept here: whoever keeps it asks what became of it ([`FrontDoor::publish_tracked`]) and is told when somebody
//! listens ([`Intake::subscribed`]). A retained message is not kept either; it is handed over with its flag. After [`FrontDoor::run`] was
//! told to stop, no last wills are handed over: it is the server that goes, not the devices.
//!
//! Nothing is logged here; [`Counters`] are for the server's metrics.

mod acks;
mod clients;
mod codec;
mod connection;
mod counters;
mod door;
mod end;
mod intake;
mod limits;
mod listener;
mod login;
mod packet;
mod receipts;
mod subscriptions;
pub mod testing;
mod timer;
mod wire;

pub use acks::Ack;
pub use counters::Counters;
pub use intake::{Inbound, Intake, Login, Qos, Refusal};
pub use limits::Limits;
pub use listener::FrontDoor;
