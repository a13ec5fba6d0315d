//! A replica with a graph finds the ids and distance bits that every place finds.

use core::fmt;

use super::Failure;

#[path = "../../../../delta-core/tests/replica/check.rs"]
mod check;

pub use check::Memory;

/// Returns how many lines are as expected.
pub fn run(memory: &mut Memory) -> Result<u32, Failure> {
    let mut expected = Expected {
        rest: check::FOUND,
        lines: 0,
    };
    let written = check::write_found(memory, &mut expected);
    let at = expected.lines + 1;
    written.map_err(|check| Failure { check, at })?;
    super::require(expected.rest.is_empty(), "what searches find", at)?;
    Ok(expected.lines)
}

/// Takes what is written if it is what stands in `rest`.
struct Expected {
    rest: &'static str,
    /// Lines that were as expected.
    lines: u32,
}

impl fmt::Write for Expected {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.rest = self.rest.strip_prefix(text).ok_or(fmt::Error)?;
        self.lines += u32::from(text.ends_with('\n'));
        Ok(())
    }
}
