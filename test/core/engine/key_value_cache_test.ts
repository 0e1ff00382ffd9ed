/** What generation keeps of a text is written in place and read where it is: nothing is copied that grows with it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createKeyValueCache } from "../../../core/engine/key_value_cache.ts";
import { lower } from "../../../core/engine/lower/lower.ts";
import { buildProgram } from "../../../core/engine/program.ts";
import { inspectBackbone } from "../../../core/engine/inspect.ts";
import type { AttachedAdapter, Json, Named, Ort, OrtTensor } from "../../../core/types.ts";
import { prefixTuning } from "../../../plugins/adapters/prefix_tuning.ts";
import { lm } from "../../../plugins/heads/lm.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import figures from "../../fixtures/generation.json" with { type: "json" };
import { sampled } from "../../sampled.ts";
import { readBackbone } from "../../formula.ts";

const cases = figures.cases as unknown as readonly Readonly<{ name: string; config: Named<Json> }>[];
const lib = (await hostHere(1)).lib as Ort;

describe("the graph of one more token", () => {
  const namesOf = (config: Named<Json>, prefix: boolean): string[] => {
    const backbone = inspectBackbone(readBackbone(config));
    const attach = (): AttachedAdapter =>
      prefixTuning({ numVirtualTokens: 3 }).attach(backbone, {
        modules: [],
        task: "CAUSAL_LM",
        tokenizer: undefined as never,
        isInCheckpoint: () => false,
      });
    const { graph } = buildProgram({
      mode: "generate",
      phase: "decode",
      backbone,
      heads: [lm()],
      losses: [],
      attached: prefix ? [attach()] : [],
      labelSmoothing: 0,
      checkpointing: false,
      isTrainable: () => false,
      targets: { "labels.at": { dtype: "int32", dims: [0], data: new Int32Array(0) } },
    });
    const { model, values } = lower(graph, () => ({ as: "feed" }));
    assert.ok(model.graph.nodes.some(({ attributes }) => "transBatchB" in attributes));
    const copying = model.graph.nodes.filter(({ op }) => op !== "Reshape");
    return copying.flatMap(({ op, outputs }) =>
      outputs.flatMap((name) => {
        const shape = values.get(name)?.shape ?? [];
        const grows = shape.some((dim) => String(dim).includes("pastSeq"));
        // Scores have one number for each place, kept keys and values as many as a head is wide.
        return grows && !`${shape.at(-1)}`.includes("pastSeq") && shape.length === 4 && shape.at(-1) !== 1
          ? [`${op} ${name} [${shape}]`]
          : [];
      })
    );
  };
  for (const { name, config } of sampled(cases)) {
    it(`copies no keys and values: ${name}`, () => assert.deepEqual(namesOf(config, false), []));
  }
  it("copies none behind a prefix, either", () => {
    const config = cases.find((own) => own.config.model_type === "llama")?.config;
    assert.ok(config);
    assert.deepEqual(namesOf(config, true), []);
  });
});

describe("a cache of keys and values", () => {
  const tensor = (values: readonly number[], dims: readonly number[]): OrtTensor =>
    new lib.Tensor("float32", Float32Array.from(values), dims);
  const added = (...values: number[]): ReadonlyMap<string, OrtTensor> =>
    new Map([["past.0.key", tensor(values, [values.length / 4, 2, 1, 2])]]);
  const now = (cache: ReturnType<typeof createKeyValueCache>): number[] =>
    Array.from(cache.feeds().get("past.0.key")?.data as Float32Array);

  it("has what was written, in order, in the rows that go on", () => {
    const cache = createKeyValueCache(lib);
    cache.append(added(1, 2, 3, 4, 5, 6, 7, 8));
    cache.append(added(9, 10, 11, 12));
    assert.equal(cache.places, 3);
    assert.deepEqual(now(cache), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    cache.choose(Int32Array.of(1, 0));
    assert.deepEqual(now(cache), [3, 4, 1, 2, 7, 8, 5, 6, 11, 12, 9, 10]);
    cache.choose(Int32Array.of(1));
    assert.deepEqual(now(cache), [1, 2, 5, 6, 9, 10]);
    assert.deepEqual(cache.feeds().get("past.0.key")?.dims, [3, 1, 1, 2]);
    cache.choose(Int32Array.of(0, 0, 0));
    assert.deepEqual(now(cache), [1, 2, 1, 2, 1, 2, 5, 6, 5, 6, 5, 6, 9, 10, 9, 10, 9, 10]);
  });

  it("moves as often as its room is doubled", () => {
    const cache = createKeyValueCache(lib);
    const buffers = new Set<ArrayBufferLike>();
    for (let place = 0; place < 1000; place++) {
      cache.append(added(place, 0, 0, 0));
      buffers.add((cache.feeds().get("past.0.key")?.data as Float32Array).buffer);
    }
    assert.ok(buffers.size <= 10, `${buffers.size} buffers for 1000 places`);
    assert.equal(now(cache)[4 * 999], 999);
  });
});
