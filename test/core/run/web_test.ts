import assert from "node:assert/strict";
import { it } from "node:test";
import * as ortWeb from "onnxruntime-web";
import { compose } from "../../../core/compose.ts";
import { trainRun } from "../../../core/run/train.ts";
import type { Host, Ort, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/train.ts";
import { web } from "../../../runtimes/web.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

async function losses(host: Host, adapter: readonly object[]): Promise<number[]> {
  const spec = tinySpec({ adapter: adapter as never, dropout: 0.1 }) as unknown as RunSpec;
  const found: number[] = [];
  for await (const event of trainRun(compose(spec, catalog), tinyHost(host), {})) {
    if (event.type === "step") found.push(event.loss);
  }
  return found;
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
