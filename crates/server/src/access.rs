//! Access: who may come in?
//!
//! For now one token opens every door of a node; people, roles and credentials of each device come with sign-in. In
//! development mode nobody needs it, and the node listens on this machine only.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// The file in the data folder that holds the token.
pub(crate) const TOKEN_FILE: &str = "access-token";

/// What somebody must show.
#[derive(Clone)]
pub(crate) enum Access {
    /// Nothing: everybody on this machine may do everything.
    Open,
    /// The token of which this is the hash. Comparing hashes takes the same time whatever is shown.
    Token(blake3::Hash),
}

impl Access {
    /// Whether `shown` opens the door.
    pub(crate) fn allows(&self, shown: Option<&[u8]>) -> bool {
        match self {
            Self::Open => true,
            Self::Token(hash) => shown.is_some_and(|token| blake3::hash(token) == *hash),
        }
    }

    /// What the node itself shows at its own doors.
    pub(crate) fn token(&self, data_dir: &Path) -> io::Result<Option<String>> {
        match self {
            Self::Open => Ok(None),
            Self::Token(_) => token(data_dir).map(Some),
        }
    }

    /// Whether an `authorization` header opens the door.
    pub(crate) fn allows_header(&self, header: Option<&http::HeaderValue>) -> bool {
        let token = header.and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        self.allows(token.map(str::as_bytes))
    }
}

/// Returns the token in `data_dir`; makes one that nobody can guess if there is none, readable by its owner only.
pub(crate) fn token(data_dir: &Path) -> io::Result<String> {
    let path = data_dir.join(TOKEN_FILE);
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let token = blake3::Hash::from_bytes(random).to_hex().to_string();
    fs::create_dir_all(data_dir)?;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens_the_door() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = token(folder.path()).expect("a token");
        assert_eq!(token(folder.path()).expect("the same"), made);
        let access = Access::Token(blake3::hash(made.as_bytes()));
        let header = |text: String| http::HeaderValue::from_str(&text).expect("a header");
        assert!(access.allows_header(Some(&header(format!("Bearer {made}")))));
        assert!(!access.allows_header(Some(&header(made.clone()))));
        assert!(!access.allows_header(None));
        assert!(!access.allows(Some(b"")));
        assert!(Access::Open.allows(None));
    }
}
