//! The finder: which elder does somebody on the phone mean?

mod book;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::ControlFlow,
    sync::{PoisonError, RwLock},
};

use model::{DeviceId, ElderId};
use pinyin::ToPinyinMulti as _;
use registry::{Elder, Event, ResidentId};

use book::{Begins, Book};

/// A name may be read in more than one way; of so many ways each is known, the usual one first.
const READINGS: usize = 6;
/// Words of a question that count.
const WORDS: usize = 6;
/// The longest question, in characters; what is beyond is not looked at.
pub const MAX_QUESTION_CHARS: usize = 100;
/// The most that one question finds: nobody reads further.
pub const MAX_FOUND: usize = 1000;
/// Elders looked at more closely before a question is given up as too vague.
const CANDIDATES: usize = 20_000;

/// Finds elders by any part of their name, in characters, pinyin or initials, of their phone or their contacts', of their
/// resident id or number elsewhere, of their address, and of the devices they have. Readers wait for an import no longer
/// than one record of it takes.
#[derive(Debug, Default)]
pub struct Finder {
    books: RwLock<Books>,
}

#[derive(Debug, Default)]
struct Books {
    names: Book<ElderId>,
    /// Phones, resident ids, and numbers elsewhere.
    numbers: Book<ElderId>,
    addresses: Book<ElderId>,
    devices: Book<DeviceId>,
    owners: HashMap<DeviceId, ElderId>,
    /// The other way round.
    owned: HashMap<ElderId, Vec<DeviceId>>,
}

/// What is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    Names,
    Numbers,
    Addresses,
    Devices,
}

/// A word that so many have is not counted further.
const RARE: usize = 200;

/// Where a word can be, the likeliest first. Names have no digits; for the rest there are numbers with characters and
/// addresses of letters.
fn shelves(word: &str) -> &'static [Shelf] {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        &[Shelf::Numbers, Shelf::Devices, Shelf::Addresses]
    } else if word.is_ascii() {
        &[Shelf::Names, Shelf::Devices, Shelf::Numbers, Shelf::Addresses]
    } else {
        &[Shelf::Names, Shelf::Addresses, Shelf::Numbers, Shelf::Devices]
    }
}

impl Finder {
    /// Writes `event` down.
    pub fn fold(&self, event: &Event) {
        match event {
            Event::ElderCreated(elder) => {
                let names = readings(&plain(&elder.name));
                let numbers = numbers(elder);
                let address = key_of(&elder.address);
                let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
                books.names.write(&elder.id, names.iter().map(String::as_str));
                books.numbers.write(&elder.id, numbers.iter().map(String::as_str));
                books.addresses.write(&elder.id, [address.as_str()]);
            }
            Event::DeviceBound(binding) if binding.until.is_none() => {
                let name = key_of(binding.device.as_str());
                let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
                books.take_back(&binding.device);
                books.devices.write(&binding.device, [name.as_str()]);
                books.owners.insert(binding.device.clone(), binding.elder);
                books.owned.entry(binding.elder).or_default().push(binding.device.clone());
            }
            Event::DeviceBound(_) => {}
            Event::DeviceUnbound { device, .. } => {
                let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
                books.take_back(device);
            }
            Event::DeviceCreated(_)
            | Event::OrgUnitCreated(_)
            | Event::ProviderCreated(_)
            | Event::ResponderCreated(_) => {}
        }
    }

