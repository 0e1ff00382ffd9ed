import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { type AdapterPool, openAdapterPool } from "../../../core/inference/adapter_pool.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";
import { allNear } from "../../near.ts";

const rows = tinyRows.slice(0, 6);
const specOf = (adapter: Json, training: Named<Json> = {}): RunSpec =>
  tinySpec({ adapter, training }) as unknown as RunSpec;
const uses: Named<{ use: string; with: Named<Json> }> = {
  a: { use: "lora", with: { r: 2 } },
  b: { use: "lora", with: { r: 2 } },
  wide: { use: "lora", with: { r: 3, targetModules: "all-linear" } },
  scaled: { use: "ia3", with: {} },
  prompt: { use: "prompt-tuning", with: { numVirtualTokens: 2 } },
};
const saved = (name: string): Json => ({ use: uses[name]?.use ?? "", with: { from: `tiny:${name}` } });

describe("named adapters over one model", () => {
  let host: Host;
  let set: AdapterPool;

  before(async () => {
    const plain = tinyHost(await hostHere(1));
    const stores = new Map<string, Store>();
    for (const [i, [name, use]] of Object.entries(uses).entries()) {
      const output = await memory().open(plain);
      const training = { maxSteps: 3, learningRate: 0.05, seed: i + 1 };
      for await (const _ of trainRun(compose(specOf([use], training), catalog), plain, { output }));
      const adapter = await memory().open(plain);
      for await (const { key } of output.list("adapter/")) {
        await adapter.put(key.slice("adapter/".length), (await output.get(key))?.bytes ?? new Uint8Array());
      }
      stores.set(`tiny:${name}`, adapter);
    }
    host = { ...plain, directory: (path) => stores.get(path) ?? plain.directory?.(path) as Store };
    set = await openAdapterPool(compose(specOf([]), catalog), host);
    for (const name of Object.keys(uses)) await set.add(name, saved(name) as { use: string });
  });

  const scores = async (stack?: string | readonly string[]): Promise<number[]> => {
    const values: number[] = [];
    for await (const { score } of set.predict(rows, stack)) values.push(Number(score));
    return values;
  };
  const alone = async (names: readonly string[]): Promise<number[]> => {
    const run = compose(specOf(names.map(saved)), catalog);
    const values: number[] = [];
    const data = run.use("data", { use: "memory", with: { rows } });
    for await (const { score } of predictRows(await openRun(run, host), data)) values.push(Number(score));
    return values;
  };

  it("each is what it is alone, in any order of requests", async () => {
    for (const name of ["a", "b", "scaled", "prompt", "wide", "a"]) {
      allNear(await scores(name), await alone([name]), 1e-6);
    }
    assert.notDeepEqual(await scores("a"), await scores("b"));
  });
  it("adapters of one kind share a session", async () => {
    await set.close();
    await scores("a");
    assert.equal(set.sessions, 1);
    await scores("b");
    assert.equal(set.sessions, 1);
    await scores("scaled");
    assert.equal(set.sessions, 2);
  });
  it("stacked ones add up", async () => {
    allNear(await scores(["a", "wide"]), await alone(["a", "wide"]), 1e-6);
    allNear(await scores(["a", "scaled"]), await alone(["a", "scaled"]), 1e-6);
    allNear(await scores(["b", "prompt"]), await alone(["b", "prompt"]), 1e-6);
  });
  it("none is the base", async () => allNear(await scores([]), await alone([]), 1e-6));
  it("the active one is used where a request names none", async () => {
    set.activate("b");
    assert.deepEqual(set.active, ["b"]);
    allNear(await scores(), await alone(["b"]), 1e-6);
    set.activate([]);
    allNear(await scores(), await alone([]), 1e-6);
  });
  it("merged into the base and out of it again", async () => {
    const [base, a, both] = [await scores([]), await scores("a"), await scores(["a", "wide"])];
    await set.merge("a");
    allNear(await scores([]), a, 1e-5);
    await set.unmerge();
    allNear(await scores([]), base, 0);
    await set.merge(["a", "wide"]);
    allNear(await scores([]), both, 1e-5);
    await set.unmerge();
    await assert.rejects(set.merge("prompt"), /does not change weights/);
    allNear(await scores([]), base, 0);
  });
  it("deleted ones are gone", async () => {
    await set.add("again", saved("a") as { use: string });
    await set.delete("again");
    await assert.rejects(scores("again"), /"again".*Allowed: "a"/);
    allNear(await scores("a"), await alone(["a"]), 1e-6);
    await set.delete("scaled");
    assert.ok(!set.names.includes("scaled"));
  });
  it("refuses a taken name, an unknown one, and an adapter without a file", async () => {
    await assert.rejects(set.add("a", saved("a") as { use: string }), /unused name/);
    assert.throws(() => set.activate("c"), /unknown adapter "c"/);
    await assert.rejects(set.add("fresh", { use: "lora" }), /`from`/);
  });

  it("a question whose answer is known builds no graph", async () => {
    const bert = catalog.architecture?.bert;
    assert.ok(bert);
    let built = 0;
    const counting = {
      ...bert,
      parse: (options: unknown) => {
        const result = bert.parse(options);
        if (result.issues) return result;
        const { value } = result;
        const read: typeof value.read = (...args) => {
          const backbone = value.read(...args);
          return { ...backbone, forward: (b) => (built++, backbone.forward(b)) };
        };
        return { value: { ...value, read } };
      },
    };
    const counted = { ...catalog, architecture: { ...catalog.architecture, bert: counting } };
    const pool = await openAdapterPool(compose(specOf([]), counted), host);
    for (const name of ["a", "b"]) await pool.add(name, saved(name) as { use: string });
    const ask = async (name: string): Promise<void> => {
      assert.deepEqual(pool.fresh(name), []);
      for await (const _ of pool.predict(rows, name));
    };
    await ask("a");
    const first = built;
    assert.ok(first > 0);
    for (const name of ["a", "b", "a"]) await ask(name);
    assert.equal(built, first);
    await pool.close();
  });
});
