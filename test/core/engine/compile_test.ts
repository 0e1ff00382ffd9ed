/** Programs are opened in one place and models inspected in one: what both give is the same, however they are asked. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compile, type CompiledProgram, type How, lossIn, outputsIn } from "../../../core/engine/compile.ts";
import { createFeeder } from "../../../core/engine/feeds.ts";
import { inspect } from "../../../core/engine/inspect.ts";
import { initialWeights } from "../../../core/engine/weights.ts";
import { layOut } from "../../../core/loop/layout.ts";
import { createRandom } from "../../../core/math/random.ts";
import { type OpenRun, openRun } from "../../../core/run/open/open.ts";
import { encodeRows, trainData } from "../../../core/run/rows/data.ts";
import { compose } from "../../../core/spec/compose.ts";
import type { Batch, Ort, OrtTensor, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

async function opened(): Promise<Readonly<{ open: OpenRun; batch: Batch; lib: Ort }>> {
  const host = tinyHost(await hostHere(1));
  const open = await openRun(compose(tinySpec({ adapter: "lora" }) as unknown as RunSpec, catalog), host);
  const rows = await encodeRows(open, trainData(open), true);
  return { open, batch: layOut(await rows.samples([0, 1, 2]), open.layout), lib: host.lib as Ort };
}

async function compiled({ open, lib }: Awaited<ReturnType<typeof opened>>, how: How): Promise<CompiledProgram> {
  const { checkpoint, attached, backbone, host } = open;
  const initial = initialWeights(checkpoint, attached, backbone, createRandom(3));
  const feeder = createFeeder(lib, new Map(), host.kernels);
  return await compile({ ...open, labelSmoothing: 0, initial, fed: new Map(), feeder }, how, host);
}

describe("compile", () => {
  it("gives the same losses and outputs whatever a session does with its weights, in training and evaluation", async () => {
    const run = await opened();
    const { batch } = run;
    const calls: number[][] = [];
    for (const memory of ["compact", "mapped", "packed", "decoded"] as const) {
      for (const mode of ["evaluate", "train"] as const) {
        const program = await compiled(run, { mode, random: false, withOutputs: true, targets: batch.inputs, memory });
        const results = await program.run(batch);
        const { logits } = outputsIn(results, program.program);
        calls.push([lossIn(results, "logits"), ...logits?.data ?? []]);
        await program.close();
      }
    }
    const [first = []] = calls;
    assert.ok(first.length > 3 && first.every(Number.isFinite));
    for (const shapes of calls) {
      assert.equal(shapes.length, first.length);
      shapes.forEach((value, i) => assert.ok(Math.abs(value - (first[i] ?? NaN)) <= 1e-6, `${value}, ${first[i]}`));
    }
  });

  it("multiplies a loss and its gradients by what it is given, and passes over inputs that a program does not have", async () => {
    const run = await opened();
    const { batch, lib } = run;
    const program = await compiled(run, { mode: "train", random: false, targets: batch.inputs, memory: "mapped" });
    const [once, twice] = [
      await program.run(batch),
      await program.run(batch, {
        factorOf: () => 2,
        inputs: { stranger: new lib.Tensor("float32", Float32Array.of(1), []) as OrtTensor },
      }),
    ];
    assert.equal(lossIn(twice, "logits"), 2 * lossIn(once, "logits"));
    const named = program.program.gradients.flatMap(({ dense }) => dense ?? []);
    assert.ok(named.length > 0);
    for (const name of named) {
      const [a, b] = [once[name]?.data as Float32Array, twice[name]?.data as Float32Array];
      a.forEach((value, i) => assert.equal(b[i], 2 * value));
    }
    await program.close();
  });
});

it("inspect builds the same parts once, and others anew", async () => {
  const { open } = await opened();
  const inspected = inspect(open);
  assert.equal(inspect({ ...open }), inspected);
  assert.ok([...inspected.parameters.keys()].some((name) => name.includes("lora_A")));
  const bare = inspect({ backbone: open.backbone, heads: open.heads });
  assert.notEqual(bare, inspected);
  assert.ok(![...bare.parameters.keys()].some((name) => name.includes("lora_A")));
  assert.deepEqual(bare.modules.parameters, [...bare.parameters.keys()]);
});
