/** Checks of loggers. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { allBytes } from "../kit.ts";
import type { Host, Logger, Run, Store, StoredObject, TrainingEvent } from "../kit.ts";

/** Events of a run: three epochs of two steps, one of them skipped, and all other usual events. */
export const loggedEvents: readonly TrainingEvent[] = [
  { type: "progress", step: 0, epoch: 0, what: "tokenizing", done: 0, total: 8 },
  { type: "warning", step: 0, epoch: 0, code: "NEW_PARAMETERS", message: "2 parameters start at random" },
  { type: "progress", step: 0, epoch: 0, what: "tokenizing", done: 8, total: 8 },
  {
    type: "start",
    step: 0,
    epoch: 0,
    totalSteps: 6,
    totalEpochs: 3,
    trainableParameters: 294912,
    totalParameters: 66955010,
    trainRows: 8,
    evalRows: 2,
  },
  ...[1, 2].map((step) => stepped(step)),
  { type: "evaluate", step: 2, epoch: 1, metrics: { loss: 0.5, accuracy: 0.75 }, best: true },
  { type: "checkpoint", step: 2, epoch: 1, name: "step-00000002" },
  ...[3, 4].map((step) => stepped(step)),
  { type: "warning", step: 4, epoch: 2, code: "NON_FINITE", message: "Step 4 was skipped" },
  { type: "evaluate", step: 4, epoch: 2, metrics: { loss: 0.625, accuracy: 0.5 }, best: false },
  ...[5, 6].map((step) => stepped(step)),
  { type: "evaluate", step: 6, epoch: 3, metrics: { loss: 0.25, accuracy: 1 }, best: true },
  { type: "examples", step: 6, epoch: 3, phase: "after", task: "", labels: [], metrics: { loss: 0.25 }, examples: [] },
  { type: "end", step: 6, epoch: 3, reason: "done", metrics: { loss: 0.25, accuracy: 1 } },
];

/** Events of only some runs, with unusual rows. */
const rareEvents: readonly TrainingEvent[] = [
  { type: "peak", step: 6, epoch: 3, peakMultiplyAddsPerSecond: 1e9 },
  { type: "drift", step: 0, epoch: 0, rows: 4, loss: -0.001, logits: 0.25, gradientCosine: null },
  { type: "data", step: 0, epoch: 0, what: "data.train", in: 8, out: 8, transforms: [] },
  {
    type: "samples",
    step: 6,
    epoch: 3,
    task: "",
    samples: [{ prompt: "", text: "<b>\u0000\ud800", reference: "" }],
  },
  {
    type: "examples",
    step: 6,
    epoch: 3,
    phase: "after",
    split: "test",
    task: "a task",
    labels: ["</script>", ""],
    metrics: { "": NaN, rate: Infinity },
    examples: [
      { row: 0, text: '\ud800</script>,"\n', reference: null, prediction: [1, "two"], loss: NaN },
      { row: 2 ** 40, text: "", reference: { a: ["b"] }, prediction: -1, scores: [NaN, 0], groups: { "": null } },
    ],
  },
  { type: "evaluate", step: 6, epoch: 3, metrics: { "": NaN, "a/b c": -Infinity }, best: false },
];

function stepped(step: number): TrainingEvent {
  const skipped = step === 4;
  return {
    type: "step",
    step,
    epoch: step / 2,
    loss: skipped ? NaN : 1 / step,
    losses: { "": skipped ? NaN : 1 / step },
    gradNorm: skipped ? Infinity : step / 4,
    learningRate: 0.001 * (1 - step / 6),
    tokens: 100 + step,
    samples: 4,
    skipped,
  };
}

/** The run to log. Default: a run of the tiny model. */
export type LoggerFigures = Readonly<{ run?: Run }>;

