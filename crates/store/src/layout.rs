//! Layout: how do marks, records and snapshots become the keys and values of one sled tree?
//!
//! | key | value |
//! |---|---|
//! | `a` stream | mark: sequence |
//! | `c` generation, index | one chunk of a large value |
//! | `d` | the sum over all other entries except chunks |
//! | `r` length of table, table, key | record |
//! | `s` stream | snapshot |
//!
//! Every value starts with the crc32c of its key and of the rest; so a value at the wrong key is seen too. Numbers in
//! keys are big-endian, to sort; those in values little-endian.

/// The longest value kept in one piece, and the length of a chunk, in bytes. sled rewrites leaves of 16 entries as a
/// whole, and puts those of more than 100 KB or so into files of their own: small is fast.
pub(crate) const CHUNK_BYTES: usize = 4 << 10;
pub(crate) const DIGEST_KEY: &[u8] = b"d";
/// All marks stand from here, and before the end.
pub(crate) const MARKS_START: &[u8] = b"a";
pub(crate) const MARKS_END: &[u8] = b"b";
const CHECKSUM_BYTES: usize = 4;
const LARGE_BYTES: usize = 48;

/// What a record or snapshot holds, or where that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Inline(Vec<u8>),
    Chunked(Large),
}

/// A value in chunks: those of one generation, in order, make up `length` bytes with this hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Large {
    pub(crate) generation: u64,
    pub(crate) length: u64,
    pub(crate) hash: [u8; 32],
}

impl Large {
    pub(crate) fn chunks(&self) -> u32 {
        self.length.div_ceil(CHUNK_BYTES as u64) as u32
    }
}

/// The sum over all entries that are not chunks: an entry that vanished, or an old one that came back, changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(u128);

impl Digest {
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.0 = self.0.wrapping_add(term(key, value));
    }

    pub(crate) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.0 = self.0.wrapping_sub(term(key, value));
    }

    pub(crate) fn value(&self) -> Vec<u8> {
        seal(DIGEST_KEY, &self.0.to_le_bytes())
    }

    pub(crate) fn read(value: &[u8]) -> Option<Digest> {
        open(DIGEST_KEY, value)?.try_into().ok().map(u128::from_le_bytes).map(Digest)
    }
}

fn term(key: &[u8], value: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes()).update(key).update(value);
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(first)
}

pub(crate) fn mark_key(stream: &str) -> Vec<u8> {
    [b"a", stream.as_bytes()].concat()
}

pub(crate) fn snapshot_key(stream: &str) -> Vec<u8> {
    [b"s", stream.as_bytes()].concat()
}

/// The start of all keys of a table; its name has at most 255 bytes.
pub(crate) fn table_prefix(table: &str) -> Vec<u8> {
    [b"r", &[table.len() as u8][..], table.as_bytes()].concat()
}

pub(crate) fn chunk_key(generation: u64, index: u32) -> Vec<u8> {
    [b"c", &generation.to_be_bytes()[..], &index.to_be_bytes()].concat()
}

/// Returns the generation and index of a chunk's key.
pub(crate) fn chunk_place(key: &[u8]) -> Option<(u64, u32)> {
    let (generation, index) = key.strip_prefix(b"c")?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*generation), u32::from_be_bytes(index.try_into().ok()?)))
}

/// Puts the checksum before a value.
pub(crate) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(key), value);
    [&crc.to_le_bytes(), value].concat()
}

/// Returns the value behind its checksum, or `None` when they disagree.
pub(crate) fn open<'v>(key: &[u8], sealed: &'v [u8]) -> Option<&'v [u8]> {
    let (crc, value) = sealed.split_first_chunk::<CHECKSUM_BYTES>()?;
    let expected = crc32c::crc32c_append(crc32c::crc32c(key), value);
    (u32::from_le_bytes(*crc) == expected).then_some(value)
}

pub(crate) fn mark_value(key: &[u8], applied: u64) -> Vec<u8> {
    seal(key, &applied.to_le_bytes())
}

pub(crate) fn read_mark(key: &[u8], sealed: &[u8]) -> Option<u64> {
    open(key, sealed)?.try_into().ok().map(u64::from_le_bytes)
}

/// The value of a record or snapshot; `applied` is 0 for a record.
pub(crate) fn body_value(key: &[u8], applied: u64, body: &Body) -> Vec<u8> {
    let applied = applied.to_le_bytes();
    match body {
        Body::Inline(bytes) => seal(key, &[&applied, &[0][..], bytes].concat()),
        Body::Chunked(large) => {
            let (generation, length) = (large.generation.to_le_bytes(), large.length.to_le_bytes());
            seal(key, &[&applied, &[1][..], &generation, &length, &large.hash].concat())
        }
    }
}

/// Reads the value of a record or snapshot, or `None` when it is not what was written.
pub(crate) fn read_body(key: &[u8], sealed: &[u8]) -> Option<(u64, Body)> {
    let (applied, rest) = open(key, sealed)?.split_first_chunk::<8>()?;
    let (kind, bytes) = rest.split_first()?;
    let body = match kind {
        0 => Body::Inline(bytes.to_vec()),
        1 => Body::Chunked(read_large(bytes)?),
        _ => return None,
    };
    Some((u64::from_le_bytes(*applied), body))
}

fn read_large(bytes: &[u8]) -> Option<Large> {
    let bytes: &[u8; LARGE_BYTES] = bytes.try_into().ok()?;
    let (generation, rest) = bytes.split_first_chunk::<8>()?;
    let (length, hash) = rest.split_first_chunk::<8>()?;
    Some(Large {
        generation: u64::from_le_bytes(*generation),
        length: u64::from_le_bytes(*length),
        hash: hash.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back_at_its_own_key_only() {
        let large = Large { generation: 3, length: 40_000, hash: [7; 32] };
        for body in [Body::Inline(b"Li".to_vec()), Body::Inline(Vec::new()), Body::Chunked(large)] {
            let value = body_value(b"key", 9, &body);
            assert_eq!(read_body(b"key", &value), Some((9, body)));
            assert_eq!(read_body(b"kez", &value), None);
        }
        assert_eq!(large.chunks(), 10);
        assert_eq!(chunk_place(&chunk_key(5, 6)), Some((5, 6)));
    }

    #[test]
    fn the_sum_forgets_what_was_removed_and_misses_what_was_not() {
        let mut digest = Digest::default();
        digest.add(b"a", b"1");
        let one = digest;
        digest.add(b"b", b"2");
        assert_ne!(digest, one);
        digest.remove(b"b", b"2");
        assert_eq!(digest, one);
        assert_eq!(Digest::read(&one.value()), Some(one));
    }
}
