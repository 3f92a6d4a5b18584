//! Passwords: which are good enough, how are they kept, and how is one made up?

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};

/// Shortest and longest password, in characters.
const SHORTEST: usize = 10;
const LONGEST: usize = 128;
/// Of 0 to 4, how hard a password must be to guess: more than a hundred million tries.
const HARD: zxcvbn::Score = zxcvbn::Score::Three;
/// What a one-time password is made of: nothing that is taken for something else when it is read out.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Its length, in groups of four: 80 bits.
const GROUPS: usize = 4;

/// Why a password is not good enough. Never shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It has too few or too many characters.
    #[error("the new password has {0} characters: {SHORTEST} to {LONGEST} are right")]
    Length(usize),
    /// It is the old one, or the login.
    #[error("the new password is the old one, or your name: choose another")]
    Known,
    /// It would be among the first that somebody tries.
    #[error(
        "the new password is easily guessed: take four words that have nothing to do with each other, or with you"
    )]
    Guessable,
}

/// As much of a password as is looked at: one more than is right, however much somebody sends.
pub(crate) fn bounded(password: &str) -> &str {
    let end = password.char_indices().nth(LONGEST + 1).map_or(password.len(), |(end, _)| end);
    &password[..end]
}

/// Whether a password is good enough for somebody of whom others know this, such as the one before.
pub(crate) fn check(password: &str, known: &[String]) -> Result<(), Unfit> {
    if known.iter().any(|known| known == password) {
        return Err(Unfit::Known);
    }
    let chars = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&chars) {
        return Err(Unfit::Length(chars));
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    if zxcvbn::zxcvbn(password, &known).score() < HARD { Err(Unfit::Guessable) } else { Ok(()) }
}

/// The argon2id hash of a password; `None` when the system has no random numbers.
pub(crate) fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Whether a password goes with a hash. Without a hash it takes as long, so that nobody learns by the time who is known.
pub(crate) fn fits(hash: Option<&str>, password: &str) -> bool {
    let Some(hash) = hash else {
        let _ = self::hash(password);
        return false;
    };
    Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
}

/// A password that nobody can guess and that can be read out.
pub(crate) fn one_time() -> Result<String, getrandom::Error> {
    let mut random = [0; 4 * GROUPS];
    getrandom::fill(&mut random)?;
    let readable = |byte: &u8| char::from(READABLE[usize::from(byte % 32)]);
    let groups = random.chunks(4).map(|group| group.iter().map(readable).collect::<String>());
    Ok(groups.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_with_its_hash_and_no_other() {
        let kept = hash("correct horse battery").expect("a hash");
        assert!(kept.starts_with("$argon2id$"), "{kept}");
        assert!(fits(Some(&kept), "correct horse battery"));
        assert!(!fits(Some(&kept), "correct horse batterz"));
        assert!(!fits(None, "correct horse battery"));
        assert!(!fits(Some("no hash"), "correct horse battery"));
        assert_ne!(hash("same"), hash("same"), "each has a salt of its own");
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        assert_eq!(check("short", &[]), Err(Unfit::Length(5)));
        for weak in ["1234567890", "password123", "qwertyuiop1", "aaaaaaaaaaaa"] {
            assert_eq!(check(weak, &["wangxiaohuang".to_owned()]), Err(Unfit::Guessable), "{weak}");
        }
        let good = "梧桐 四十七 lantern-okra";
        assert_eq!(check(good, &["wang".to_owned()]), Ok(()));
        assert_eq!(check(good, &[good.to_owned()]), Err(Unfit::Known));
        let long = "长".repeat(1_000_000);
        assert_eq!(check(bounded(&long), &[]), Err(Unfit::Length(LONGEST + 1)));
    }

    #[test]
    fn a_one_time_password_is_another_each_time_and_good_enough() {
        let made = one_time().expect("random numbers");
        assert_eq!(made.len(), 19);
        assert_ne!(made, one_time().expect("random numbers"));
        assert_eq!(check(&made, &[]), Ok(()));
    }
}
