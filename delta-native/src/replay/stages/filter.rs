//! What `--filter` understands.

use std::str::FromStr;

use delta_core::header::Operation;
use delta_core::pipeline::derive::{Entity, Operations, Select};

/// A selection of entities and operations: terms with commas between them, all of which must hold.
///
/// | term | selects |
/// |---|---|
/// | `op=insert+update+delete` | these operations (an entity without its insert never appears) |
/// | `id=PREFIX` | entities whose ids begin so: a namespace |
/// | `slot%N=K` | entities by slot |
/// | `hash%N=K` | entities by hash of the id |
///
/// ```
/// use delta_core::pipeline::derive::{Entity, Select};
/// let filter: delta_native::replay::stages::Filter = "id=src/,slot%2=1".parse()?;
/// assert!(filter.selects(&Entity::new(3, b"src/lib.rs")));
/// assert!(!filter.selects(&Entity::new(2, b"src/lib.rs")));
/// # Ok::<(), delta_native::replay::stages::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Operations that pass.
    pub(super) operations: Operations,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Id(Vec<u8>),
    Slot { modulus: u32, remainder: u32 },
    Hash { modulus: u32, remainder: u32 },
}

/// A term that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{term}` is no filter: use op=insert+update+delete, id=PREFIX, slot%N=K or hash%N=K")]
pub struct FilterError {
    term: String,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            operations: Operations::ALL,
            terms: Vec::new(),
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for term in text.split(',') {
            let unknown = || FilterError {
                term: term.to_owned(),
            };
            match term.split_once('=').ok_or_else(unknown)? {
                ("op", names) => filter.operations = operations(names).ok_or_else(unknown)?,
                ("id", prefix) => filter.terms.push(Term::Id(prefix.as_bytes().to_vec())),
                (key, remainder) => {
                    let part = modulo(key, remainder).ok_or_else(unknown)?;
                    filter.terms.push(part);
                }
            }
        }
        Ok(filter)
    }
}

fn operations(names: &str) -> Option<Operations> {
    names.split('+').try_fold(Operations::NONE, |set, name| {
        let known = [Operation::Insert, Operation::Update, Operation::Delete];
        let found = known
            .into_iter()
            .find(|operation| operation.name() == name)?;
        Some(set.with(found))
    })
}

fn modulo(key: &str, remainder: &str) -> Option<Term> {
    let (what, modulus) = key.split_once('%')?;
    let modulus = modulus.parse().ok().filter(|modulus| *modulus > 0)?;
    let remainder = remainder
        .parse()
        .ok()
        .filter(|remainder| *remainder < modulus)?;
    match what {
        "slot" => Some(Term::Slot { modulus, remainder }),
        "hash" => Some(Term::Hash { modulus, remainder }),
        _ => None,
    }
}

impl Select for Filter {
    fn selects(&self, entity: &Entity<'_>) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Id(prefix) => entity.id.starts_with(prefix),
            Term::Slot { modulus, remainder } => entity.slot % modulus == *remainder,
            Term::Hash { modulus, remainder } => entity.id_hash % modulus == *remainder,
        })
    }
}
