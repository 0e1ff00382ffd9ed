/** Sessions as ONNX Runtime is asked to open them. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { frozenBytes } from "../../../core/engine/packing.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { createRunEngine } from "../../../core/run/plan/engine.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { Ort, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { families, noDropout, tinyModel } from "../../conformance/families.ts";
import { tinyHost } from "../../tiny.ts";

// With shapes, opening takes time by the square of the nodes: each value is held against all that are free again.
it("a session is not told the shapes of what it is fed", async () => {
  const spec = {
    version: 1,
    model: tinyModel({ config: { ...families.llama?.config, ...noDropout }, task: "causal-lm" }),
    task: "causal-lm",
    data: { train: { use: "memory", with: { rows: [{ input_ids: [5, 6, 7, 8] }] } } },
  };
  const host = tinyHost(await hostHere(1));
  const lib = host.lib as Ort;
  const calls: (readonly unknown[])[] = [];
  const InferenceSession = {
    ...lib.InferenceSession,
    create: async (...given: Parameters<typeof lib.InferenceSession.create>) => {
      const session = await lib.InferenceSession.create(...given);
      const { inputMetadata } = session as unknown as { inputMetadata: readonly { shape: readonly unknown[] }[] };
      calls.push(...inputMetadata.map(({ shape }) => shape));
      return session;
    },
  };
  const open = await openRun(compose(spec as unknown as RunSpec, catalog), {
    ...host,
    lib: { ...lib, InferenceSession } as Ort,
  });
  const train = await encodeRows(open, open.run.use("data", spec.data.train), true);
  const engine = await createRunEngine(open, train, undefined);
  await engine.close();
  assert.ok(calls.length > 3);
  assert.deepEqual(calls.filter((shape) => shape.length > 0), []);
});

it("a table that is the head, too, counts among what is packed, and one that is only gathered from does not", async () => {
  const host = tinyHost(await hostHere(1));
  const bytesWith = async (tied: boolean): Promise<number> => {
    const config = { ...families.llama?.config, ...noDropout, tie_word_embeddings: tied };
    const spec = {
      version: 1,
      model: tinyModel({ config, task: "causal-lm" }),
      task: "causal-lm",
      adapter: "lora",
      data: { train: { use: "memory", with: { rows: [{ input_ids: [5, 6, 7, 8] }] } } },
    };
    const open = await openRun(compose(spec as unknown as RunSpec, catalog), host);
    const train = await encodeRows(open, open.run.use("data", spec.data.train), true);
    const engine = await createRunEngine(open, train, undefined);
    await engine.close();
    const trained = new Map(engine.state.trained.map(({ name }) => [name, 0]));
    assert.ok(trained.size > 0);
    return frozenBytes(engine.program(), trained, engine.initial);
  };
  assert.equal(await bytesWith(true), await bytesWith(false));
});
