//! Where the next payload goes: the free space around the unreleased payloads.
//!
//! Payloads are laid one after another, each contiguous; the one that does not fit before the end
//! of the area goes to 0. The unreleased payloads therefore occupy `oldest..cursor` (*in line*:
//! cursor >= oldest) or `oldest..end` and `0..cursor` (*wrapped*: cursor < oldest). Wrapped, the
//! cursor stays below `oldest`, never on it: cursor == oldest always means in line.
use super::layout::padded;

/// Free space as the producer last knew it; the consumer can only have made it larger since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// Offset after the last payload: a multiple of 16, at most `limit`.
    cursor: u32,
    /// A payload at the cursor must end at or before this offset.
    limit: u32,
    /// A payload at 0 must end at or before this offset; 0: there is no room at 0.
    wrap_limit: u32,
}

impl Space {
    /// The space when nothing is unreleased: the whole area, from its beginning.
    pub(super) const fn empty(payload_bytes: u32) -> Self {
        Self {
            cursor: 0,
            limit: payload_bytes,
            wrap_limit: 0,
        }
    }

    /// The space when the oldest unreleased payload begins at `oldest`, at most `payload_bytes`.
    pub(super) const fn with_oldest(payload_bytes: u32, cursor: u32, oldest: u32) -> Self {
        let below_oldest = oldest.saturating_sub(super::layout::PAYLOAD_ALIGN);
        if cursor >= oldest {
            Self {
                cursor,
                limit: payload_bytes,
                wrap_limit: below_oldest,
            }
        } else {
            Self {
                cursor,
                limit: below_oldest,
                wrap_limit: 0,
            }
        }
    }

    /// Offset after the last payload.
    #[inline]
    pub(super) const fn cursor(&self) -> u32 {
        self.cursor
    }

    /// Offset for a payload of `size` bytes (at most 2^30): the cursor or 0; `None` if no known
    /// free space holds it.
    #[inline]
    pub(super) const fn place(&self, size: u32) -> Option<u32> {
        let needed = padded(size);
        if needed <= self.limit - self.cursor {
            Some(self.cursor)
        } else if needed <= self.wrap_limit {
            Some(0)
        } else {
            None
        }
    }

    /// Takes the `size` bytes at `offset`, which [`Self::place`] gave for at least that size.
    #[inline]
    pub(super) const fn take(&mut self, offset: u32, size: u32) {
        if offset != self.cursor {
            self.limit = self.wrap_limit;
            self.wrap_limit = 0;
        }
        self.cursor = offset + padded(size);
    }
}

#[cfg(test)]
mod tests {
    use super::Space;

    const AREA: u32 = 128;

    #[test]
    fn an_empty_area_gives_all_of_itself() {
        let space = Space::empty(AREA);
        assert_eq!(space.place(0), Some(0));
        assert_eq!(space.place(128), Some(0));
        assert_eq!(space.place(129), None);
    }

    #[test]
    fn in_line_gives_the_cursor_then_zero() {
        let space = Space::with_oldest(AREA, 96, 48);
        assert_eq!(space.place(32), Some(96));
        // 0..32 is free below the oldest; 33..48 would put the cursor onto it.
        assert_eq!(space.place(33), None);
        let space = Space::with_oldest(AREA, 112, 48);
        assert_eq!(space.place(32), Some(0));
        assert_eq!(space.place(33), None);
    }

    #[test]
    fn wrapped_stays_below_the_oldest() {
        let space = Space::with_oldest(AREA, 16, 64);
        assert_eq!(space.place(32), Some(16));
        assert_eq!(space.place(33), None);
        assert_eq!(Space::with_oldest(AREA, 48, 64).place(0), Some(48));
        assert_eq!(Space::with_oldest(AREA, 48, 64).place(1), None);
    }

    #[test]
    fn taking_at_zero_wraps() {
        let mut space = Space::with_oldest(AREA, 112, 64);
        let offset = space.place(20).unwrap();
        assert_eq!(offset, 0);
        space.take(offset, 17);
        assert_eq!(space, Space::with_oldest(AREA, 32, 64));
    }

    #[test]
    fn an_oldest_at_zero_leaves_no_room_there() {
        assert_eq!(Space::with_oldest(AREA, 128, 0).place(1), None);
        assert_eq!(Space::with_oldest(AREA, 128, 0).place(0), Some(128));
        assert_eq!(Space::with_oldest(AREA, 128, 16).place(1), None);
    }

    #[test]
    fn empty_payloads_at_the_end_do_not_hide_the_oldest() {
        // Three empty payloads at 128, then one at 0: the oldest is still the one at 128.
        let mut space = Space::with_oldest(AREA, 128, 128);
        space.take(128, 0);
        assert_eq!(space.place(100), Some(0));
        space.take(0, 100);
        assert_eq!(space, Space::with_oldest(AREA, 112, 128));
        assert_eq!(space.place(1), None);
    }
}
