import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { describeTrainedModel, verifyExport } from "../../../core/run/write/export.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

/** A store's keys below a prefix, as a directory of the host. */
function under(store: Store, prefix: string): Store {
  return { ...store, get: (key, range) => store.get(prefix + key, range) };
}

const uses: readonly Named<Json>[] = [
  { use: "freeze", with: { trainLastLayers: 1 } },
  { use: "lora", with: { r: 2 } },
  { use: "lora", with: { r: 3, targetModules: ["dense"] } },
  { use: "prompt-tuning", with: { numVirtualTokens: 2 } },
];
const specOf = (adapter: readonly Json[], training: Named<Json> = {}): RunSpec =>
  tinySpec({ adapter: adapter as Json, training }) as unknown as RunSpec;

describe("several adapters in one run", () => {
  it("train together, are saved apart, and come back", async () => {
    const plain = tinyHost(await hostHere(1));
    const output = await memory().open(plain);
    let loss = NaN;
    const run = compose(specOf(uses, { maxSteps: 4, learningRate: 0.02 }), catalog);
    for await (const event of trainRun(run, plain, { output })) {
      if (event.type === "evaluate") loss = event.metrics.loss ?? NaN;
    }
    const places: (string | null)[] = JSON.parse(
      new TextDecoder().decode((await output.get("adapter/adapters.json"))?.bytes),
    );
    assert.deepEqual(places, [null, ".", "lora-2", "prompt-tuning"]);
    const hostOf = (store: Store, prefix: string): Host => ({
      ...plain,
      directory: (path) =>
        path.startsWith("saved:")
          ? under(store, prefix + (path === "saved:." ? "" : `${path.slice("saved:".length)}/`))
          : plain.directory?.(path) as Store,
    });
    const saved = places.flatMap((place, i): Json[] =>
      place === null ? [] : [{ use: uses[i]?.use ?? "", with: { from: `saved:${place}` } }]
    );
    const host = hostOf(output, "adapter/");
    let again = NaN;
    const more = compose(specOf(saved, { maxSteps: 1, learningRate: 0 }), catalog);
    for await (const event of trainRun(more, host, {})) {
      if (event.type === "evaluate") again = event.metrics.loss ?? NaN;
    }
    assert.ok(Math.abs(again - loss) < 1e-6, `${again} and ${loss}`);

    // What the frozen base's last layer has learnt beside them is in the files too, and stays there.
    const open = await openRun(compose(specOf(saved), catalog), host);
    const exported = await memory().open(plain);
    await open.run.use("exporter", "peft").write(await describeTrainedModel(open), exported);
    const third = await openRun(compose(specOf(saved), catalog), hostOf(exported, ""));
    assert.equal(await verifyExport(open, third), 0);
  });

  it("two that put tokens in front are refused", async () => {
    const run = compose(specOf([{ use: "prompt-tuning" }, { use: "p-tuning" }]), catalog);
    await assert.rejects(openRun(run, tinyHost(await hostHere(1))), /only one adapter/);
  });
});
