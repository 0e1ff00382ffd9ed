/** Checks of regularizers, on a tiny model. */
import { compose } from "../core/spec/compose.ts";
import { layOut } from "../core/loop/layout.ts";
import { encodeRows } from "../core/run/rows/data.ts";
import { allSamples } from "../core/run/rows/encoded_rows.ts";
import { createRunEngine } from "../core/run/plan/engine.ts";
import { trainRun } from "../core/run/train/train.ts";
import type { Json, Named, Regularizer } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, lossesIn, memoryStore, rowsOf } from "./bench.ts";
import { type Check, check } from "./check.ts";
import { assertSlopes } from "./slopes.ts";

/** Options of a regularizer's checks. */
export type RegularizerFigures = Readonly<{
  /** The same regularizer with strength 0. */
  off?: Regularizer;
  /** Whether gradients match the term's slope, which they do not if reversed on purpose. Default: true. */
  smooth?: boolean;
}>;

/** Returns the checks of a regularizer. */
export function regularizerChecks(
  regularizer: Regularizer,
  { off, smooth = true }: RegularizerFigures,
  bench: Bench,
): readonly Check[] {
  const steps = { maxSteps: 4, maxGradNorm: 0, evalOnStart: true };
  const run = async (regularizers: readonly Regularizer[], training: Named<Json> = steps): Promise<
    Readonly<{ first: number; losses: number[] }>
  > => {
    const events = await bench.train({ regularizers }, training);
    return { first: events.find((e) => e.type === "evaluate")?.metrics.loss ?? NaN, losses: lossesIn(events) };
  };
  return [
    check("is not there in evaluation", async () => {
      const { first } = await run([regularizer]);
      assert.equal(first, (await run([])).first);
    }),
    check("changes training, by a loss whose gradients are its slopes", async () => {
      const [changed, plain] = [(await run([regularizer])).losses, (await run([])).losses];
      assert.ok(changed.some((loss, i) => loss !== plain[i]), "training is as without it");
      for (const loss of changed) assert.ok(Number.isFinite(loss), `a loss of ${loss}`);
      if (!smooth) return;
      const open = await bench.open({ regularizers: [regularizer] });
      const train = await encodeRows(open, rowsOf(open), true);
      const samples = await allSamples(train);
      const engine = await createRunEngine(open, train, undefined);
      await assertSlopes(engine, layOut(samples.slice(0, 4), open.layout), 1e-3);
      await engine.close();
    }),
    check("goes on exactly from a checkpoint", async () => {
      const spec = bench.spec({ regularizers: [regularizer] }, { maxSteps: 4, saveSteps: 2 });
      const whole = memoryStore();
      const output = memoryStore();
      for await (const _ of trainRun(compose(spec, bench.catalog), bench.host, { output: whole }));
      const abort = new AbortController();
      const options = { output, signal: abort.signal };
      for await (const event of trainRun(compose(spec, bench.catalog), bench.host, options)) {
        if (event.type === "step" && event.step === 2) abort.abort();
      }
      for await (const _ of trainRun(compose(spec, bench.catalog), bench.host, { output, resume: true }));
      const weights = "model/model.safetensors";
      assert.ok(whole.files.has(weights), "the run wrote no model");
      assert.deepEqual(output.files.get(weights), whole.files.get(weights), "the weights of both");
    }),
    check("is nothing where its strength is nothing", async () => {
      if (!off) return;
      assert.near((await run([off])).losses, (await run([])).losses, 1e-6);
    }),
  ];
}
