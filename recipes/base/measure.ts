/** Measures how similar a student's sentence embeddings are to the teacher's. */
import { compose } from "../../core/spec/compose.ts";
import { predictRows } from "../../core/run/evaluate/infer.ts";
import { openRun } from "../../core/run/open/open.ts";
import { createRandom } from "../../core/math/random.ts";
import type { Host, Named } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { spearman } from "../../plugins/metrics/spearman.ts";

/** Returns the embeddings of sentences by the model at a path. */
export async function embeddings(host: Host, path: string, texts: readonly string[]): Promise<number[][]> {
  const run = compose({
    version: 1,
    model: { use: "pretrained", with: { path } },
    task: { use: "distillation", with: { teacher: { use: "pretrained", with: { path } }, embeddings: {} } },
    data: {},
    training: { maxLength: 96, perDeviceEvalBatchSize: 32 },
  }, catalog);
  const rows = texts.map((text) => ({ text }));
  const vectors: number[][] = [];
  for await (
    const { embedding } of predictRows(await openRun(run, host), run.use("data", { use: "memory", with: { rows } }))
  ) {
    vectors.push(embedding as number[]);
  }
  return vectors;
}

/** Returns Spearman's correlation of cosines over random pairs, half of them nearest neighbours by the teacher. */
export function correlation(teacher: readonly number[][], student: readonly number[][], pairs: number): Named<number> {
  const random = createRandom(7).fork("pairs");
  const metric = spearman();
  const cosine = (vectors: readonly number[][], a: number, b: number): number =>
    (vectors[a] ?? []).reduce((sum, x, i) => sum + x * (vectors[b]?.[i] ?? 0), 0);
  const measured = (chosen: readonly (readonly [number, number])[]): number => {
    let state = metric.init();
    for (const [a, b] of chosen) {
      state = metric.update(state, { prediction: cosine(student, a, b), reference: cosine(teacher, a, b) });
    }
    return Object.values(metric.compute(state))[0] ?? NaN;
  };
  const at = (i: number): number => Math.floor(random.uniform(i) * teacher.length);
  const distant = Array.from({ length: pairs }, (_, i) => [at(2 * i), at(2 * i + 1)] as const).filter(([a, b]) =>
    a !== b
  );
  const near = Array.from({ length: Math.min(pairs, teacher.length) }, (_, a) => {
    let [best, most] = [a === 0 ? 1 : 0, -Infinity];
    for (let b = 0; b < teacher.length; b++) {
      const c = b === a ? -Infinity : cosine(teacher, a, b);
      if (c > most) [best, most] = [b, c];
    }
    return [a, best] as const;
  });
  return {
    random: measured(distant),
    nearest: measured(near),
    all: measured([...distant.slice(0, near.length), ...near]),
  };
}
