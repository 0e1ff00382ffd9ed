/** Short runs over the tiny model, for tests of objectives. */
import { compose } from "../../../core/spec/compose.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { writeSafetensors } from "../../../core/files/safetensors.ts";
import type { Host, Json, Named, Row, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory as rowsOf } from "../../../plugins/data/memory.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyWeights } from "../../tiny.ts";
import { collect } from "../../../core/base/collect.ts";

/** A host with the tiny model, without a head or with one. */
export async function host(head = false): Promise<Host> {
  const backbone = Object.entries(tinyWeights()).filter(([name]) => head || !name.startsWith("classifier."));
  return tinyHost(await hostHere(1), { "model.safetensors": writeSafetensors(Object.fromEntries(backbone)) });
}

/** A spec over the tiny model, evaluated on what it trains on. */
export function specOf(task: Json, rows: readonly Row[], change: Named<Json> = {}): Named<Json> {
  const { training, ...rest } = change;
  const data = { use: "memory", with: { rows: rows as unknown as Json } };
  return {
    version: 1,
    name: "tiny",
    model: {
      use: "pretrained",
      with: { path: "tiny:model", config: { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 } },
    },
    task,
    data: { train: data, eval: data },
    ...rest,
    training: {
      learningRate: 0.01,
      numTrainEpochs: 4,
      perDeviceTrainBatchSize: 4,
      perDeviceEvalBatchSize: 3,
      saveStrategy: "no",
      ...(training as Named<Json> | undefined),
    },
  };
}

/** A run's events, its losses, last metrics and files. `stopAt`: the step it is interrupted behind, to be resumed. */
export async function trained(
  spec: Named<Json>,
  { head = false, stopAt }: Readonly<{ head?: boolean; stopAt?: number }> = {},
): Promise<
  Readonly<{
    events: readonly TrainingEvent[];
    losses: readonly number[];
    metrics: Named<number>;
    output: Store;
    file(key: string): Promise<Json>;
  }>
> {
  const here = await host(head);
  const output = await memory().open(here);
  const events: TrainingEvent[] = [];
  for (const resume of stopAt === undefined ? [false] : [false, true]) {
    const abort = new AbortController();
    const options = { output, resume, probe: true, signal: abort.signal };
    for await (const event of trainRun(compose(spec as unknown as RunSpec, catalog), here, options)) {
      events.push(event);
      if (!resume && event.type === "step" && event.step === stopAt) abort.abort();
    }
  }
  const end = events.findLast((e) => e.type === "end");
  return {
    events,
    losses: events.flatMap((e) => (e.type === "step" ? [e.loss] : [])),
    metrics: end?.type === "end" ? end.metrics : {},
    output,
    file: async (key) => JSON.parse(new TextDecoder().decode((await output.get(key))?.bytes)),
  };
}

/** What the untrained tiny model predicts of rows. */
export async function predicted(spec: Named<Json>, rows: readonly Row[]): Promise<Named<Json>[]> {
  const open = await openRun(compose(spec as unknown as RunSpec, catalog), await host());
  return await collect(predictRows(open, rowsOf({ rows: [...rows] }), { untrained: true }));
}
