//! One line of a list of events, parsed without regard to those before it.

use std::fmt;

use delta_core::payload::metadata::SECTION_SIZE_MAX as METADATA_BYTES_MAX;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::error::LineFault;

/// Characters of a refused value that an error repeats.
const EXCERPT_CHARS: usize = 40;
const TIME: &str = "Unix seconds from 0 on, at most six decimals and no exponent";

/// A line's event; whether it fits the events before it is not known yet.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) change: Change,
    /// 1 to 255 bytes.
    pub(super) id: String,
    pub(super) timestamp_us: u64,
    /// Every other key, ascending, with its value's text. Empty for a delete, which has none to
    /// send.
    pub(super) metadata: Vec<(String, &'a str)>,
}

/// What happens, with row numbers as the line has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    Insert { row: u64 },
    Update { row: u64, prev: u64 },
    Delete { prev: u64 },
}

/// Parses a line. Its keys may come in any order.
pub(super) fn parse(text: &str) -> Result<Line<'_>, LineFault> {
    let Fields(mut fields) = serde_json::from_str(text).map_err(json_fault)?;
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(((key, _), _)) = fields
        .iter()
        .zip(fields.iter().skip(1))
        .find(|(a, b)| a.0 == b.0)
    {
        return Err(LineFault::DuplicateKey { key: key.clone() });
    }
    let mut take = |name: &'static str| {
        let position = fields.iter().position(|(key, _)| key == name)?;
        let (_, value) = fields.remove(position);
        (value != "null").then_some(value)
    };
    let [op, id, row, prev, ts] = ["op", "id", "row", "prev", "ts"].map(&mut take);
    let change = change(op, row, prev)?;
    let id = string("id", id)?;
    if id.is_empty() || id.len() > 255 {
        return Err(LineFault::IdLength { id_bytes: id.len() });
    }
    let ts = ts.ok_or(LineFault::MissingField { field: "ts" })?;
    let timestamp_us = microseconds(ts).ok_or_else(|| bad("ts", ts, TIME))?;
    if matches!(change, Change::Delete { .. }) {
        fields.clear();
    }
    check_metadata(&fields)?;
    Ok(Line {
        change,
        id,
        timestamp_us,
        metadata: fields,
    })
}

fn change(op: Option<&str>, row: Option<&str>, prev: Option<&str>) -> Result<Change, LineFault> {
    let op = string("op", op)?;
    let absent = |field, value: Option<&str>, operation| match value {
        Some(_) => Err(LineFault::UnexpectedField { field, operation }),
        None => Ok(()),
    };
    match op.as_str() {
        "insert" => {
            absent("prev", prev, "insert")?;
            Ok(Change::Insert {
                row: row_number("row", row)?,
            })
        }
        "update" => Ok(Change::Update {
            row: row_number("row", row)?,
            prev: row_number("prev", prev)?,
        }),
        "delete" => {
            absent("row", row, "delete")?;
            Ok(Change::Delete {
                prev: row_number("prev", prev)?,
            })
        }
        _ => Err(LineFault::UnknownOperation {
            found: excerpt(&op),
        }),
    }
}

fn string(field: &'static str, value: Option<&str>) -> Result<String, LineFault> {
    let value = value.ok_or(LineFault::MissingField { field })?;
    serde_json::from_str(value).map_err(|_| bad(field, value, "a string"))
}

fn row_number(field: &'static str, value: Option<&str>) -> Result<u64, LineFault> {
    let value = value.ok_or(LineFault::MissingField { field })?;
    serde_json::from_str(value).map_err(|_| bad(field, value, "a row number, an integer from 0 on"))
}

/// The microseconds of decimal seconds, exactly; `None` if it is no such number or does not fit.
fn microseconds(seconds: &str) -> Option<u64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction)
}

/// Refuses pairs that no record can carry. A pair takes a byte for the size of its key and up to
/// five for that of its value.
fn check_metadata(pairs: &[(String, &str)]) -> Result<(), LineFault> {
    let mut metadata_bytes = 0_usize;
    for (key, value) in pairs {
        if key.is_empty() || key.len() > 255 {
            return Err(LineFault::KeyLength {
                key_bytes: key.len(),
            });
        }
        // The size is written as value + 1 in groups of seven bits.
        let size_bits = usize::BITS.saturating_sub(value.len().saturating_add(1).leading_zeros());
        let size_bytes = usize::try_from(size_bits.div_ceil(7)).unwrap_or(usize::MAX);
        metadata_bytes = [1, key.len(), size_bytes, value.len()]
            .iter()
            .fold(metadata_bytes, |sum, part| sum.saturating_add(*part));
    }
    if metadata_bytes > METADATA_BYTES_MAX {
        return Err(LineFault::MetadataTooLarge {
            metadata_bytes,
            max_bytes: METADATA_BYTES_MAX,
        });
    }
    Ok(())
}

fn bad(field: &'static str, found: &str, expected: &'static str) -> LineFault {
    LineFault::BadField {
        field,
        found: excerpt(found),
        expected,
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS).collect()
}

/// The parser counts lines too, but it is given one: only its column says something.
fn json_fault(error: serde_json::Error) -> LineFault {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    LineFault::Json {
        column: error.column(),
        reason: excerpt(reason),
    }
}

/// All keys of an object in their order, each with the text of its value, also those that stand
/// twice.
struct Fields<'a>(Vec<(String, &'a str)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    fields.push((key, value.get()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
