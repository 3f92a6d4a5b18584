//! Many: a range of worlds on several threads, until the first that fails.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::story::Story;

/// Plays one world; the outcome is a line for whoever asked for this seed alone.
pub type Play<'a> = &'a (dyn Fn(u64, &mut Story) -> Result<String, String> + Sync);

/// A world in which a rule was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which world.
    pub seed: u64,
    /// In which step; so many steps of the same seed fail, and fewer do not.
    pub step: u64,
    /// Which rule, or which panic.
    pub broken: String,
    /// The story up to there, when it was told.
    pub story: Vec<String>,
}

/// Plays one world. A panic of the core is a broken rule like any other.
///
/// # Errors
/// The failure, with the story when `told`.
pub fn one(seed: u64, told: bool, play: Play<'_>) -> Result<(String, Story), Box<Failure>> {
    let mut story = if told { Story::told() } else { Story::default() };
    let played = panic::catch_unwind(AssertUnwindSafe(|| play(seed, &mut story)));
    let broken = match played {
        Ok(Ok(outcome)) => return Ok((outcome, story)),
        Ok(Err(broken)) => broken,
        Err(cause) => {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| cause.downcast_ref::<&str>().copied());
            format!("the core panics: {}", text.unwrap_or("without a word"))
        }
    };
    Err(Box::new(Failure { seed, step: story.step, broken, story: story.lines }))
}

/// Plays the worlds `from..from + seeds` on `jobs` threads and tells `progress` how many are done now and then.
///
/// # Errors
/// The failure with the smallest seed of those found before everybody stopped.
pub fn all(
    from: u64,
    seeds: u64,
    jobs: usize,
    play: Play<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Box<Failure>> {
    /// Worlds taken at a time.
    const AT_A_TIME: u64 = 16;
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let first: Mutex<Option<Box<Failure>>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let begin = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
                    if begin >= seeds {
                        return;
                    }
                    for seed in begin..seeds.min(begin + AT_A_TIME) {
                        if let Err(failure) = one(from + seed, false, play) {
                            // Nobody begins anything new; what was begun before, with smaller seeds, is finished.
                            next.store(u64::MAX / 2, Ordering::Relaxed);
                            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                            if first.as_ref().is_none_or(|known| failure.seed < known.seed) {
                                *first = Some(failure);
                            }
                            return;
                        }
                        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                }
            });
        }
    });
    first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
