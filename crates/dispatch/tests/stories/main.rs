//! What dispatch promises, one story each, and what must hold in every story anybody could tell.

mod alerts_that_wait;
mod arrivals;
mod cancelling;
mod candidates;
mod deadlines;
mod drills;
mod field;
mod hotline;
mod merging;
mod opening_and_joining;
mod operators;
mod policies;
mod properties;
mod story;
mod together;
mod waves;
