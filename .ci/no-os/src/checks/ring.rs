//! The ring without an operating system.

use delta_core::ring::{Consumer, Mem, Producer, ReserveError};

use super::{Failure, Memory, SLOTS, refused, require, xorshift};

const RECORDS: u32 = 4000;

/// Many laps of records of any size: each arrives once, in order, unchanged. Returns how many, and
/// how often the ring was full.
pub(super) fn run(memory: &mut Memory) -> Result<(u32, u32), Failure> {
    let (mut producer, mut consumer) = memory.ring.split();
    let size_max = producer.geometry().max_payload();
    let mut random = 1;
    let (mut sent, mut received, mut full) = (0, 0, 0);
    while received < RECORDS {
        let size = size_of_record(sent, size_max);
        match send(&mut producer, sent, size) {
            Ok(()) => sent += 1,
            Err(ReserveError::Full { .. }) => full += 1,
            Err(_) => {
                return Err(Failure {
                    check: "reserve",
                    at: sent,
                });
            }
        }
        // Now and then all records, so that the ring runs both full and empty.
        let polls = if xorshift(&mut random).is_multiple_of(8) {
            SLOTS as u32
        } else {
            random & 1
        };
        for _ in 0..polls {
            if receive(&mut consumer, received, size_of_record(received, size_max))? {
                received += 1;
            }
        }
        require(received <= sent, "received before sent", received)?;
    }
    require(full > 0, "the ring was never full", 0)?;
    while receive(&mut consumer, received, size_of_record(received, size_max))? {
        received += 1;
    }
    require(received == sent, "records are missing", received)?;
    let too_large = producer.reserve(size_max as usize + 1);
    require(
        matches!(too_large, Err(ReserveError::TooLarge { .. })),
        "too large a record",
        size_max,
    )?;
    Ok((received, full))
}

/// Seldom large, mostly small.
fn size_of_record(number: u32, size_max: u32) -> u32 {
    let spread = number.wrapping_mul(0x9e37_79b9);
    match spread >> 29 {
        0 => spread % (size_max + 1),
        _ => spread % 200,
    }
}

fn send<M: Mem>(producer: &mut Producer<M>, number: u32, size: u32) -> Result<(), ReserveError> {
    let mut grant = producer.reserve(size as usize)?;
    for (index, byte) in (0..).zip(grant.payload_mut()) {
        *byte = payload_byte(number, index);
    }
    let mut header = [0; 64];
    header[..4].copy_from_slice(&number.to_le_bytes());
    header[28..32].copy_from_slice(&size.to_le_bytes());
    // As large as reserved: the commit is not refused.
    let _ = grant.commit(&header);
    Ok(())
}

fn receive<M: Mem>(consumer: &mut Consumer<M>, number: u32, size: u32) -> Result<bool, Failure> {
    let Some(record) = consumer.poll().map_err(refused("poll", number))? else {
        return Ok(false);
    };
    require(
        record.header()[..4] == number.to_le_bytes(),
        "order",
        number,
    )?;
    require(record.payload().len() == size as usize, "size", number)?;
    let mut bytes = (0..).zip(record.payload());
    let is_same = bytes.all(|(index, &byte)| byte == payload_byte(number, index));
    require(is_same, "payload", number)?;
    record.done();
    Ok(true)
}

fn payload_byte(number: u32, index: u32) -> u8 {
    (number.wrapping_mul(31).wrapping_add(index) >> 1) as u8
}
