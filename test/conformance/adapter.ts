/**
 * What every adapter must do, on a tiny model. Exported for plugin authors.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../core/compose.ts";
import { trainedForExport } from "../../core/run/export.ts";
import { predictRows } from "../../core/run/infer.ts";
import { openRun } from "../../core/run/open.ts";
import { trainRun } from "../../core/run/train.ts";
import type { Catalog, Host, Json, Named, RunSpec, Store, TrainingEvent } from "../../core/types.ts";
import { catalog as own } from "../../plugins/catalog.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/train.ts";
import { tinyHost, tinyRows, tinySpec, tinyWeights } from "../tiny.ts";

/** What an adapter claims. */
export type AdapterClaims = Readonly<{
  /** A fresh adapter changes nothing. */
  startsAtBase: boolean;
  mergeable: boolean;
  /** Saves files that PEFT loads. */
  peft: boolean;
}>;

/** Registers the battery for one configuration of an adapter. */
export function testAdapter(name: string, use: Json, claims: AdapterClaims, catalog: Catalog = own): void {
  const spec = (change: Parameters<typeof tinySpec>[0] = {}): RunSpec =>
    tinySpec({ adapter: [use], ...change }) as unknown as RunSpec;
  const trained = async (output: Store): Promise<TrainingEvent[]> => {
    const events: TrainingEvent[] = [];
    const run = compose(spec({ training: { maxSteps: 5, learningRate: 0.02 } }), catalog);
    for await (const event of trainRun(run, tinyHost(await hostHere(1)), { output })) events.push(event);
    return events;
  };
  const scores = async (spec: RunSpec, host: Host): Promise<number[]> => {
    const run = compose(spec, catalog);
    const found: number[] = [];
    const data = run.use("dataset", { use: "memory", with: { rows: tinyRows } });
    for await (const row of predictRows(await openRun(run, host), data)) found.push(Number(row.score));
    return found;
  };
  const near = (a: readonly number[], b: readonly number[], tolerance: number): void => {
    assert.equal(a.length, b.length);
    a.forEach((x, i) => assert.ok(Math.abs(x - (b[i] ?? NaN)) <= tolerance, `row ${i}: ${x} and ${b[i]}`));
  };
  const filesIn = async (store: Store, folder: string): Promise<Named<Uint8Array>> => {
    const files: Record<string, Uint8Array> = {};
    for await (const { key } of store.list(folder)) {
      files[key.slice(folder.length)] = (await store.get(key))?.bytes ?? new Uint8Array();
    }
    return files;
  };

  describe(`adapter ${name}`, () => {
    it("trains something, and less than everything or all of it by intent", async () => {
      const events = await trained(await memory().open(await hostHere(1)));
      const start = events.find((e) => e.type === "start");
      assert.ok(start?.type === "start" && start.trainableParameters > 0);
      const losses = events.flatMap((e) => (e.type === "step" ? [e.loss] : []));
      assert.notEqual(losses[0], losses.at(-1));
    });

    it("learns the same where rows are shared, and where layers are computed again", async () => {
      const losses = async (training: Named<Json>): Promise<number[]> => {
        const run = compose(spec({ training: { maxSteps: 3, learningRate: 0.02, ...training } }), catalog);
        const found: number[] = [];
        for await (const event of trainRun(run, tinyHost(await hostHere(1)), {})) {
          if (event.type === "step") found.push(event.loss, event.gradNorm);
        }
        return found;
      };
      const shared = await losses({});
      near(await losses({ rowSharing: false }), shared, 2e-5);
      near(await losses({ gradientCheckpointing: true }), shared, 2e-5);
    });

    if (claims.startsAtBase) {
      it("starts as the base model", async () => {
        const host = tinyHost(await hostHere(1));
        near(await scores(spec(), host), await scores(tinySpec() as unknown as RunSpec, host), 1e-6);
      });
    }

    it("leaves the base's frozen weights as they are", async () => {
      const output = await memory().open(await hostHere(1));
      await trained(output);
      const before = tinyWeights();
      const host = tinyHost(await hostHere(1));
      const open = await openRun(compose(spec(), catalog), host);
      for (const key of open.checkpoint.weights.names) {
        assert.deepEqual((await open.checkpoint.weights.read(key)).data, before[key]?.data);
      }
    });

    if (claims.peft) {
      it("is the same after it was saved and loaded", async () => {
        const output = await memory().open(await hostHere(1));
        const events = await trained(output);
        const files = await filesIn(output, "adapter/");
        const plain = tinyHost(await hostHere(1));
        const host: Host = {
          ...plain,
          directory: (path) => (path === "tiny:adapter" ? storeOf(files) : plain.directory?.(path) ?? storeOf({})),
        };
        const name = (use as { use: string }).use;
        const again = compose(
          tinySpec({ adapter: [{ use: name, with: { from: "tiny:adapter" } }] }) as unknown as RunSpec,
          catalog,
        );
        const events2: TrainingEvent[] = [];
        for await (
          const event of trainRun(
            { ...again, training: { ...again.training, maxSteps: 1, learningRate: 0, evalOnStart: true } },
            host,
            {},
          )
        ) events2.push(event);
        const final = events.findLast((e) => e.type === "evaluate");
        const first = events2.find((e) => e.type === "evaluate");
        assert.ok(final?.type === "evaluate" && first?.type === "evaluate");
        assert.ok(
          Math.abs((final.metrics.loss ?? NaN) - (first.metrics.loss ?? NaN)) < 1e-6,
          `${final.metrics.loss} and ${first.metrics.loss}`,
        );
        if (!claims.mergeable) return;
        // merged = unmerged
        const open = await openRun(again, host);
        const merged = await memory().open(host);
        await again.use("exporter", "hf").write(await trainedForExport(open), merged);
        const model = tinyHost(await hostHere(1), await filesIn(merged, ""));
        near(await scores(tinySpec() as unknown as RunSpec, model), await scores(again.spec, host), 1e-5);
      });
    }
  });
}

function storeOf(files: Named<Uint8Array>): Store {
  return {
    get: async (key, range) => {
      const bytes = files[key];
      if (!bytes) return undefined;
      return {
        key,
        size: bytes.length,
        revision: "1",
        bytes: range ? bytes.slice(range.offset, range.offset + range.length) : bytes,
      };
    },
    put: async () => "conflict",
    delete: async () => "conflict",
    list: async function* () {},
  };
}
