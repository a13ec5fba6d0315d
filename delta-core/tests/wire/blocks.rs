//! The fenced blocks of WIRE.md.

pub(crate) const WIRE: &str = include_str!("../../WIRE.md");

/// The frames of all fenced blocks of one kind, in order: `(name, bytes)`.
pub(crate) fn frames(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let fence = format!("```{kind} ");
    let frames: Vec<_> = WIRE
        .split(fence.as_str())
        .skip(1)
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (hex, _) = rest.split_once("```").unwrap();
            let digits: Vec<u8> = hex
                .chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
                .collect();
            (
                name,
                digits
                    .chunks(2)
                    .map(|pair| pair[0] << 4 | pair[1])
                    .collect(),
            )
        })
        .collect();
    assert!(!frames.is_empty(), "WIRE.md has {kind} blocks");
    frames
}

pub(crate) fn golden(name: &str) -> Vec<u8> {
    frames("golden")
        .into_iter()
        .find(|(found, _)| *found == name)
        .unwrap()
        .1
}

/// The lines of all fenced blocks of one kind, in order, as bytes.
pub(crate) fn lines(kind: &str) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let fence = format!("```{kind} ");
    let blocks = WIRE.split(fence.as_str()).skip(1);
    let bytes = |line: &str| {
        let digits = line
            .chars()
            .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap());
        let digits: Vec<u8> = digits.collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    };
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (hex, _) = rest.split_once("```").unwrap();
            (name, hex.lines().map(bytes).collect())
        })
        .collect()
}
