//! Limits: how much may a record hold?

/// Longest name of a person, a place or a model, in characters; the longest full names in use have about 50.
pub const MAX_NAME_CHARS: usize = 64;

/// Longest address, in characters: one line on a caregiver's phone, with the way to the door.
pub const MAX_ADDRESS_CHARS: usize = 200;

/// Longest medical or entry note, in characters: what somebody reads on the way.
pub const MAX_NOTES_CHARS: usize = 2_000;

/// Longest number from elsewhere, in bytes of UTF-8: a UUID or a resident number with a prefix fits.
pub const MAX_EXTERNAL_ID_BYTES: usize = 64;

/// Most contacts of one elder: more than anybody calls one after the other.
pub const MAX_CONTACTS: usize = 10;

/// Most category records of one elder, past ones included: each of the ten, four times.
pub const MAX_CATEGORIES: usize = 40;

/// Most records of one kind. The largest prefectures have some two million elders; beyond this, memory is the limit.
pub const MAX_RECORDS: usize = 10_000_000;
