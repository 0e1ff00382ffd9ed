/**
 * Whole training graphs of a small BERT: their gradients are the slope of their loss, the runtime agrees, and
 * checkpointing changes nothing but the memory.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { trainsRule } from "../../../core/engine/builder/parameters.ts";
import { buildProgram, type Program } from "../../../core/engine/program.ts";
import { lossFactorInput, type Node, reachable, type Value } from "../../../core/graph/graph.ts";
import { inspectBackbone } from "../../../core/engine/inspect.ts";
import { evaluateShape } from "../../../core/graph/ops/dims.ts";
import { print } from "../../../core/graph/print.ts";
import { choosePlaces } from "../../../core/graph/row_selection.ts";
import { createRandom } from "../../../core/math/random.ts";
import { i32, sizeOf } from "../../../core/base/tensor.ts";
import { lora } from "../../../plugins/adapters/lora.ts";
import { sequence } from "../../../plugins/heads/sequence.ts";
import { crossEntropy } from "../../../plugins/losses/cross_entropy.ts";
import { bert } from "../../../plugins/architectures/bert.ts";
import { assertGolden } from "../../golden.ts";
import { type InputValues, near } from "../../../conformance/differences.ts";
import { interpret, type Reference } from "../../../conformance/oracle/interpreter.ts";
import { runOnnx } from "../../oracle/runtime.ts";
import { sampled } from "../../sampled.ts";

const config = {
  model_type: "bert",
  vocab_size: 12,
  hidden_size: 8,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 8,
  type_vocab_size: 2,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  layer_norm_eps: 1e-6,
};
const backbone = inspectBackbone(bert().read(config));
const head = sequence({ numLabels: 3 });
const place = { modules: head.modulesToSave, task: "SEQ_CLS" };

type Kind = "full" | "lora";
function program(kind: Kind, checkpointing: boolean, labelSmoothing = 0): Program {
  const attached = kind === "lora" ? [lora({ r: 2, loraDropout: 0.1 }).attach(backbone, place)] : [];
  return buildProgram({
    mode: "train",
    backbone,
    heads: [head],
    losses: [{ loss: crossEntropy(), output: "logits", target: "labels", weight: 1, name: "logits" }],
    attached,
    labelSmoothing,
    checkpointing,
    isTrainable: trainsRule(attached),
    targets: { labels: i32([1], [0]) },
  });
}

const places = [0, 4, 7];
const { picks, unpick, perRow } = choosePlaces(places, 2, 4);
const dims = { batch: 2, seq: 4, sequences: 3, "first.picks": perRow };
const fixed: Readonly<Record<string, readonly number[]>> = {
  input_ids: [2, 5, 5, 0, 2, 7, 3, 11],
  token_type_ids: [0, 0, 1, 0, 0, 1, 0, 0],
  segments: [1, 1, 1, 0, 1, 1, 1, 2],
  positions: [0, 1, 2, 0, 0, 1, 2, 0],
  first: places,
  "first.picks": [...picks],
  "first.unpick": [...unpick],
  labels: [0, 2, 1],
  [lossFactorInput("logits")]: [1 / 3],
};

/** Numbers for all that a program reads: the same for the same name, so that programs can be compared. */
function valuesFor({ graph, recorded }: Program): InputValues {
  const values: InputValues = {};
  for (const [name, value] of graph.inputs) {
    const size = evaluateShape(value.shape, dims);
    const random = createRandom(3).fork(name);
    const draw = recorded.masks.has(name)
      ? (i: number): number => (random.uniform(i) < 0.2 ? 0 : 1.25)
      : (i: number): number => Math.fround(0.5 * random.normal(i) + (name.includes("LayerNorm.weight") ? 1 : 0));
    const data = Float64Array.from({ length: sizeOf(size) }, (_, i) => fixed[name]?.[i] ?? draw(i));
    values[name] = { dims: size, data };
  }
  return values;
}
const results = ({ graph }: Program, given: InputValues): Map<string, Reference> => {
  const found = interpret(graph, given, [...graph.outputs.values()], dims);
  return new Map([...graph.outputs.keys()].map((name, i) => [name, found[i] as Reference]));
};

