/** The output of `--probe`: an evaluation's loss and the logits of its first batch. */
import type { Engine } from "../../engine/engine.ts";
import type { Evaluator } from "../../engine/evaluator.ts";
import type { Json, Named, Sample } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { batchesInOrder } from "../rows/ordered_batches.ts";
import { allSamples, type EncodedRows, inOrder } from "../rows/encoded_rows.ts";
import type { OpenRun } from "../open/open.ts";

/** Number of values of a logits array that are written. */
const VALUES = 4000;

/** Probes a run before and after training. */
export type Prober = Readonly<{
  /** Probes all tasks before training, with their measured metrics. */
  before(metrics: ReadonlyMap<string, Named<number>>): Promise<void>;
  /** Probes a task after training. */
  after(task: TaskRows, evaluator: Pick<Evaluator, "run">, metrics: Named<number>): Promise<void>;
  /** Returns the content of probe.json. */
  file(): Json;
}>;

/** Creates the prober of a run's tasks. */
export function createProber(engine: Pick<Engine, "of">, tasks: readonly TaskRows[]): Prober {
  const first = new Map<string, Json>();
  const probed: Record<string, Json> = {};
  return {
    before: async (metrics) => {
      for (const { open, evalRows } of tasks) {
        const { name } = open.task;
        if (evalRows) {
          first.set(name, await probeBatch(engine.of(name), open, evalRows, metrics.get(name) ?? {}));
        }
      }
    },
    after: async (task, evaluator, metrics) => {
      const { open, evalRows } = task;
      const after = evalRows && await probeBatch(evaluator, open, evalRows, metrics);
      probed[open.task.name] = await probeFile(task, first.get(open.task.name), after);
    },
    file: () => probed[""] ?? { tasks: probed },
  };
}

/** Returns the loss and the outputs of the first evaluation batch, in the format of the reference files. */
async function probeBatch(
  engine: Pick<Evaluator, "run">,
  open: OpenRun,
  evalRows: EncodedRows,
  metrics: Named<number>,
): Promise<Json> {
  const size = open.run.training.perDeviceEvalBatchSize;
  const { value: batch } = await batchesInOrder(inOrder(evalRows, size), size, { ...open.layout, rowSharing: false })
    .next();
  const result: Record<string, Json> = { loss: metrics.loss ?? null };
  if (!batch) return result;
  // Without labels, heads that read only labelled positions return the outputs of every position.
  const perPlace = Object.keys(batch.inputs).some((input) => input.endsWith(".at"));
  const { outputs } = await engine.run(batch, !perPlace);
  for (const [name, { dims: [rows = 0, ...rest], data }] of Object.entries(outputs)) {
    const dims = perPlace && rows !== batch.sequences ? [batch.batch, rows / batch.batch, ...rest] : [rows, ...rest];
    result[name] = { dims, values: [...data.subarray(0, VALUES)] };
  }
  return result;
}

/** Returns the content of probe.json for one task. */
async function probeFile(
  { open, train, evalRows }: TaskRows,
  before: Json | undefined,
  after: Json | undefined,
): Promise<Json> {
  const first = await allSamples(train, 6);
  const ids = (s: Sample): Json[] => s.sequences.map(({ fields }) => [...(fields.input_ids?.data ?? [])]);
  const labels = first.map((s): Json => {
    const labels = s.sequences[0]?.fields.labels;
    return labels ? [...labels.data] : Object.values(s.targets).filter((t) => t.column).flatMap((t) => [...t.data]);
  });
  return {
    tokenization: first.map((s) => (s.sequences.length === 1 ? ids(s)[0] ?? [] : ids(s))),
    ...(labels.every((l) => Array.isArray(l) && l.length > 0) ? { tokenizationLabels: labels } : {}),
    ...(open.task.windows ? { features: { train: train.count, ...(evalRows ? { eval: evalRows.count } : {}) } } : {}),
    ...(before === undefined ? {} : { evalBefore: before }),
    ...(after === undefined ? {} : { eval: after }),
  };
}
