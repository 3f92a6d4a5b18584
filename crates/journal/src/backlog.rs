//! Backlog: what could not be written, kept in memory and in order until the disk takes it.

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

    pub(crate) fn push(&mut self, group: Group) {
        if !group.lengths.is_empty() {
            self.bytes += group.bytes.len();
            self.groups.push(group);
        }
    }

    /// Adds what came after.
    pub(crate) fn append(&mut self, later: Backlog) {
        self.bytes += later.bytes;
        self.groups.extend(later.groups);
    }

    pub(crate) fn groups_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.groups.iter_mut()
    }

    pub(crate) fn into_groups(self) -> impl Iterator<Item = Group> {
        self.groups.into_iter()
    }
}
