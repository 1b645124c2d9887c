//! `spawnlab-site REPOSITORY FOLDER` makes the site of REPOSITORY's pages in FOLDER; `ci/docs` calls it.

use std::process::ExitCode;

use spawnlab_site::site;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [repository, folder] = words.as_slice() else {
        eprintln!("usage: spawnlab-site REPOSITORY FOLDER");
        return ExitCode::from(2);
    };
    match site::make(repository.as_ref(), folder.as_ref()) {
        Ok(pages) => {
            println!("{pages} pages: {folder}/{}", site::INDEX);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("spawnlab-site: {error}");
            ExitCode::FAILURE
        }
    }
}
