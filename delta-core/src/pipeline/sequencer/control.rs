//! Control records: start, end, resync, watermark.

use super::{PrepareError, Prepared, Sequencer};
use crate::{
    header::{DeltaHeader, Operation},
    payload::control::Control,
};

impl Sequencer<'_> {
    /// Writes the start of the stream into `out`, with `consumer_bytes` of the caller's own.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_start(
        &self,
        consumer_bytes: &[u8],
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        let (dim, slot_count) = (self.dim, self.slot_count);
        self.prepare_control(
            &Control::Start {
                dim,
                slot_count,
                graph: self.graph_parameters(),
                consumer_bytes,
            },
            out,
        )
    }

    /// Writes the end of the stream, which had `record_count` records after its start, into `out`.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_end(&self, record_count: u64, out: &mut [u8]) -> Result<Prepared, PrepareError> {
        self.prepare_control(&Control::End { record_count }, out)
    }

    /// Writes a resync into `out`, by which a restarted writer announces its new epoch: greater
    /// than any before, allocated durably.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_resync(&self, epoch: u32, out: &mut [u8]) -> Result<Prepared, PrepareError> {
        let current = self.position.epoch;
        if epoch <= current {
            return Err(PrepareError::Epoch {
                current,
                found: epoch,
            });
        }
        let header = DeltaHeader {
            epoch,
            ..self.header(Operation::Control, 0)
        };
        self.write_control(
            header,
            &Control::Resync {
                position: self.position.sequence,
            },
            out,
        )
    }

    /// Writes a watermark into `out`: the source of this derived stream has been read up to
    /// `source_sequence` of `source_epoch`.
    ///
    /// # Errors
    /// See [`PrepareError`].
    pub fn prepare_watermark(
        &self,
        source_epoch: u32,
        source_sequence: u64,
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        self.prepare_control(
            &Control::Watermark {
                source_epoch,
                source_sequence,
            },
            out,
        )
    }

    fn prepare_control(
        &self,
        control: &Control<'_>,
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        self.write_control(self.header(Operation::Control, 0), control, out)
    }

    fn write_control(
        &self,
        header: DeltaHeader,
        control: &Control<'_>,
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        let (needed, given) = (control.size(), out.len());
        let size = control
            .write(out)
            .ok_or(PrepareError::OutputTooSmall { needed, given })?;
        Prepared::seal(header, out, size, None, self.node_count())
    }
}
