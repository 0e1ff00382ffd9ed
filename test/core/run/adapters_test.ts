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
    const found: number[] = [];
    for await (const { score } of set.predict(rows, stack)) found.push(Number(score));
    return found;
  };
  const alone = async (names: readonly string[]): Promise<number[]> => {
    const run = compose(specOf(names.map(saved)), catalog);
    const found: number[] = [];
    const data = run.use("data", { use: "memory", with: { rows } });
    for await (const { score } of predictRows(await openRun(run, host), data)) found.push(Number(score));
    return found;
  };
  const near = (found: readonly number[], wanted: readonly number[], limit = 1e-6): void => {
    assert.equal(found.length, wanted.length);
    found.forEach((x, i) => assert.ok(Math.abs(x - (wanted[i] ?? NaN)) <= limit, `row ${i}: ${x} and ${wanted[i]}`));
  };

  it("each is what it is alone, in any order of requests", async () => {
    for (const name of ["a", "b", "scaled", "prompt", "wide", "a"]) near(await scores(name), await alone([name]));
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
    near(await scores(["a", "wide"]), await alone(["a", "wide"]));
    near(await scores(["a", "scaled"]), await alone(["a", "scaled"]));
    near(await scores(["b", "prompt"]), await alone(["b", "prompt"]));
  });
  it("none is the base", async () => near(await scores([]), await alone([])));
  it("the active one is used where a request names none", async () => {
    set.activate("b");
    assert.deepEqual(set.active, ["b"]);
    near(await scores(), await alone(["b"]));
    set.activate([]);
    near(await scores(), await alone([]));
  });
  it("merged into the base and out of it again", async () => {
    const [base, a, both] = [await scores([]), await scores("a"), await scores(["a", "wide"])];
    await set.merge("a");
    near(await scores([]), a, 1e-5);
    await set.unmerge();
    near(await scores([]), base, 0);
    await set.merge(["a", "wide"]);
    near(await scores([]), both, 1e-5);
    await set.unmerge();
    await assert.rejects(set.merge("prompt"), /does not change weights/);
    near(await scores([]), base, 0);
  });
  it("deleted ones are gone", async () => {
    await set.add("again", saved("a") as { use: string });
    await set.delete("again");
    await assert.rejects(scores("again"), /"again".*Allowed: "a"/);
    near(await scores("a"), await alone(["a"]));
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
    const own = await openAdapterPool(compose(specOf([]), counted), host);
    for (const name of ["a", "b"]) await own.add(name, saved(name) as { use: string });
    const ask = async (name: string): Promise<void> => {
      assert.deepEqual(own.fresh(name), []);
      for await (const _ of own.predict(rows, name));
    };
    await ask("a");
    const first = built;
    assert.ok(first > 0);
    for (const name of ["a", "b", "a"]) await ask(name);
    assert.equal(built, first);
    await own.close();
  });
});
