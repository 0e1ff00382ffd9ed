/** Checks of heads, on a tiny model. */
import { inspect } from "../core/engine/inspect.ts";
import { createRunEngine } from "../core/run/plan/engine.ts";
import { encodeAll, encodeRows } from "../core/run/rows/data.ts";
import { allSamples } from "../core/run/rows/encoded_rows.ts";
import { openEvaluator } from "../core/run/evaluate/infer.ts";
import type { OpenRun } from "../core/run/open/open.ts";
import { layOut } from "../core/loop/layout.ts";
import { AttuneError, define, type Head, mul, type Named, square, sub, sum, type Task, type Value } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, rowsOf } from "./bench.ts";
import { type Check, check } from "./check.ts";
import { assertSlopes } from "./slopes.ts";
import { anyOptions } from "./tiny/words.ts";

/** Options of a head's checks. */
export type HeadFigures = Readonly<{
  /** Parts of a run that the head needs, such as rows if the default ones do not suit it. */
  base?: Named<unknown>;
  /** The collator of its task. Default: one for texts with a label each. */
  collator?: unknown;
  /** The models that the head must support. Default: at least one of an encoder and a decoder. */
  models?: readonly unknown[];
}>;

/** Loss Σ (x - 1)⁴ of an output, which suits any head, even one that starts at zero or normalizes its output. */
const fourthPowers = define({
  kind: "loss",
  name: "tiny-fourth-powers",
  schema: anyOptions,
  create: () => ({
    over: "batch" as const,
    sum: (_: unknown, output: Value) => {
      const squared = square(sub(output, 1));
      return sum(mul(squared, squared));
    },
    count: () => 4,
  }),
});

/** Returns the checks of a head. */
export function headChecks(head: Head, figures: HeadFigures, bench: Bench): readonly Check[] {
  const taskOf = (outputs: readonly string[]): Task => ({
    kind: "task",
    name: "tiny-head",
    options: {},
    subtasks: [{
      name: "",
      collator: (figures.collator ?? "tiny-texts") as string,
      heads: [head],
      metrics: [],
      losses: outputs.map((output) => ({ loss: fourthPowers(), output, target: "labels" })),
      taskType: "FEATURE_EXTRACTION",
      decode: () => ({}),
      predict: () => [],
    }],
  });
  const asked = figures.models ??
    [{ use: "tiny", with: { side: "encoder" } }, { use: "tiny", with: { side: "decoder" } }];
  /** Opens runs of the models that the head supports. */
  const opened = async (outputs: readonly string[] = []): Promise<OpenRun[]> => {
    const runs: OpenRun[] = [];
    for (const model of asked) {
      try {
        const open = await bench.open({ ...figures.base, model, task: taskOf(outputs) });
        inspect(open);
        runs.push(open);
      } catch (error) {
        if (!(error instanceof AttuneError) || figures.models) throw error;
      }
    }
    assert.ok(runs.length > 0, "it stands neither on an encoder nor on a decoder");
    return runs;
  };
  /** Returns outputs per position or per sample, by "name row:place" or "name row". */
  const outputsOf = async (open: OpenRun, share: boolean): Promise<Named<Named<Float32Array>>> => {
    const evaluator = openEvaluator(open, { untrained: true });
    const samples = await encodeAll(open, rowsOf(open), false);
    const batch = layOut(samples.slice(0, 4), { ...open.layout, rowSharing: share });
    const { outputs } = await evaluator.run(batch, false);
    await evaluator.close();
    const sides = [batch.decoder?.tokenOrigins, batch.tokenOrigins].filter((places) => places !== undefined);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { dims: [rows = 1], data }]) => {
        const places = sides.find(({ length }) => length === 2 * rows);
        const row = (i: number): Float32Array => data.subarray(i * data.length / rows, (i + 1) * data.length / rows);
        const keyed = Array.from({ length: rows }, (_, i): [string, Float32Array] => {
          const [sequence, place] = places?.subarray(2 * i, 2 * i + 2) ?? [i];
          return [sequence === -1 ? "" : `${sequence}:${place}`, row(i)];
        });
        return [name, Object.fromEntries(keyed.filter(([key]) => key !== ""))];
      }),
    );
  };
  return [
    check("gives outputs that are numbers", async () => {
      for (const open of await opened()) {
        const outputs = await outputsOf(open, false);
        assert.ok(Object.keys(outputs).length > 0, "no output");
        for (const [name, rows] of Object.entries(outputs)) {
          assert.match(name, /^[a-z][A-Za-z0-9.]*$/);
          const data = Object.values(rows).flatMap((row) => [...row]);
          assert.ok(data.length > 0 && data.every(Number.isFinite), `${name} has no numbers or others`);
        }
      }
    }),
    check("row sharing changes nothing", async () => {
      if (head.unshareable) return;
      for (const open of await opened()) {
        const [apart, together] = [await outputsOf(open, false), await outputsOf(open, true)];
        for (const [name, rows] of Object.entries(apart)) {
          assert.deepEqual(Object.keys(together[name] ?? {}).sort(), Object.keys(rows).sort(), name);
          for (const [at, row] of Object.entries(rows)) {
            assert.near(together[name]?.[at] ?? [], row, 1e-5, `${name} of ${at}`);
          }
        }
      }
    }),
    check("gradients are slopes", async () => {
      for (
        const open of await opened(Object.keys(await outputsOf((await opened())[0] as OpenRun, false)).slice(0, 1))
      ) {
        const train = await encodeRows(open, rowsOf(open), true);
        const samples = await allSamples(train);
        const engine = await createRunEngine(open, train, undefined);
        await assertSlopes(engine, layOut(samples.slice(0, 4), open.layout), 1e-3);
        await engine.close();
      }
    }),
    check("names modules that it adds", async () => {
      if (head.modulesToSave.length === 0) return;
      const added: string[] = [];
      for (const open of await opened()) {
        const names = [...inspect(open).parameters.keys()].filter((name) => !open.backbone.parameters.includes(name));
        const saved = open.backbone.heads[head.name]?.modulesToSave ?? head.modulesToSave;
        added.push(...names);
        if (names.some((name) => saved.some((module) => `.${name}`.includes(`.${module}.`)))) return;
      }
      throw new Error(`none of ${head.modulesToSave.join(", ")} is among what it adds: ${added.join(", ")}`);
    }),
  ];
}