    /// The first `limit` elders whom `question` may mean and whom `may` lets be seen: those whose name, number, address or
    /// device begins with it before those that have it in the middle. Words apart by spaces must all be somebody's. Nobody
    /// for a question without a letter or digit; of a question so vague that it fits 20,000 elders half-way, those found by
    /// then. With a larger limit more follow, and those before stay as they are; at most [`MAX_FOUND`].
    #[must_use]
    pub fn find(&self, question: &str, limit: usize, may: impl Fn(ElderId) -> bool) -> Vec<ElderId> {
        let words = words(question);
        let books = self.books.read().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = books.rarest(&words) else { return Vec::new() };
        let (mut begin, mut inside, mut known) = (Vec::new(), Vec::new(), HashSet::new());
        for shelf in shelves(first) {
            let full = books.look(*shelf, first, |elder, begins| {
                let is_meant = || words.iter().all(|word| word == first || books.has(elder, word));
                if known.insert(elder) && is_meant() && may(elder) {
                    if begins {
                        begin.push(elder);
                    } else {
                        inside.push(elder);
                    }
                }
                // Only those who begin with it may end the search early: others would come elsewhere on a longer page.
                let is_enough = begin.len() >= limit
                    || begin.len() + inside.len() >= MAX_FOUND
                    || known.len() >= CANDIDATES;
                if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if full.is_break() {
                break;
            }
        }
        begin.append(&mut inside);
        begin.truncate(limit);
        begin
    }
}

impl Books {
    fn take_back(&mut self, device: &DeviceId) {
        self.devices.strike(device);
        let Some(owner) = self.owners.remove(device) else { return };
        if let Some(devices) = self.owned.get_mut(&owner) {
            devices.retain(|other| other != device);
        }
    }

    /// Of several words the one that the fewest have: one that nobody has ends the search at once. Words that very many
    /// have are not counted to the end.
    fn rarest<'w>(&self, words: &'w [String]) -> Option<&'w String> {
        if words.len() < 2 {
            return words.first();
        }
        words.iter().min_by_key(|word| {
            let mut hits = 0;
            for shelf in shelves(word) {
                let _ = self.look(*shelf, word, |_, _| {
                    hits += 1;
                    if hits < RARE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
            }
            hits
        })
    }

    fn look(
        &self,
        shelf: Shelf,
        word: &str,
        mut found: impl FnMut(ElderId, Begins) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match shelf {
            Shelf::Names => self.names.look(word, |elder, begins| found(*elder, begins)),
            Shelf::Numbers => self.numbers.look(word, |elder, begins| found(*elder, begins)),
            Shelf::Addresses => self.addresses.look(word, |elder, begins| found(*elder, begins)),
            Shelf::Devices => self.devices.look(word, |device, begins| match self.owners.get(device) {
                Some(elder) => found(*elder, begins),
                None => ControlFlow::Continue(()),
            }),
        }
    }

    fn has(&self, elder: ElderId, word: &str) -> bool {
        let books = [&self.names, &self.numbers, &self.addresses];
        let devices = self.owned.get(&elder).into_iter().flatten();
        books.into_iter().any(|book| book.has(&elder, word))
            || devices.into_iter().any(|device| self.devices.has(device, word))
    }
}

/// The words of a question, as keys are written. A phone number said in groups is one word, and the number of an old
/// identity card becomes that of a new one.
fn words(question: &str) -> Vec<String> {
    let question: String = question.chars().take(MAX_QUESTION_CHARS).collect();
    let is_number = |word: &str| word.chars().all(|character| character.is_ascii_digit());
    let mut words: Vec<String> = Vec::new();
    let mut in_number = false;
    for part in plain(&question).split_whitespace() {
        // Hyphens, brackets and a plus are how a number is written, not what it is.
        let word = bare(part);
        let goes_on = in_number && is_number(&word);
        in_number = is_number(&word);
        match words.last_mut() {
            Some(last) if goes_on => last.push_str(&word),
            Some(_) | None => words.push(word),
        }
    }
    words.retain(|word| !word.is_empty());
    words.truncate(WORDS);
    for word in words.iter_mut().filter(|word| word.len() == 15) {
        if let Ok(id) = ResidentId::new(word) {
            *word = plain(id.as_str());
        }
    }
    words
}

/// Text as it is compared: small letters, narrow digits, no control characters, and ü as it is typed.
fn plain(text: &str) -> String {
    let narrow = |character: char| match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(character as u32 - 0xfee0).unwrap_or(character),
        '\u{3000}' => ' ',
        'ü' | 'Ü' => 'v',
        _ => character,
    };
    text.trim()
        .chars()
        .filter(|character| !character.is_control())
        .map(narrow)
        .collect::<String>()
        .to_lowercase()
}

/// The letters and digits of a text alone.
fn bare(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).collect()
}

/// The key of a text: questions come without signs and blanks, so it stands without them.
fn key_of(text: &str) -> String {
    bare(&plain(text))
}

fn numbers(elder: &Elder) -> BTreeSet<String> {
    let phones = elder.contacts.iter().map(|contact| contact.phone.as_str());
    let ids = elder.resident_id.iter().map(ResidentId::as_str);
    let all = phones.chain([elder.phone.as_str()]).chain(elder.external_id.as_deref()).chain(ids);
    all.map(key_of).collect()
}

/// A name, and how it is read: in full, and by initials; in each way when there are several.
fn readings(name: &str) -> BTreeSet<String> {
    let name = bare(name);
    let mut ways = vec![(String::new(), String::new())];
    for (character, multi) in name.chars().zip(name.as_str().to_pinyin_multi()) {
        let mut sounds: Vec<String> = Vec::new();
        for sound in multi.into_iter().flatten().map(|sound| plain(sound.plain())) {
            if !sounds.contains(&sound) {
                sounds.push(sound);
            }
        }
        if sounds.is_empty() {
            sounds.push(character.to_string());
        }
        // The usual sound of each character comes first, so the usual reading is never cut off.
        let longer = sounds.iter().flat_map(|sound| {
            let initial: String = sound.chars().take(1).collect();
            ways.iter()
                .map(move |(full, initials)| (format!("{full}{sound}"), format!("{initials}{initial}")))
        });
        ways = longer.take(READINGS).collect();
    }
    let mut all: BTreeSet<String> = ways.into_iter().flat_map(|(full, initials)| [full, initials]).collect();
    all.insert(name);
    all
}

#[cfg(test)]
mod tests;
