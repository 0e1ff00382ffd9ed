import assert from "node:assert/strict";
import { it } from "node:test";
import * as ortWeb from "onnxruntime-web";
import { compose } from "../../../core/spec/compose.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Ort, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { web } from "../../../runtimes/host/web.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

async function losses(
  host: Host,
  adapter: readonly object[],
  accelerators: readonly string[] = [],
): Promise<number[]> {
  const spec = { ...tinySpec({ adapter: adapter as never, dropout: 0.1 }), accelerators } as unknown as RunSpec;
  const values: number[] = [];
  for await (const event of trainRun(compose(spec, catalog), tinyHost(host), {})) {
    if (event.type === "step") values.push(event.loss);
  }
  return values;
}

for (const adapter of [[], [{ use: "lora", with: { r: 2 } }]]) {
  it(`onnxruntime-web trains as onnxruntime-node does (${adapter.length > 0 ? "lora" : "full"})`, async () => {
    ortWeb.env.wasm.numThreads = 1;
    const here = await losses(await hostHere(1), adapter);
    const there = await losses(web({ lib: ortWeb as unknown as Ort }), adapter);
    assert.equal(there.length, here.length);
    there.forEach((loss, i) =>
      assert.ok(Math.abs(loss - (here[i] ?? NaN)) < 1e-5, `step ${i}: ${loss} and ${here[i]}`)
    );
  });
}

for (const name of ["fp16", "bf16"]) {
  it(`onnxruntime-web rounds to 16 bits as onnxruntime-node does (${name})`, async () => {
    ortWeb.env.wasm.numThreads = 1;
    const adapter = [{ use: "lora", with: { r: 2 } }];
    const here = await losses(await hostHere(1), adapter, [name]);
    const there = await losses(web({ lib: ortWeb as unknown as Ort }), adapter, [name]);
    const plain = await losses(await hostHere(1), adapter);
    // Sums in another order may round to the next number of 16 bits.
    const bound = name === "fp16" ? 2e-4 : 1e-3;
    there.forEach((loss, i) =>
      assert.ok(Math.abs(loss - (here[i] ?? NaN)) < bound, `step ${i}: ${loss} and ${here[i]}`)
    );
    assert.ok(Math.abs((there[0] ?? NaN) - (plain[0] ?? NaN)) > 1e-6, "nothing was rounded");
  });
}

it("attune:base gives the same where it stays as it is stored, in a little memory", async () => {
  ortWeb.env.wasm.numThreads = 1;
  const here = await hostHere(1);
  const { base } = here;
  assert.ok(base);
  const lib = ortWeb as unknown as Ort;
  const run = compose({
    version: 1,
    model: { use: "pretrained", with: { path: "attune:base" } },
    task: { use: "feature-extraction" },
    data: {},
  }, catalog);
  const rows = ["A very nice film!", "Zürich, 1999: awful.", "of"].map((text) => ({ text }));
  const data = run.use("data", { use: "memory", with: { rows } });
  const vectors = async (host: Host): Promise<number[]> => {
    const vectors: number[] = [];
    for await (const { embedding } of predictRows(await openRun(run, host), data)) {
      vectors.push(...embedding as number[]);
    }
    return vectors;
  };
  const wanted = await vectors(here);
  for (const memoryBytes of [128 * 2 ** 20, 2 ** 32]) {
    const embedded = await vectors(web({ lib, base, memoryBytes }));
    assert.equal(embedded.length, wanted.length);
    embedded.forEach((x, i) => assert.ok(Math.abs(x - (wanted[i] ?? NaN)) < 1e-6, `${i}: ${x} and ${wanted[i]}`));
  }
});
