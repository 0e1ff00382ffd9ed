import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { buildOn } from "../../graph_builder.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { f32 } from "../../../core/base/tensor.ts";
import type { Catalog, Loss, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { ctc } from "../../../plugins/losses/ctc.ts";
import { focal } from "../../../plugins/losses/focal.ts";
import { triplet } from "../../../plugins/losses/triplet.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { checkGradients, fixedInput, type InputValues, randomInput } from "../../../conformance/differences.ts";
import { interpret } from "../../../conformance/oracle/interpreter.ts";
import { checkLosses } from "../../parity/losses.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { itPassesSome } from "../../checks.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

const path = sharedPath("reference/losses.json");

it("losses and their gradients equal torch's", { skip: path ? false : SKIP_REASON }, async () => {
  const items = await checkLosses(path ?? "", /./);
  assert.ok(items.length >= 48);
  assert.deepEqual(items.filter((i) => i.status !== "ok").map((i) => `${i.name}: ${i.detail}`), []);
});

describe("ctc", () => {
  // Two sequences share the first row (3 and 2 places), one stands alone behind padding in the second.
  const dims = { batch: 2, seq: 5, sequences: 3 };
  const segments = [1, 1, 1, 2, 2, 0, 1, 1, 1, 1];
  const ids = [0, 0, 0, 1, 1, -1, 2, 2, 2, 2];
  const labels = [[1, 2], [2, -100], [1, 1]];
  const classes = 3;

  const built = (loss: Loss): { value: Value; given: InputValues } => {
    const graph = new Graph();
    const values: InputValues = {};
    const x = randomInput(graph, values, "logits", ["batch*seq", classes], dims);
    const int = (name: string, shape: readonly (string | number)[], data: readonly number[]): Value =>
      fixedInput(graph, values, name, "int32", shape, dims, data);
    int("segments", ["batch", "seq"], segments);
    int("sequence_ids", ["batch", "seq"], ids);
    int("columns", ["seq"], [0, 1, 2, 3, 4]);
    int("first", ["sequences"], [0, 3, 6]);
    return { value: loss.sum(buildOn(graph).build, x, int("labels", ["sequences", 2], labels.flat())), given: values };
  };

  // Every way to name a class at each place, those that spell the labels added up.
  const enumerated = (logits: Float64Array): number[] =>
    labels.map((own, sequence) => {
      const places = ids.flatMap((id, i) => (id === sequence ? [i] : []));
      const wanted = own.filter((id) => id >= 0).join();
      let total = 0;
      for (let code = 0; code < classes ** places.length; code++) {
        const path = places.map((_, i) => Math.floor(code / classes ** i) % classes);
        const spelled = path.filter((c, i) => c !== 0 && c !== path[i - 1]).join();
        if (spelled !== wanted) continue;
        total += places.reduce((p, place, i) => {
          const row = [...logits.subarray(place * classes, (place + 1) * classes)].map(Math.exp);
          return p * (row[path[i] ?? 0] ?? 0) / row.reduce((a, b) => a + b);
        }, 1);
      }
      return -Math.log(total);
    });

  it("is the sum over all spellings, in rows that are shared and behind padding", () => {
    const { value, given: values } = built(ctc({ reduction: "sum" }));
    const wanted = enumerated(values.logits?.data ?? new Float64Array()).reduce((a, b) => a + b);
    const [loss] = interpret(value.graph, values, [value], dims);
    assert.ok(Math.abs((loss?.data[0] ?? NaN) - wanted) < 1e-9, `${loss?.data[0]} and ${wanted}`);
  });

  it("has the slope of that sum", () => {
    const { value, given } = built(ctc());
    checkGradients(value, ["logits"], given, dims);
  });
});

it("focal has a slope where the prediction is certain", () => {
  const graph = new Graph();
  const values: InputValues = {};
  const x = fixedInput(graph, values, "logits", "float32", [2, 2], {}, [60, -60, 1, 0]);
  const target = fixedInput(graph, values, "target", "int32", [2], {}, [0, 1]);
  checkGradients(focal({ gamma: 0.5 }).sum(buildOn(graph).build, x, target), ["logits"], values, {});
});

it("triplets of any norm have its slope", () => {
  const graph = new Graph();
  const values: InputValues = {};
  const x = randomInput(graph, values, "output", [2, 3, 4], {});
  const weight = fixedInput(graph, values, "weight", "float32", [2], {}, [1, 0.5]);
  checkGradients(triplet({ p: 3, margin: 4, swap: true }).sum(buildOn(graph).build, x, weight), ["output"], values, {});
});

const ints = (...data: number[]) => ({ dtype: "int32" as const, dims: [data.length], data: Int32Array.from(data) });
const floats = (dims: readonly number[], ...data: number[]) => f32(dims, data);
const shares = floats([4, 3], 0.2, 0.3, 0.5, 1, 0, 0, 0.25, 0.25, 0.5, 0.1, 0.1, 0.8);
const flags = floats([4, 3], 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1);
const numbers = floats([4, 3], ...shares.data.map((x) => 3 * x - 1));
const classes = { output: [4, 3], target: ints(0, 2, -100, 1) };
const examples = {
  "cross-entropy": [classes, {}, { weight: [1, 0.5, 2] }, { over: "tokens", labelSmoothing: 0.3 }],
  focal: [classes, {}, { gamma: 0.5, alpha: [1, 0.5, 2] }],
  "bce-with-logits": [{ output: [4, 3], target: flags }, {}, { posWeight: [1, 2, 3] }],
  "focal-binary": [{ output: [4, 3], target: flags }, {}, { alpha: 0.25 }],
  mse: [{ output: [4, 3], target: numbers }, {}],
  mae: [{ output: [4, 3], target: numbers }, {}],
  huber: [{ output: [4, 3], target: numbers }, {}, { delta: 0.5 }],
  "smooth-l1": [{ output: [4, 3], target: numbers }, {}, { beta: 0 }],
  "kl-div": [{ output: [4, 3], target: shares }, {}, { reduction: "mean" }],
  "distillation-kl": [{ output: [4, 3], target: numbers }, {}],
  "cosine-embedding": [{ output: [4, 2, 3], target: ints(1, -1, -1, 1) }, {}, { margin: -0.5 }],
  triplet: [{ output: [4, 3, 5], target: floats([4], 1, 0.5, 1, 2) }, {}, { p: 1, margin: 3 }],
  "dpo-sigmoid": [{ output: [4, 2], target: floats([4, 2], -1, -2, -3, -1, 0, -1, -2, -2) }, {}, {
    labelSmoothing: 0.2,
  }],
} as const;
for (const [name, [example, ...options]] of Object.entries(examples)) {
  for (const option of options) {
    const parsed = (catalog as Catalog).loss?.[name]?.parse(option);
    if (!parsed || parsed.issues) throw new Error(`No loss "${name}" with ${JSON.stringify(option)}`);
    itPassesSome(`loss ${name} ${JSON.stringify(option)}`, checksOf(parsed.value, example));
  }
}
it("every loss has its battery", () =>
  assert.deepEqual(
    Object.keys(catalog.loss ?? {}).filter((name) => name !== "ctc").sort(),
    Object.keys(examples).sort(),
  ));

it("label smoothing that no loss knows is an error", async () => {
  const spec = { ...tinySpec({ training: { labelSmoothingFactor: 0.1 } }), loss: "focal" } as unknown as RunSpec;
  const events = trainRun(compose(spec, catalog), tinyHost(await hostHere(1)), {});
  await assert.rejects(async () => {
    for await (const _ of events);
  }, /labelSmoothingFactor.*focal/s);
});
