/** Checks of adapters, on a tiny model. */
import { compose } from "../core/spec/compose.ts";
import { describeTrainedModel } from "../core/run/write/export.ts";
import { predictRows } from "../core/run/evaluate/infer.ts";
import { openRun } from "../core/run/open/open.ts";
import { storeWithin } from "../core/files/within.ts";
import type { Adapter, Entry, Host, Json, Named, RunSpec, Store } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, evaluationIn, lossesIn, memoryStore, rowsOf, withFolders } from "./bench.ts";
import { type Check, check } from "./check.ts";

/** Claims of an adapter. */
export type AdapterClaims = Readonly<{
  /** A fresh adapter changes nothing. */
  startsAtBase: boolean;
  mergeable: boolean;
  /** Saves files that PEFT loads, and from which the adapter can continue (`from`). */
  peft: boolean;
}>;

/** Options of an adapter's checks. Without claims, they are taken from the adapter itself. */
export type AdapterFigures = Readonly<{ claims?: AdapterClaims }>;

/** Returns the checks of one configuration of an adapter. */
export function adapterChecks(adapter: Adapter, { claims }: AdapterFigures, bench: Bench): readonly Check[] {
  const scores = async (spec: RunSpec, host: Host): Promise<number[]> => {
    const open = await openRun(compose(spec, bench.catalog), host);
    const values: number[] = [];
    for await (const row of predictRows(open, rowsOf(open))) values.push(Number(row.score));
    return values;
  };
  const training = { maxSteps: 5, learningRate: 0.02, perDeviceTrainBatchSize: 8 };
  const claimed = async (): Promise<AdapterClaims> => {
    if (claims) return claims;
    const { attached: [attached] } = await bench.open({ adapter: [adapter] });
    const peft = attached?.record !== undefined && bench.catalog.adapter?.[adapter.name] !== undefined;
    return { startsAtBase: false, mergeable: attached?.merge !== undefined, peft };
  };
  return [
    check("trains something, and less than everything or all of it by intent", async () => {
      const events = await bench.train({ adapter: [adapter] }, training, memoryStore());
      const start = events.find((event) => event.type === "start");
      assert.ok(start && start.trainableParameters > 0, "no parameter trains");
      const losses = lossesIn(events);
      assert.notEqual(losses[0], losses.at(-1));
    }),
    check("learns the same where rows are shared, and where layers are computed again", async () => {
      const figures = async (change: Named<Json>): Promise<number[]> => {
        const events = await bench.train({ adapter: [adapter] }, { ...training, maxSteps: 3, ...change });
        return events.flatMap((event) => (event.type === "step" ? [event.loss, event.gradNorm] : []));
      };
      const shared = await figures({});
      assert.near(await figures({ rowSharing: false }), shared, 2e-5, "rows of their own");
      assert.near(await figures({ gradientCheckpointing: true }), shared, 2e-5, "layers computed again");
    }),
    check("starts as the base model, where it says so", async () => {
      if (!(await claimed()).startsAtBase) return;
      const base = await scores(bench.spec({}), bench.host);
      assert.near(await scores(bench.spec({ adapter: [adapter] }), bench.host), base, 1e-6);
    }),
    check("leaves the base's frozen weights as they are", async () => {
      const before = await bench.open({});
      const output = memoryStore();
      await bench.train({ adapter: [adapter] }, training, output);
      const { checkpoint } = await bench.open({ adapter: [adapter] });
      for (const key of checkpoint.weights.names) {
        assert.deepEqual(
          (await checkpoint.weights.read(key)).data,
          (await before.checkpoint.weights.read(key)).data,
          key,
        );
      }
    }),
    check("is the same after it was saved and loaded, and merged", async () => {
      const { peft, mergeable } = await claimed();
      if (!peft) return;
      const output = memoryStore();
      const events = await bench.train({ adapter: [adapter] }, training, output);
      const host = withFolders(bench.host, { "conformance:adapter": storeWithin(output, "adapter/") });
      const continued = continuedFrom(adapter, bench, "conformance:adapter");
      const once = { ...training, maxSteps: 1, learningRate: 0, evalOnStart: true };
      const again = await bench.train({ adapter: [continued] }, once, undefined, host);
      const first = again.find((event) => event.type === "evaluate");
      assert.near([first?.metrics.loss ?? NaN], [evaluationIn(events).loss ?? 0], 1e-6, "the loss of what was loaded");
      const spec = bench.spec({ adapter: [continued] });
      const run = compose(spec, bench.catalog);
      const merged = memoryStore();
      const written = run.use("exporter", "hf").write(await describeTrainedModel(await openRun(run, host)), merged);
      // An adapter that no weight can express must be refused, not silently ignored.
      if (await written.then(() => false, (cause) => !mergeable && cause?.code === "UNSUPPORTED")) return;
      await written;
      const alone = await scores(mergedSpec(bench, spec), withFolders(host, { "conformance:merged": merged }));
      assert.near(alone, await scores(spec, host), 1e-5, "what was merged");
    }),
  ];
}

/** Creates the same adapter continuing from a folder. */
function continuedFrom(adapter: Adapter, { catalog }: Bench, from: string): Adapter {
  const entry = catalog.adapter?.[adapter.name] as Entry<"adapter">;
  const parsed = entry.parse({ from });
  if (parsed.issues) throw new Error(`It saves files but has no option "from": ${parsed.issues[0]?.message}`);
  return parsed.value;
}

/** Returns the spec of a model that was written into a folder, read by the base's plugin with another path. */
function mergedSpec(bench: Bench, spec: RunSpec): RunSpec {
  const { model } = spec as unknown as { model: string | Readonly<{ use: string; with?: Named<unknown> }> };
  const reference = typeof model === "string" ? { use: model } : model;
  return bench.spec({ model: { ...reference, with: { ...reference.with, path: "conformance:merged" } } });
}

/** Returns a store's files below a prefix, by relative key. */
export async function filesOf(store: Store, prefix = ""): Promise<Named<Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for await (const { key } of store.list(prefix)) {
    files[key.slice(prefix.length)] = (await store.get(key))?.bytes ?? new Uint8Array();
  }
  return files;
}
