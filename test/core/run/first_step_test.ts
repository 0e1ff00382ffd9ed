/** What the first step waits for, and what is told meanwhile. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Run, RunSpec, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";
import { collect } from "../../../core/base/collect.ts";

const host = tinyHost(await hostHere(1));
const composed = (): Run => {
  const rows = Array.from({ length: 200 }, (_, i) => tinyRows[i % tinyRows.length]);
  const data = { use: "memory", with: { rows } };
  const spec = { ...tinySpec({ training: { maxSteps: 2 } }), data: { train: data, eval: data } };
  return compose(spec as unknown as RunSpec, catalog);
};
async function eventsOn(at: Host): Promise<TrainingEvent[]> {
  return await collect(trainRun(composed(), at, {}));
}
const withoutTime = (events: readonly TrainingEvent[]): string =>
  JSON.stringify(events.filter(({ type }) => type !== "progress"));

describe("before the first step", () => {
  it("reading that takes long tells how far it is, to its end", async () => {
    // Every look at the clock takes 300 ms.
    let time = 0;
    const slow = { ...host, clock: { ...host.clock, now: () => time += 300 } };
    const events = await eventsOn(slow);
    const progress = events.flatMap((event) =>
      event.type === "progress" ? [[event.what, event.done, event.total]] : []
    );
    assert.deepEqual(progress, [
      ["data.train", 128, 200],
      ["data.train", 200, 200],
      ["data.eval", 128, 200],
      ["data.eval", 200, 200],
    ]);
    assert.ok(
      events.findLastIndex(({ type }) => type === "progress") < events.findIndex(({ type }) => type === "start"),
    );
    const still = { ...host, clock: { ...host.clock, now: () => 0 } };
    const quick = await eventsOn(still);
    assert.deepEqual(quick.filter(({ type }) => type === "progress"), []);
    assert.deepEqual(withoutTime(quick), withoutTime(events));
  });

  it("a row that cannot be read is an error, though progress was told", async () => {
    let time = 0;
    const slow = { ...host, clock: { ...host.clock, now: () => time += 600 } };
    const rows = [...Array.from({ length: 100 }, () => tinyRows[0]), { text: 5, label: "good" }];
    const spec = { ...tinySpec(), data: { train: { use: "memory", with: { rows } } } };
    const run = compose(spec as unknown as RunSpec, catalog);
    await assert.rejects(async () => {
      for await (const _ of trainRun(run, slow, {}));
    }, /row 100|text/);
  });

  it("weights are not hashed, and the run's spec has their fingerprint all the same", async () => {
    let hashed = 0;
    const run = composed();
    const source: Run["model"] = {
      ...run.model,
      open: async (at) => {
        const checkpoint = await run.model.open(at);
        return { ...checkpoint, fingerprint: () => (hashed++, checkpoint.fingerprint()) };
      },
    };
    const output = await memory().open(host);
    let atFirst: number | undefined;
    for await (const { type } of trainRun({ ...run, model: source }, host, { output })) {
      if (type === "step") atFirst ??= hashed;
    }
    assert.equal(atFirst, 0);
    assert.ok(hashed > 0);
    const { fingerprints } = JSON.parse(new TextDecoder().decode((await output.get("spec.json"))?.bytes));
    assert.match(fingerprints.base, /^[0-9a-f]{64}$/);
  });
});
