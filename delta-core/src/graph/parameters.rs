//! What a stream says of its graph.

use super::Shape;
use crate::kernel::distance::Metric;

/// What the replicas of a graph have in common beside its nodes and edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GraphParameters {
    /// Neighbours of a node on layer 0, at least 1.
    pub degree0_max: u8,
    /// Neighbours of a node on each layer above, at least 1.
    pub degree_max: u8,
    /// The metric that the index links by and that searches use.
    pub metric: Metric,
}

const SQUARED_L2: u8 = 1;
const DOT: u8 = 2;
const COSINE: u8 = 3;

impl GraphParameters {
    /// Those of a graph of `shape`.
    #[must_use]
    pub const fn new(shape: Shape, metric: Metric) -> Self {
        Self {
            degree0_max: shape.degree0_max,
            degree_max: shape.degree_max,
            metric,
        }
    }

    /// Four bytes of a control start (WIRE.md, section 3), all 0 without a graph. The first that
    /// says something that no graph has is the error.
    pub(crate) const fn from_wire(bytes: [u8; 4]) -> Result<Option<Self>, u8> {
        let [degree0_max, degree_max, metric, reserved] = bytes;
        let has_graph = degree0_max | degree_max | metric != 0;
        let metric = match metric {
            SQUARED_L2 => Metric::SquaredL2,
            DOT => Metric::Dot,
            COSINE => Metric::Cosine,
            _ if has_graph => return Err(2),
            _ if reserved != 0 => return Err(3),
            _ => return Ok(None),
        };
        match (degree0_max, degree_max, reserved) {
            (0, ..) => Err(0),
            (_, 0, _) => Err(1),
            (_, _, 0) => Ok(Some(Self {
                degree0_max,
                degree_max,
                metric,
            })),
            _ => Err(3),
        }
    }

    /// The inverse of [`from_wire`](Self::from_wire).
    pub(crate) const fn to_wire(parameters: Option<Self>) -> [u8; 4] {
        let Some(parameters) = parameters else {
            return [0; 4];
        };
        let metric = match parameters.metric {
            Metric::SquaredL2 => SQUARED_L2,
            Metric::Dot => DOT,
            Metric::Cosine => COSINE,
        };
        [parameters.degree0_max, parameters.degree_max, metric, 0]
    }
}
