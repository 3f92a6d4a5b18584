//! Large: how is a value of many megabytes kept in an engine made for small ones?

use crate::StoreError;
use crate::engine::Engine;
use crate::layout::{self, Body, CHUNK_BYTES, Large};

/// How many chunks are written or removed at once.
const CHUNKS_A_BATCH: u32 = 256;

/// Writes a value as chunks of a new generation; nothing refers to them yet.
pub(crate) fn write(engine: &Engine, generation: u64, bytes: &[u8]) -> Result<Large, StoreError> {
    let mut batch = sled::Batch::default();
    for (index, chunk) in (0_u32..).zip(bytes.chunks(CHUNK_BYTES)) {
        let key = layout::chunk_key(generation, index);
        let value = layout::seal(&key, chunk);
        batch.insert(key, value);
        if index % CHUNKS_A_BATCH == CHUNKS_A_BATCH - 1 {
            engine.apply(std::mem::take(&mut batch))?;
        }
    }
    engine.apply(batch)?;
    Ok(Large { generation, length: bytes.len() as u64, hash: *blake3::hash(bytes).as_bytes() })
}

/// Removes the chunks of a generation that nothing refers to any more.
pub(crate) fn remove(engine: &Engine, generation: u64, chunks: u32) -> Result<(), StoreError> {
    let mut batch = sled::Batch::default();
    for index in 0..chunks {
        batch.remove(layout::chunk_key(generation, index));
        if index % CHUNKS_A_BATCH == CHUNKS_A_BATCH - 1 {
            engine.apply(std::mem::take(&mut batch))?;
        }
    }
    engine.apply(batch)
}

/// Reads the record or snapshot at `key`: its mark and its bytes.
pub(crate) fn read(engine: &Engine, key: &[u8]) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let mut seen = None;
    loop {
        let Some(sealed) = engine.get(key)? else { return Ok(None) };
        let Some((applied, body)) = layout::read_body(key, &sealed) else {
            return Err(engine.damaged(format!("the entry {} has a wrong checksum", key.escape_ascii())));
        };
        let large = match body {
            Body::Inline(bytes) => return Ok(Some((applied, bytes))),
            Body::Chunked(large) => large,
        };
        if let Some(bytes) = read_chunks(engine, &large)? {
            return Ok(Some((applied, bytes)));
        }
        // The writer may have replaced the value and removed these chunks meanwhile: then there is another now.
        if seen == Some(large.generation) {
            return Err(engine.damaged(format!("a part of the entry {} is lost", key.escape_ascii())));
        }
        seen = Some(large.generation);
    }
}

/// Returns the bytes, or `None` when a part is missing or wrong.
fn read_chunks(engine: &Engine, large: &Large) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = Vec::new();
    for index in 0..large.chunks() {
        let key = layout::chunk_key(large.generation, index);
        let Some(sealed) = engine.get(&key)? else { return Ok(None) };
        let Some(chunk) = layout::open(&key, &sealed) else { return Ok(None) };
        bytes.extend_from_slice(chunk);
    }
    Ok((*blake3::hash(&bytes).as_bytes() == large.hash).then_some(bytes))
}
