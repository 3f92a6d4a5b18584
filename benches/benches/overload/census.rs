//! Census: the import of very many elders.

use std::{fs, ops::Range, path::Path, process::Command};

use benches::county;

/// Elders in one file.
const A_FILE: u64 = 50_000;

/// Imports so many elders, however long it takes, and returns how many.
pub(crate) async fn census(folder: &Path, http: &str, elders: u64) -> u64 {
    let (folder, http) = (folder.to_owned(), http.to_owned());
    let entered = tokio::task::spawn_blocking(move || {
        (0..elders)
            .step_by(A_FILE as usize)
            .map(|first| enter(&folder, &http, first..elders.min(first + A_FILE)))
            .sum()
    });
    entered.await.expect("a census")
}

fn enter(folder: &Path, http: &str, elders: Range<u64>) -> u64 {
    let mut text = "external_id,name,org_unit,phone,address,latitude,longitude\n".to_owned();
    for number in elders.clone() {
        let (north, east) = (33.0 + (number % 1000) as f64 * 0.0005, 118.0 + (number / 1000) as f64 * 0.0005);
        text += &format!(
            "C-{number},陈桂英{number},999901,1380000{number:07},永福东路 {number} 号,{north:.5},{east:.5}\n"
        );
    }
    let path = folder.join("census.csv");
    fs::write(&path, text).expect("a file");
    let done =
        Command::new(county::binary()).args(["import", "elders"]).arg(path).args(["--server", http]).output();
    let done = done.expect("anhu runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    elders.end - elders.start
}
