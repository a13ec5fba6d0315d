//! Writes the seeds of every target, and the inputs that have shown a fault, into folders of their
//! names: `seeds FOLDER`.

use std::path::PathBuf;
use std::{env, fs, io};

use delta_fuzz::{seeds, targets};

fn main() -> io::Result<()> {
    let usage = || io::Error::other("usage: seeds FOLDER");
    let folder = PathBuf::from(env::args_os().nth(1).ok_or_else(usage)?);
    let mut written = 0;
    for (name, _) in targets::ALL {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds::of(name).into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), &seed)?;
            written += seed.len();
        }
        for (file, input) in seeds::regressions_of(name)? {
            fs::write(folder.join(file), &input)?;
            written += input.len();
        }
    }
    println!("{written} bytes of seeds in {}", folder.display());
    Ok(())
}
