//! Control records.

use super::{Applier, Refusal, agreed, check_dim};
use crate::{
    header::DeltaHeader,
    payload::control::Control,
    store::{Replica, ReplicaGraph},
};

impl Applier<'_> {
    pub(super) fn control<R: Replica + ?Sized>(
        &mut self,
        header: &DeltaHeader,
        control: &Control<'_>,
        replica: &R,
    ) -> Result<u64, Refusal> {
        if let Control::Range { .. } | Control::Erased { .. } = control {
            return Err(Refusal::Segment);
        }
        let Control::Start {
            dim,
            slot_count,
            graph,
            ..
        } = *control
        else {
            return agreed(self.position, header, 0, None);
        };
        check_dim(replica, dim)?;
        let (expected, found) = (replica.slot_count(), slot_count);
        if expected != found {
            return Err(Refusal::SlotCount { expected, found });
        }
        let expected = replica.graph().map(ReplicaGraph::parameters);
        if expected != graph {
            let found = graph;
            return Err(Refusal::GraphParameters { expected, found });
        }
        let found = self.position.digest;
        match header.state_digest {
            Some(expected) if expected != found => Err(Refusal::Base { expected, found }),
            _ => Ok(found),
        }
    }
}
