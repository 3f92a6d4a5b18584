//! What the benches of the whole server share: a county to serve, a load that leaves on time, and what it costs.

pub mod county;
pub mod load;
pub mod usage;
