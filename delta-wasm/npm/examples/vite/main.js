import { createPipeline } from "delta-wasm";

const [DIM, COUNT] = [64, 1000];
const show = (id, text) => (document.getElementById(id).textContent = text);
const random = () => Float32Array.from({ length: DIM }, () => Math.random() - 0.5);

const pipeline = await createPipeline({ dim: DIM, capacity: COUNT });
show("mode", pipeline.mode);
for (let at = 0; at < COUNT; at += 1) pipeline.insert(`item ${at}`, random());

setInterval(async () => {
  const row = random();
  pipeline.update(Math.floor(Math.random() * COUNT), row);
  show("lag", pipeline.lag().records);
  await pipeline.settled();
  const hits = await pipeline.search(row, { k: 3, metric: "cosine" });
  const ids = await Promise.all(hits.map(({ slot }) => pipeline.id(slot)));
  show("nearest", ids.join(", "));
}, 100);
