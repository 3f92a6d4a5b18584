//! The finder: which elder does somebody on the phone mean?

mod book;

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{PoisonError, RwLock},
};

use model::{DeviceId, ElderId};
use pinyin::ToPinyinMulti as _;
use registry::{Elder, Event};

use book::{Book, Where};

/// A name may be read in more than one way; of so many ways each is known.
const READINGS: usize = 6;
/// Words of a question that count.
const WORDS: usize = 6;

/// Finds elders by any part of their name, in characters, pinyin or initials, of their phone or their contacts', of their
/// resident id or number elsewhere, of their address, and of the devices they have. Readers wait for an import no longer than one record
/// of it takes.
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
    owners: std::collections::HashMap<DeviceId, ElderId>,
}

/// What is looked through, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    Names,
    Numbers,
    Addresses,
    Devices,
}

impl Finder {
    /// Writes `event` down.
    pub fn fold(&self, event: &Event) {
        match event {
            Event::ElderCreated(elder) => {
                let names = readings(&plain(&elder.name));
                let numbers = numbers(elder);
                let address = plain(&elder.address);
                let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
                books.names.write(&elder.id, names.iter().map(String::as_str));
                books.numbers.write(&elder.id, numbers.iter().map(String::as_str));
                books.addresses.write(&elder.id, [address.as_str()]);
            }
            Event::DeviceBound(binding) if binding.until.is_none() => {
                let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
                books.devices.write(&binding.device, [plain(binding.device.as_str()).as_str()]);
                books.owners.insert(binding.device.clone(), binding.elder);
            }
            Event::DeviceBound(_) => {}
            Event::DeviceUnbound { device, .. } => {
                let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
                books.devices.strike(device);
                books.owners.remove(device);
            }
            Event::DeviceCreated(_)
            | Event::OrgUnitCreated(_)
            | Event::ProviderCreated(_)
            | Event::ResponderCreated(_) => {}
        }
    }

    /// The first `limit` elders whom `question` may mean and whom `may` lets be seen: those whose name, number, address or
    /// device begins with it before those that have it in the middle. Words apart by spaces must all be somebody's. Nobody
    /// for a question without a letter or digit.
    #[must_use]
    pub fn find(&self, question: &str, limit: usize, may: impl Fn(ElderId) -> bool) -> Vec<ElderId> {
        let words = words(question);
        // The longest word leaves the fewest to look at more closely.
        let Some(first) = words.iter().max_by_key(|word| word.len()) else { return Vec::new() };
        let books = self.books.read().unwrap_or_else(PoisonError::into_inner);
        let (mut found, mut known) = (Vec::new(), BTreeSet::new());
        for place in [Where::Beginning, Where::Anywhere] {
            for shelf in shelves(first) {
                let full = books.look(*shelf, first, place, |elder| {
                    let is_meant = || words.iter().all(|word| word == first || books.has(elder, word));
                    if known.insert(elder) && is_meant() && may(elder) {
                        found.push(elder);
                    }
                    if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                if full.is_break() {
                    return found;
                }
            }
        }
        found
    }
}

impl Books {
    fn look(
        &self,
        shelf: Shelf,
        word: &str,
        place: Where,
        mut found: impl FnMut(ElderId) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match shelf {
            Shelf::Names => self.names.look(word, place, |elder| found(*elder)),
            Shelf::Numbers => self.numbers.look(word, place, |elder| found(*elder)),
            Shelf::Addresses => self.addresses.look(word, place, |elder| found(*elder)),
            Shelf::Devices => self.devices.look(word, place, |device| match self.owners.get(device) {
                Some(elder) => found(*elder),
                None => ControlFlow::Continue(()),
            }),
        }
    }

    fn has(&self, elder: ElderId, word: &str) -> bool {
        [&self.names, &self.numbers, &self.addresses].into_iter().any(|book| book.has(&elder, word))
    }
}

/// Where a word can be, the likeliest first. Letters are never in a Chinese address, nor characters in a number.
fn shelves(word: &str) -> &'static [Shelf] {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        &[Shelf::Numbers, Shelf::Devices, Shelf::Addresses]
    } else if word.is_ascii() {
        &[Shelf::Names, Shelf::Devices, Shelf::Numbers, Shelf::Addresses]
    } else {
        &[Shelf::Names, Shelf::Addresses, Shelf::Devices]
    }
}

/// The words of a question. A phone number said in groups is one word.
fn words(question: &str) -> Vec<String> {
    let question = plain(question);
    let is_digits = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let parts: Vec<&str> = question.split_whitespace().collect();
    let mut words: Vec<String> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let goes_on = index > 0 && is_digits(part) && is_digits(parts[index - 1]);
        let part = if is_digits(part) { digits(part) } else { (*part).to_owned() };
        match words.last_mut() {
            Some(last) if goes_on => last.push_str(&part),
            Some(_) | None => words.push(part),
        }
    }
    words.retain(|word| word.chars().any(char::is_alphanumeric));
    words.truncate(WORDS);
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

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn numbers(elder: &Elder) -> BTreeSet<String> {
    let phones = elder.contacts.iter().map(|contact| contact.phone.as_str());
    let mut numbers: BTreeSet<String> = phones.chain([elder.phone.as_str()]).map(digits).collect();
    numbers.extend(elder.external_id.as_deref().map(plain));
    numbers.extend(elder.resident_id.map(|id| plain(id.as_str())));
    numbers
}

/// A name, and how it is read: in full, and by initials; in each way when there are several.
fn readings(name: &str) -> BTreeSet<String> {
    let mut ways = vec![(String::new(), String::new())];
    for (character, multi) in name.chars().zip(name.to_pinyin_multi()) {
        let sounds: BTreeSet<String> = match multi {
            Some(multi) => multi.into_iter().map(|sound| plain(sound.plain())).collect(),
            None if character.is_whitespace() => continue,
            None => BTreeSet::from([character.to_string()]),
        };
        let longer = ways.iter().flat_map(|(full, initials)| {
            sounds.iter().map(move |sound| {
                let initial: String = sound.chars().take(1).collect();
                (format!("{full}{sound}"), format!("{initials}{initial}"))
            })
        });
        ways = longer.take(READINGS).collect();
    }
    let mut all: BTreeSet<String> = ways.into_iter().flat_map(|(full, initials)| [full, initials]).collect();
    all.insert(name.to_owned());
    all
}

#[cfg(test)]
mod tests;
