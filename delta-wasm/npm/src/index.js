// Replicas of vector indexes, bit-identical to their primary, in browsers and Node.

export { DeltaError } from "./errors.js";
export { frameHeader, FrameReader } from "./frames.js";
export { openWriter } from "./lanes.js";
export { features } from "./modules.js";
export { createPipeline } from "./pipeline.js";
export { createReplica } from "./replica.js";