describe("a training graph", () => {
  for (const kind of sampled(["full", "lora"] as const, 2)) {
    it(`has the slope of its loss as gradients (${kind})`, () => {
      const built = program(kind, false, 0.1);
      const at = valuesFor(built);
      const actual = results(built, at);
      const loss = built.graph.outputs.get("loss.logits") as Value;
      // Along a random direction of each parameter, one at a time.
      for (const { parameter, dense, sparse } of built.gradients) {
        const center = at[parameter] as Reference;
        const random = createRandom(8).fork(parameter);
        const direction = Float64Array.from(center.data, (_, i) => random.normal(i));
        const lossAt = (step: number): number => {
          const data = center.data.map((x, i) => x + step * (direction[i] ?? 0));
          return interpret(built.graph, { ...at, [parameter]: { dims: center.dims, data } }, [loss], dims)[0]
            ?.data[0] ??
            NaN;
        };
        const h = 1e-4;
        const slope = (8 * (lossAt(h) - lossAt(-h)) - (lossAt(2 * h) - lossAt(-2 * h))) / (12 * h);
        let product = 0;
        if (dense) actual.get(dense)?.data.forEach((d, i) => (product += d * (direction[i] ?? NaN)));
        for (const { ids, rows } of sparse) {
          const width = center.dims[1] ?? 1;
          actual.get(rows)?.data.forEach((d, i) => {
            const row = fixed[ids]?.[Math.floor(i / width)] ?? NaN;
            product += d * (direction[row * width + (i % width)] ?? NaN);
          });
        }
        assert.ok(
          Math.abs(product - slope) <= 1e-6 * Math.max(0.1, Math.abs(slope)),
          `${parameter}: ${product}, ${slope}`,
        );
      }
    });
    it(`is what the runtime computes, checkpointed or not (${kind})`, async () => {
      for (const checkpointing of [false, true]) {
        const built = program(kind, checkpointing);
        const at = valuesFor(built);
        const found = await runOnnx(built.graph, at, dims);
        for (const [name, want] of results(built, at)) {
          // Gradients of key biases are zero but for rounding.
          if (!name.endsWith("key.bias")) near(found[name], want, name, 1e-4);
        }
      }
    });
  }
  it("gives a gradient of every parameter that trains, and of no other", () => {
    const names = (kind: Kind) => program(kind, false).gradients.map((g) => g.parameter);
    assert.deepEqual(new Set(names("full")), new Set(program("full", false).recorded.parameters.keys()));
    const parts = [0, 1, 2].flatMap((i) =>
      ["query", "value"].flatMap((m) =>
        ["A", "B"].map((p) => `bert.encoder.layer.${i}.attention.self.${m}.lora_${p}.weight`)
      )
    );
    assert.deepEqual(names("lora").sort(), [...parts, "classifier.bias", "classifier.weight"].sort());
  });
});

describe("checkpointing", () => {
  for (const kind of ["full", "lora"] as const) {
    const [plain, checkpointed] = [program(kind, false), program(kind, true)];
    const nodes = ({ graph }: Program): Node[] => reachable([...graph.outputs.values()]);
    it(`changes no loss and no gradient (${kind})`, () => {
      assert.deepEqual(plain.gradients, checkpointed.gradients);
      const [a, b] = [results(plain, valuesFor(plain)), results(checkpointed, valuesFor(checkpointed))];
      assert.deepEqual([...a.keys()], [...b.keys()]);
      for (const [name, want] of a) near(b.get(name), want, name, 1e-10);
    });
    it(`draws the same masks (${kind})`, () => assert.deepEqual(plain.recorded.masks, checkpointed.recorded.masks));
    it(`computes layers again, each behind the gradient that comes in (${kind})`, () => {
      const count = (p: Program, op: string): number => nodes(p).filter((node) => node.op === op).length;
      assert.equal(count(plain, "ReduceMax"), 0);
      // The last layer is not kept whole (rows are selected through it), so that it need not be made again.
      assert.equal(count(checkpointed, "ReduceMax"), 2);
      assert.equal(count(checkpointed, "Softmax"), count(plain, "Softmax") + 2);
      const again = nodes(checkpointed).filter((node) => node.op === "Softmax").filter((node) =>
        reachable(node.outputs).some((below) => below.op === "ReduceMax")
      );
      assert.equal(again.length, 2);
    });
    it(`keeps nothing of a layer but its input for the way back (${kind})`, () => {
      /** Nodes of the way back through layer 0 that read what the way there through it has made. */
      const readers = (p: Program): Node[] => {
        const scope = "bert.encoder.layer.0";
        const made = new Set(
          nodes(p).filter((node) => node.scope.startsWith(scope))
            .filter((node) => !reachable(node.outputs).some((below) => below.op === "ReduceMax"))
            .flatMap((node) => node.outputs),
        );
        return nodes(p).filter((node) => node.scope.startsWith(`d.${scope}`))
          .filter((node) => node.inputs.some((v) => v && made.has(v)));
      };
      assert.ok(readers(plain).length > 10);
      assert.deepEqual(readers(checkpointed), []);
    });
  }
});

it("the printed graph of a full fine-tuning is as pinned", () =>
  assertGolden("bert_full.txt", print(program("full", false).graph)));
