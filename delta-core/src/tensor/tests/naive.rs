//! An array of any rank as one writes it down at first.

use crate::{payload::tensor::Slab, tensor::TensorEdit};

/// Elements by coordinates, and nothing clever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naive {
    pub(super) width: usize,
    pub(super) extents: Vec<u32>,
    pub(super) elements: Vec<Vec<u8>>,
}

impl Naive {
    pub(super) fn zeros(width: usize, extents: &[u32]) -> Self {
        let count = extents.iter().product::<u32>();
        Self {
            width,
            extents: extents.to_vec(),
            elements: vec![vec![0; width]; count as usize],
        }
    }

    fn from_bytes(width: usize, extents: &[u32], bytes: &[u8]) -> Self {
        let elements = bytes.chunks(width).map(<[u8]>::to_vec).collect();
        Self {
            elements,
            ..Self::zeros(width, extents)
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.elements.concat()
    }

    /// The coordinates of every place, in C order.
    fn places(&self) -> Vec<Vec<u32>> {
        let mut places = vec![vec![]];
        for &extent in &self.extents {
            places = places
                .iter()
                .flat_map(|place: &Vec<u32>| {
                    (0..extent).map(|at| [place.as_slice(), &[at]].concat())
                })
                .collect();
        }
        places
    }

    fn get(&self, place: &[u32]) -> Option<&Vec<u8>> {
        let mut index = 0;
        for (at, extent) in place.iter().zip(&self.extents) {
            if at >= extent {
                return None;
            }
            index = index * extent + at;
        }
        self.elements.get(index as usize)
    }

    /// The array whose element at each place is what `of` says of the place.
    fn built(&self, extents: &[u32], of: impl Fn(&[u32]) -> Vec<u8>) -> Self {
        let mut built = Self::zeros(self.width, extents);
        built.elements = built.places().iter().map(|place| of(place)).collect();
        built
    }

    /// The array after an edit, `None` if it cannot be.
    pub(super) fn edited(&self, edit: &TensorEdit<'_>) -> Option<Self> {
        let shifted = |place: &[u32], axis: usize, by: i64| {
            let mut place = place.to_vec();
            place[axis] = u32::try_from(i64::from(place[axis]) + by).unwrap();
            place
        };
        match *edit {
            TensorEdit::Rows { start, elements } => {
                let row = self.extents.iter().skip(1).product::<u32>() as usize;
                let row = if self.extents.len() < 2 {
                    self.elements.len()
                } else {
                    row
                };
                let first = start as usize * row * self.width;
                let is_whole = row > 0 && elements.len().is_multiple_of(row * self.width);
                let mut bytes = self.bytes();
                let rows = if self.extents.len() < 2 {
                    1
                } else {
                    self.extents[0]
                };
                if !is_whole || start >= rows || first + elements.len() > bytes.len() {
                    return None;
                }
                bytes[first..first + elements.len()].copy_from_slice(elements);
                Some(Self::from_bytes(self.width, &self.extents, &bytes))
            }
            TensorEdit::Dense { shape, elements } => (elements.len()
                == shape.elements() as usize * self.width)
                .then(|| Self::from_bytes(self.width, shape.extents(), elements)),
            TensorEdit::Put { slab, elements } => {
                let (axis, extent) = self.axis(&slab)?;
                let end = slab.start.checked_add(slab.count)?;
                let mut of_slab = self.extents.clone();
                of_slab[axis] = slab.count;
                let size = of_slab.iter().product::<u32>() as usize * self.width;
                if slab.start > extent || elements.len() != size {
                    return None;
                }
                let slab_array = Self::from_bytes(self.width, &of_slab, elements);
                let mut extents = self.extents.clone();
                extents[axis] = extent.max(end);
                Some(self.built(&extents, |place| {
                    let inside = (slab.start..end).contains(&place[axis]);
                    let found = if inside {
                        slab_array.get(&shifted(place, axis, -i64::from(slab.start)))
                    } else {
                        self.get(place)
                    };
                    found.unwrap().clone()
                }))
            }
            TensorEdit::Clear { slab } => {
                let (axis, end) = self.within(&slab)?;
                Some(self.built(&self.extents, |place| {
                    if (slab.start..end).contains(&place[axis]) {
                        vec![0; self.width]
                    } else {
                        self.get(place).unwrap().clone()
                    }
                }))
            }
            TensorEdit::Evict { slab } => {
                let (axis, _) = self.within(&slab)?;
                let mut extents = self.extents.clone();
                extents[axis] -= slab.count;
                Some(self.built(&extents, |place| {
                    let by = if place[axis] < slab.start {
                        0
                    } else {
                        i64::from(slab.count)
                    };
                    self.get(&shifted(place, axis, by)).unwrap().clone()
                }))
            }
        }
    }

    fn axis(&self, slab: &Slab) -> Option<(usize, u32)> {
        let axis = usize::from(slab.axis);
        Some((axis, *self.extents.get(axis)?))
    }

    fn within(&self, slab: &Slab) -> Option<(usize, u32)> {
        let (axis, extent) = self.axis(slab)?;
        let end = slab.start.checked_add(slab.count)?;
        (end <= extent).then_some((axis, end))
    }
}
