//! Token: how does whoever can read the server's own files come in?
//!
//! A file in the data folder, readable by its owner only, holds a token that may do everything: for the commands on the
//! server's machine, for the watchdog, and for letting in the first user, or one who has forgotten everything.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// The file in the data folder that holds the token.
pub(crate) const TOKEN_FILE: &str = "access-token";

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
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = token(folder.path()).expect("a token");
        assert_eq!(made.len(), 64);
        assert_eq!(token(folder.path()).expect("the same"), made);
        let mode = fs::metadata(folder.path().join(TOKEN_FILE)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
