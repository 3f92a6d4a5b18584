//! What dispatch promises, one story each, and what must hold in every story anybody could tell.

mod alerts_that_wait;
mod deadlines;
mod drills;
mod field;
mod opening_and_joining;
mod operators;
mod properties;
mod story;
mod waves;