/** Creates a store in memory. `appends: false`: without `append`; `fails`: every write fails. */
export function watchedStore(
  { appends = true, fails = false }: Readonly<{ appends?: boolean; fails?: boolean }> = {},
): Store & { readonly files: Map<string, Uint8Array>; readonly writes: { count: number } } {
  const files = new Map<string, Uint8Array>();
  const writes = { count: 0 };
  const set = (key: string, bytes: Uint8Array): StoredObject => {
    if (fails) throw new Error("The disk is full");
    writes.count++;
    files.set(key, bytes);
    return { key, size: bytes.length, revision: String(writes.count) };
  };
  return {
    files,
    writes,
    get: async (key) => {
      const bytes = files.get(key);
      return bytes && { key, size: bytes.length, revision: "", bytes };
    },
    put: async (key, bytes) => {
      const whole = await allBytes(bytes);
      await Promise.resolve();
      return set(key, whole);
    },
    ...(appends
      ? {
        append: async (key: string, bytes: Uint8Array) => {
          await Promise.resolve();
          const before = files.get(key) ?? new Uint8Array();
          const all = new Uint8Array(before.length + bytes.length);
          all.set(before);
          all.set(bytes, before.length);
          return set(key, all);
        },
      }
      : {}),
    delete: async (key) => {
      files.delete(key);
      return "done";
    },
    list: async function* (prefix) {
      for (const [key, bytes] of files) if (key.startsWith(prefix)) yield { key, size: bytes.length, revision: "" };
    },
  };
}

/**
 * Returns the checks of a logger: it accepts every event and any number without throwing, with or without an output,
 * writes the same to any kind of store, does not change events, and reports a failing store when closed, not during the
 * run.
 */
export function loggerChecks(logger: Logger, host: Host, run: Run): readonly Check[] {
  const logAll = async (output: Store | undefined, events: readonly TrainingEvent[] = loggedEvents): Promise<void> => {
    const sink = await logger.open(host, run, output);
    for (const event of events) assert.equal(sink.log(event), undefined);
    await sink.close();
  };

  return [
    check("takes every event, with and without an output", async () => {
      assert.equal(logger.kind, "logger");
      const before = JSON.stringify(loggedEvents);
      await logAll(undefined);
      await logAll(watchedStore());
      assert.equal(JSON.stringify(loggedEvents), before);
    }),
    check("takes what few runs tell, and rows as nobody expects them", async () => {
      for (const event of rareEvents) {
        for (const output of [undefined, watchedStore()]) {
          await logAll(output, [...loggedEvents.slice(0, -1), event, ...loggedEvents.slice(-1)]).catch(
            (error: unknown) => {
              throw new Error(`${JSON.stringify(event)}: ${error instanceof Error ? error.message : error}`);
            },
          );
        }
      }
    }),
    check("a run may end anywhere, even before it starts", async () => {
      for (let n = 0; n < loggedEvents.length; n++) await logAll(watchedStore(), loggedEvents.slice(0, n));
    }),
    check("writes the same to a store that appends and to one that replaces", async () => {
      const [a, b] = [watchedStore(), watchedStore({ appends: false })];
      await logAll(a);
      await logAll(b);
      assert.deepEqual([...b.files.values()].map((f) => f.length), [...a.files.values()].map((f) => f.length));
    }),
    check("takes every row where it asks for that, with and without an output", async () => {
      for (const output of [undefined, watchedStore()]) {
        const sink = await logger.open(host, run, output);
        assert.ok(!logger.everyRow || sink.rows !== undefined, "a logger with everyRow has rows");
        await sink.rows?.("", (async function* () {})());
        await sink.close();
      }
    }),
    check("a failing store does not stop the run, and is not passed over in silence", async () => {
      const works = watchedStore();
      await logAll(works);
      const sink = await logger.open(host, run, watchedStore({ fails: true }));
      for (const event of loggedEvents) {
        sink.log(event);
        await Promise.resolve();
      }
      if (works.writes.count > 0) await assert.rejects(sink.close(), /The disk is full/);
      else await sink.close();
    }),
  ];
}
