/** Weights of 16 bits are mapped as they are stored and read as the numbers they stand for. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as ort from "onnxruntime-node";
import type { Parameter } from "../../../core/engine/builder/parameters.ts";
import { lower } from "../../../core/engine/lower/lower.ts";
import type { Storage } from "../../../core/engine/lower/storage.ts";
import { storedBytes } from "../../../core/engine/weights.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import { writeOnnx } from "../../../core/onnx/write.ts";
import { createRandom, fillNormal } from "../../../core/math/random.ts";
import { fromFloat32, toFloat32, viewOf } from "../../../core/files/safetensors.ts";
import type { Checkpoint } from "../../../core/types.ts";

const [ROWS, WIDTH] = [7, 5];

/** A table that is looked up, and a product with it, as many times as asked. */
function graphOf(readers: number): Graph {
  const graph = new Graph();
  const table = graph.parameter("table", "float32", [ROWS, WIDTH]);
  const x = f.gather(table, graph.input("ids", "int32", ["n"]));
  graph.output("rows", x);
  for (let i = 0; i < readers; i++) {
    graph.output(`product${i}`, f.gemm(f.mul(x, i + 1), table, undefined, { transB: true }));
  }
  return graph;
}

async function run(graph: Graph, storage: (name: string, value: Value) => Storage, folder: string): Promise<{
  values: number[][];
  ops: string[];
}> {
  const { model } = lower(graph, storage);
  const session = await ort.InferenceSession.create(writeOnnx(model), {
    graphOptimizationLevel: "disabled",
    extra: { session: { disable_prepacking: "1", model_external_initializers_file_folder_path: folder } },
  });
  const results = await session.run({ ids: new ort.Tensor("int32", Int32Array.of(3, 0, 6, 3), [4]) });
  await session.release();
  const values = [...graph.outputs.keys()].map((name) => Array.from(results[name]?.data as Float32Array));
  return { values, ops: model.graph.nodes.map((node) => node.op) };
}

describe("weights of 16 bits", () => {
  const values = new Float32Array(ROWS * WIDTH);
  fillNormal(createRandom(3).fork("values"), values, 1);
  for (const dtype of ["bfloat16", "float16"] as const) {
    for (const [readers, casts] of [[2, 3], [9, 2]] as const) {
      it(`${dtype}, read by ${readers} products`, async () => {
        const bytes = fromFloat32(values, dtype);
        const rounded = toFloat32({ dtype, dims: [ROWS, WIDTH], data: viewOf(dtype, bytes) });
        const folder = await mkdtemp(join(tmpdir(), "half-"));
        try {
          await writeFile(join(folder, "weights"), bytes);
          const graph = graphOf(readers);
          const whole = await run(graph, () => ({ as: "inline", tensor: rounded }), folder);
          const mapped = { as: "external", location: "weights", offset: 0, length: bytes.byteLength, dtype } as const;
          const halves = await run(graph, () => mapped, folder);
          assert.deepEqual(halves.values, whole.values);
          // One for the rows that are looked up, and one for each product, or for many together: before all else.
          assert.equal(halves.ops.filter((op) => op === "Cast").length, casts);
          assert.deepEqual(halves.ops.slice(0, casts - 1), Array(casts - 1).fill("Cast"));
        } finally {
          await rm(folder, { recursive: true });
        }
      });
    }
  }
});

it("plan and engine count frozen weights as they are stored", () => {
  const parameter = { name: "w", local: "w", shape: [6, 4] } as unknown as Parameter;
  const bytes = (dtype: string | undefined): number =>
    storedBytes(
      parameter,
      { nameInCheckpoint: () => (dtype === undefined ? undefined : "w"), storageOf: () => undefined },
      { weights: { locate: () => ({ dtype }) } } as unknown as Checkpoint,
    );
  assert.deepEqual(["bfloat16", "float16", "float32", undefined].map(bytes), [48, 48, 96, 96]);
});
