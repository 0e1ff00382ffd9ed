/**
 * No work twice: choosing places never makes a model do more products than its plain forward pass does, whatever the
 * family, and a checkpointed step computes each layer once more at most.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { createRunEngine } from "../../../core/run/plan/engine.ts";
import { buildProgram, type Program, type ProgramOptions } from "../../../core/engine/program.ts";
import { trainsRule } from "../../../core/engine/builder/parameters.ts";
import { type DimValues, evaluateDim, evaluateShape } from "../../../core/graph/ops/dims.ts";
import { type Node, reachable } from "../../../core/graph/graph.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { type OpenRun, openRun } from "../../../core/run/open/open.ts";
import type { Json, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { families, type Family, noDropout, tinyModel, variants } from "../../conformance/families.ts";
import { tinyHost } from "../../tiny.ts";
import { sampled } from "../../sampled.ts";

/** All places are chosen, so that a choice saves nothing. */
const [BATCH, SEQ] = [2, 9];

function dimsOf({ graph }: Program): DimValues {
  const dims: Record<string, number> = { batch: BATCH, seq: SEQ, decoderSeq: SEQ, sequences: BATCH };
  for (const name of graph.inputs.keys()) {
    if (name.endsWith(".picks")) dims[name] = SEQ;
    if (name.endsWith(".at")) dims[`${name}.count`] = BATCH * SEQ;
    if (name.endsWith(".unpick")) dims[`${name.slice(0, -".unpick".length)}.count`] = BATCH * SEQ;
  }
  return dims;
}

/** Multiply-adds of the products of a graph's outputs whose scope is asked for. */
function multiplyAdds(program: Program, wanted: (scope: string) => boolean): number {
  const dims = dimsOf(program);
  return reachable([...program.graph.outputs.values()]).filter((node) => wanted(node.scope)).reduce((sum, node) => {
    if (node.op !== "Gemm" && node.op !== "MatMul" && node.op !== "FusedMatMul") return sum;
    // Sums of columns by a row of ones are products in name alone.
    if (node.inputs[0]?.shape[0] === 1 && node.op === "MatMul") return sum;
    const transA = node.op !== "MatMul" && (node as Node<"Gemm">).attrs.transA === 1;
    const inner = evaluateDim(node.inputs[0]?.shape.at(transA ? -2 : -1) ?? 1, dims);
    return sum + inner * evaluateShape(node.outputs[0]?.shape ?? [], dims).reduce((a, b) => a * b, 1);
  }, 0);
}

const backwardScope = (scope: string): boolean => scope.startsWith("d.");
const forwardScope = (scope: string): boolean => !backwardScope(scope);

async function opened(
  family: Family,
  task: Json,
  adapter: Json[],
): Promise<Readonly<{ open: OpenRun; options: ProgramOptions }>> {
  const rows = Array.from({ length: 2 }, () => ({
    input_ids: [2, 5, 7, 10, 13, 3],
    labels: task === family.task ? [2, 5, 7, 10, 13, 3] : [0, 1, 2, 0, 1, 2],
  }));
  const spec = {
    version: 1,
    model: tinyModel({ ...family, config: { ...family.config, ...noDropout } }),
    task,
    data: { train: { use: "memory", with: { rows } } },
    adapter,
  };
  const open = await openRun(compose(spec as unknown as RunSpec, catalog), tinyHost(await hostHere(1)));
  const train = await encodeRows(open, open.run.use("data", spec.data.train), true);
  const engine = await createRunEngine(open, train, undefined);
  const targets = Object.fromEntries(
    [...engine.program().graph.inputs].filter(([name]) => name.startsWith("labels"))
      .map((
        [name, value],
      ) => [name, { dtype: "int32" as const, dims: value.shape.map(() => 1), data: new Int32Array(1) }]),
  );
  await engine.close();
  return {
    open,
    options: {
      mode: "train",
      backbone: open.backbone,
      heads: open.heads,
      losses: open.losses,
      attached: open.attached,
      labelSmoothing: 0,
      checkpointing: false,
      isTrainable: trainsRule(open.attached),
      targets,
      fields: Object.keys(targets),
    },
  };
}

describe("no work twice", () => {
  const tasks = { places: { use: "token-classification", with: { labels: ["a", "b", "c"] } } };
  const lora = [{ use: "lora", with: { r: 2, targetModules: "all-linear" } }];
  for (const [name, family] of sampled(Object.entries({ ...families, ...variants }), 6)) {
    const task = typeof family.task === "string" ? family.task : tasks.places;
    for (const [how, adapter] of Object.entries({ "full tuning": [], LoRA: lora })) {
      it(`${name}, ${how}`, async () => {
        const { options } = await opened(family, task, adapter);
        const plain = buildProgram({ ...options, mode: "evaluate", targets: {}, fields: [], losses: [] });
        const [trained, evaluated, checkpointed] = [
          buildProgram(options),
          buildProgram({ ...options, mode: "evaluate" }),
          buildProgram({ ...options, checkpointing: true }),
        ];
        const forward = multiplyAdds(plain, forwardScope);
        assert.ok(forward > 10_000, `only ${forward}`);
        for (const [what, program] of Object.entries({ trained, evaluated })) {
          const counted = multiplyAdds(program, forwardScope);
          assert.ok(
            counted <= forward,
            `${what}: ${counted} multiply-adds forward, ${forward} without a choice of places`,
          );
        }
        const backward = multiplyAdds(trained, backwardScope);
        assert.ok(backward > forward / 2 && backward <= 2 * forward, `backward ${backward}, forward ${forward}`);
        const all = multiplyAdds(checkpointed, () => true);
        assert.ok(all <= 2 * forward + backward, `checkpointed: ${all}, 2 * ${forward} + ${backward}`);
      });
    }
  }
});
