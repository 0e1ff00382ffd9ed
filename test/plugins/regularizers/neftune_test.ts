import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildOn } from "../../graph_builder.ts";
import { createFeeder } from "../../../core/engine/feeds.ts";
import type { Session } from "../../../core/engine/sessions.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import { layOut, plainLayout } from "../../../core/loop/layout.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { InspectedBackbone, Ort, Sample } from "../../../core/types.ts";
import { neftune } from "../../../plugins/regularizers/neftune.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { fixedInput, type InputValues, randomInput } from "../../../conformance/differences.ts";
import { interpret } from "../../../conformance/oracle/interpreter.ts";
import { run } from "../../tiny_run.ts";
import { near } from "../../near.ts";

describe("neftune", () => {
  const backbone = { wordEmbeddings: "table", wordLookups: ["table"] as readonly string[] } as InspectedBackbone;
  const sample = (length: number, row: number): Sample => ({
    sequences: [{
      length,
      fields: { input_ids: { axis: "token", data: new Int32Array(length).fill(1), padValue: 0 } },
    }],
    targets: {},
    row,
  });
  const around = (graph: Graph, x: Value, mode: "train" | "evaluate" = "train") => {
    const builder = buildOn(graph, mode);
    const call = { path: "table", ids: x, weight: x, embeddingDim: 6, scale: 1, side: "input" as const };
    const y = neftune({ noiseAlpha: 5 }).around?.(backbone, {}).embedding?.(builder.build, call, () => x) as Value;
    return {
      y,
      recorded: builder.recorded,
      other: neftune().around?.(backbone, {}).embedding?.(builder.build, { ...call, path: "types" }, () => x),
    };
  };

  it("adds noise times alpha over the root of a sequence's values", () => {
    const graph = new Graph();
    const values: InputValues = {};
    const dims = { batch: 1, seq: 5, sequences: 2 };
    const x = randomInput(graph, values, "x", ["batch*seq", 6], dims);
    const { y, other } = around(graph, x);
    assert.equal(other, x, "other tables stay as they are");
    randomInput(graph, values, "noise.0", ["batch*seq", 6], dims);
    fixedInput(graph, values, "sequence_ids", "int32", ["batch", "seq"], dims, [0, 0, 0, 1, -1]);
    fixedInput(graph, values, "first", "int32", ["sequences"], dims, [0, 3]);
    fixedInput(graph, values, "last", "int32", ["sequences"], dims, [2, 3]);
    const [found] = interpret(graph, values, [y], dims);
    [3, 3, 3, 1].forEach((length, place) => {
      for (let i = 6 * place; i < 6 * place + 6; i++) {
        near(
          found?.data[i],
          (values.x?.data[i] ?? NaN) + 5 / Math.sqrt(length * 6) * (values["noise.0"]?.data[i] ?? NaN),
          1e-9,
        );
      }
    });
  });

  it("draws uniform numbers by sequence and place, however sequences are laid out", async () => {
    const lib = (await hostHere(1)).lib as Ort;
    const drawn = async (share: boolean): Promise<{ noise: Float32Array; places: Int32Array }> => {
      const graph = new Graph();
      const { recorded } = around(graph, graph.input("x", "float32", ["batch*seq", 6]));
      const noise = graph.inputs.get("noise.0") as Value;
      const batch = layOut([sample(40, 0), sample(3, 1), sample(17, 2)], { ...plainLayout, rowSharing: share });
      const session = { feeds: new Map([["noise.0", noise]]), shapes: new Map() } as unknown as Session;
      const moment = { random: createRandom(1), step: 2, sequence: 0 };
      const feeds = await createFeeder(lib, new Map(), undefined).feeds(session, recorded, batch, {}, moment);
      return { noise: Float32Array.from(feeds["noise.0"]?.data as Float32Array), places: batch.tokenOrigins };
    };
    const [padded, shared] = [await drawn(false), await drawn(true)];
    const byPlace = ({ noise, places }: typeof padded): Map<string, string> =>
      new Map(
        [...noise.keys()].filter((i) => i % 6 === 0).map((i) => {
          const place = i / 6;
          return [`${places[2 * place]} ${places[2 * place + 1]}`, noise.slice(i, i + 6).join()];
        }),
      );
    const [a, b] = [byPlace(padded), byPlace(shared)];
    for (const [place, values] of a) if (!place.startsWith("-1")) assert.equal(b.get(place), values);
    assert.ok(padded.noise.length > shared.noise.length);
    const real = [...shared.noise].filter((value) => value !== 0);
    const moment = (power: number): number => real.reduce((s, value) => s + value ** power, 0) / real.length;
    assert.equal(real.length, 60 * 6);
    assert.ok(Math.abs(moment(1)) < 0.1 && Math.abs(moment(2) - 1 / 3) < 0.06, `${moment(1)}, ${moment(2)}`);
    assert.ok(real.every((value) => Math.abs(value) <= 1));
  });

  it("is in training alone", async () => {
    const regularizers = [{ use: "neftune", with: { noiseAlpha: 5 } }];
    const training = { maxSteps: 2, learningRate: 0 };
    const [noisy, plain] = [await run({ training, regularizers }), await run({ training })];
    assert.notEqual(noisy.losses[0]?.logits, plain.losses[0]?.logits);
    assert.deepEqual(noisy.evaluated, plain.evaluated);
    const shared = await run({ training: { ...training, rowSharing: false }, regularizers });
    near(shared.losses[1]?.logits, noisy.losses[1]?.logits ?? NaN, 2e-6);
  });
});
