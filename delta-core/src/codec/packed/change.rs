//! The components that change, for the codecs that look at each of them alone.

use super::listing::Selection;
use crate::{codec::Base, kernel::diff};
use core::ops::ControlFlow;

/// A change of a row.
#[derive(Clone, Copy)]
pub(super) struct Change<'r> {
    pub(super) base: Base<'r>,
    pub(super) new: &'r [f32],
    /// From zero: all components, or those that are not +0.0.
    pub(super) selection: Selection,
}

impl Change<'_> {
    /// Calls `f(index, old bits, new bits)` for the components that change, from zero for those of
    /// the selection, ascending, until it returns `None`. Compiled once: the search for changes is
    /// large.
    #[inline(never)]
    pub(super) fn for_each(self, f: &mut dyn FnMut(u32, u32, u32) -> Option<()>) -> Option<()> {
        let mut flow = |index, old, new| match f(index, old, new) {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        };
        let flow = match self.base {
            Base::Row(old) => diff::for_each_changed(old, self.new, |index, new| {
                let old = old.get(index as usize).map_or(0, |old| old.to_bits());
                flow(index, old, new)
            })
            .ok()?,
            Base::Zero => (0..)
                .zip(self.new)
                .filter(|(_, new)| self.selection == Selection::All || new.to_bits() != 0)
                .try_for_each(|(index, new)| flow(index, 0, new.to_bits())),
        };
        flow.is_continue().then_some(())
    }
}
