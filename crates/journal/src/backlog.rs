//! Backlog: what could not be written, kept in memory and in order until the disk takes it.

/// Groups are put together until they have so many bytes.
const TOGETHER: usize = 1 << 20;

/// Records that were appended together. The payloads stand in `bytes`, each behind room for its header and padded.
pub(crate) struct Group {
    pub(crate) bytes: Vec<u8>,
    /// The lengths of the payloads.
    pub(crate) lengths: Vec<usize>,
}

/// Groups in the order in which they were appended.
#[derive(Default)]
pub(crate) struct Backlog {
    groups: Vec<Group>,
    bytes: usize,
}

impl Backlog {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a group, to the last one while that is short: each is written and flushed for itself when the disk takes it,
    /// and nothing else is released meanwhile.
    pub(crate) fn push(&mut self, group: Group) {
        if group.lengths.is_empty() {
            return;
        }
        self.bytes += group.bytes.len();
        match self.groups.last_mut() {
            Some(last) if last.bytes.len() + group.bytes.len() <= TOGETHER => {
                last.bytes.extend(group.bytes);
                last.lengths.extend(group.lengths);
            }
            Some(_) | None => self.groups.push(group),
        }
    }

    /// Adds what came after.
    pub(crate) fn append(&mut self, later: Backlog) {
        later.groups.into_iter().for_each(|group| self.push(group));
    }

    pub(crate) fn groups_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.groups.iter_mut()
    }

    pub(crate) fn into_groups(self) -> impl Iterator<Item = Group> {
        self.groups.into_iter()
    }
}
