/** A model whose weights are read in parts gives what it gives as a whole. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { probeAll, type Probed } from "../../../core/engine/row_probe.ts";
import { initialWeights } from "../../../core/engine/weights.ts";
import { layOut } from "../../../core/loop/layout.ts";
import { createRandom } from "../../../core/math/random.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { encodeAll, trainData } from "../../../core/run/rows/data.ts";
import { compose } from "../../../core/spec/compose.ts";
import type { Host, Named, Ort } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { families, made, specWith } from "../../conformance/families.ts";
import { filesOf } from "../../plugins/accelerators/bases.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-parts-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const host = await hostHere(1);

/** What all rows give, and how many sessions that took. */
async function probed(
  path: string,
  family: string,
  part: number,
): Promise<
  Readonly<{ sessions: number; found: readonly Omit<Probed, "outputs">[]; outputs: readonly Named<number[]>[] }>
> {
  const adapter = { use: "lora", with: { r: 2, targetModules: "all-linear" } };
  const spec = specWith({ use: "pretrained", with: { path } }, families[family]?.task ?? null, [adapter], 0);
  const lib = host.lib as Ort;
  let sessions = 0;
  const create: Ort["InferenceSession"]["create"] = async (model, options) => {
    sessions++;
    return await lib.InferenceSession.create(model, options);
  };
  const counted: Host = { ...host, lib: { ...lib, Tensor: lib.Tensor, InferenceSession: { create } } };
  const open = await openRun(compose(spec, catalog), counted);
  const { checkpoint, attached, backbone, task, heads, losses } = open;
  const batches = (await encodeAll(open, trainData(open), true)).map((sample) => layOut([sample], open.layout));
  const [example] = batches;
  assert.ok(example);
  const outputs: Record<string, number[]>[] = batches.map(() => ({}));
  const probes: Omit<Probed, "outputs">[] = [];
  const factors = batches.map(() => Object.fromEntries(losses.map(({ name }) => [name, 1])));
  await probeAll(
    {
      host: counted,
      checkpoint,
      backbone,
      labelSmoothing: 0,
      task: { name: task.name, heads, losses, attached, example },
      initial: initialWeights(checkpoint, attached, backbone, createRandom(3)),
      withOutputs: true,
      sparing: true,
      part,
    },
    batches,
    factors,
    (made, i) => {
      for (const [name, { data }] of Object.entries(made)) Object.assign(outputs[i] ?? {}, { [name]: [...data] });
    },
    (one) => probes.push(one),
  );
  return { sessions, found: probes, outputs };
}

describe("a model in parts", () => {
  for (const family of ["llama", "gpt2", "bert", "t5"]) {
    it(`${family}: the same losses, gradients and outputs`, async () => {
      const path = join(folder, family);
      const files = await filesOf(await made(family), "model/");
      mkdirSync(path);
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
      const whole = await probed(path, family, Infinity);
      assert.equal(whole.sessions, 1);
      assert.ok(whole.outputs.every((one) => Object.values(one).some((values) => values.length > 0)));
      const parts = await probed(path, family, 2000);
      assert.ok(parts.sessions > 3, `${parts.sessions} parts`);
      assert.deepEqual(parts.found, whole.found);
      assert.deepEqual(parts.outputs, whole.outputs);
    });
  }
});
