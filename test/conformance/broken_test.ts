import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { checksOf, conform, memoryHost, memoryStore } from "../../conformance/mod.ts";
import type {
  Callback,
  Dataset,
  Logger,
  Loss,
  Metric,
  MetricInputs,
  Optimizer,
  Queue,
  Schedule,
  StoreOpener,
  Transform,
  TransformRow,
} from "../../kit.ts";
import { earlyStopping } from "../../plugins/callbacks/early_stopping.ts";
import { memory as rowsInMemory } from "../../plugins/data/memory.ts";
import { jsonl } from "../../plugins/loggers/jsonl.ts";
import { crossEntropy } from "../../plugins/losses/cross_entropy.ts";
import { mse } from "../../plugins/losses/mse.ts";
import { accuracy } from "../../plugins/metrics/accuracy.ts";
import {
  add,
  cast,
  equal,
  log,
  logSoftmax,
  maximum,
  mul,
  neg,
  not,
  pick,
  softmax,
  sqrt,
  square,
  sub,
  sum,
} from "../../kit.ts";
import { adam } from "../../plugins/optimizers/adam.ts";
import { memory as memoryQueue } from "../../plugins/queues/memory.ts";
import { linear } from "../../plugins/schedules/linear.ts";
import { memory as memoryStoreOf } from "../../plugins/stores/memory.ts";
import { augment } from "../../plugins/transforms/augment.ts";
import { filter } from "../../plugins/transforms/filter.ts";
import { failing } from "./failing.ts";

/** A plugin, what is wrong with a copy of it, and the check that has to say so. */
type Broken<P> = readonly [what: string, plugin: P, check: RegExp];

const schedule = linear({ warmupSteps: 3 });
let drifting = 0;
const schedules: readonly Broken<Schedule>[] = [
  ["rates above 1", { ...schedule, factor: (step) => step }, /from 0 to 1/],
  ["rates that depend on calls", { ...schedule, factor: () => 1 / (1 + (drifting++ % 7)) }, /depend on the step alone/],
  ["no warm-up", { ...schedule, factor: () => 1 }, /warm-up rises/],
  ["no number in a long run", {
    ...schedule,
    factor: (step, total) => total > 5000 ? NaN : schedule.factor(step, total, 1),
  }, /from 0 to 1/],
  ["a rate of its own above a small one", {
    ...schedule,
    factor: (step, total, rate) => Math.max(1e-5 / rate, schedule.factor(step, total, rate)),
  }, /from 0 to 1/],
  ["a name with capitals", { ...schedule, name: "Linear" } as Schedule, /lower-case/],
];

const metric = accuracy();
const metrics: readonly Broken<Metric>[] = [
  ["a state that JSON loses", { ...metric, init: () => new Map() } as Metric, /plain data|finite/],
  ["merging that forgets", { ...metric, merge: (a) => a }, /merging gives/],
  ["a result that is no number", { ...metric, compute: () => ({ accuracy: NaN }) }, /finite or null/],
  ["the wrong way round", { ...metric, greaterIsBetter: false }, /whether greater is better/],
  ["means of means", {
    ...metric,
    init: () => ({ mean: 0, count: 0 }),
    update: (state, example) => {
      const { mean, count } = state as Record<"mean" | "count", number>;
      const { prediction, reference } = example as MetricInputs["label"];
      return { mean: (mean * count + Number(prediction === reference)) / (count + 1), count: count + 1 };
    },
    merge: (a, b) => {
      const [x, y] = [a, b] as Record<"mean" | "count", number>[];
      if (!x?.count || !y?.count) return x?.count ? a : b;
      return { mean: (x.mean + y.mean) / 2, count: x.count + y.count };
    },
    compute: (state) => ({ accuracy: (state as { mean: number }).mean }),
  }, /merging gives/],
  ["nothing to say", { ...metric, compute: () => ({}) }, /finite or null/],
  ["a reading that changes the state", {
    ...metric,
    // A state of its own: the one that accuracy begins with is every metric's.
    init: () => ({ count: 0, sum: 0 }),
    compute: (state) => {
      const values = metric.compute(state);
      (state as { count: number }).count = 1e6;
      return values;
    },
  }, /changes nothing|merging/],
];

const callback = earlyStopping({ earlyStoppingPatience: 1 });
const callbacks: readonly Broken<Callback>[] = [
  [
    "a state in a closure",
    ((): Callback => {
      let seen = 0;
      return { ...callback, on: () => ({ state: {}, ask: ++seen % 3 === 0 ? { stop: "Enough" } : {} }) };
    })(),
    /any interruption/,
  ],
  ["asks for what there is not", {
    ...callback,
    on: (state) => ({ state, ask: { pause: true } as object }),
  }, /only for what there is/],
  ["changes its state in place", {
    ...callback,
    init: () => ({ n: 0 }),
    on: (state) => {
      (state as { n: number }).n++;
      return { state };
    },
  }, /never changed in place/],
];

const logger = jsonl();
const sinkOf = async (...args: Parameters<Logger["open"]>) => await logger.open(...args);
const loggers: readonly Broken<Logger>[] = [
  ["throws at an event", {
    ...logger,
    open: async (...args) => ({
      ...await sinkOf(...args),
      log: (event) => {
        if (event.type === "warning") throw new Error("What is this?");
      },
    }),
  }, /takes every event/],
  ...["peak", "drift", "data", "samples"].map((type): Broken<Logger> => [`throws at ${type}`, {
    ...logger,
    open: async (...args) => ({
      ...await sinkOf(...args),
      log: (event) => {
        if (event.type === type) throw new Error("What is this?");
      },
    }),
  }, /what few runs tell/]),
  ["takes every reference for a text", {
    ...logger,
    open: async (...args) => ({
      ...await sinkOf(...args),
      log: (event) => {
        if (event.type === "examples") { for (const { reference } of event.examples) (reference as string).trim(); }
      },
    }),
  }, /rows as nobody expects/],
  ["hides a store that fails", {
    ...logger,
    open: async (...args) => {
      const sink = await sinkOf(...args);
      return { ...sink, close: async () => await sink.close().catch(() => {}) };
    },
  }, /failing store/],
];

const loss = mse();
const classLoss = crossEntropy();
const losses: readonly Broken<Loss>[] = [
  [
    "is no sum over rows",
    { ...loss, sum: (b, x, y) => mul(loss.sum(b, x, y), loss.sum(b, x, y)) },
    /adds up over rows/,
  ],
  ["counts one row", { ...loss, count: () => 1 }, /adds up over rows/],
  ["reads weights and counts them not", { ...loss, count: (y) => loss.count(y) }, /as often as its weight says/],
  [
    "counts weights and reads them not",
    { ...loss, sum: (b, x, y) => loss.sum(b, x, y) },
    /as often as its weight says/,
  ],
  [
    "has no slope where all is right",
    { ...loss, sum: (_, x, y) => sqrt(add(square(sub(x, y)), 0)) },
    /finite where outputs are right/,
  ],
  ["takes the logarithm of nothing", {
    ...classLoss,
    sum: (_, x, y) => neg(sum(mul(pick(log(softmax(x)), maximum(y, 0)), cast(not(equal(y, -100)), "float32")))),
  }, /where they are far off/],
  [
    "learns what is not to be learned",
    { ...classLoss, sum: (_, x, y) => neg(sum(pick(logSoftmax(x), maximum(y, 0)))) },
    /counts for nothing/,
  ],
  ["counts what is not to be learned", { ...classLoss, count: ({ data }) => data.length }, /counts for nothing/],
  ["a mean over nothing known", { ...loss, over: "epoch" as "step" }, /what its mean is over/],
];

const optimizer = adam();
const optimizers: readonly Broken<Optimizer>[] = [
  ["climbs", {
    ...optimizer,
    update: (span, update, kernels) => kernels.axpy(span.parameter, update.learningRate, span.gradient),
  }, /bottom of a parabola/],
  ["ignores gradientScale", {
    ...optimizer,
    state: () => ({}),
    update: (span, update, kernels) => kernels.axpy(span.parameter, -update.learningRate, span.gradient),
  }, /scales the gradient/],
  [
    "keeps its state in a closure",
    ((): Optimizer => {
      let calls = 0;
      return {
        ...optimizer,
        state: () => ({}),
        update: (span, { learningRate, gradientScale }, kernels) =>
          kernels.axpy(span.parameter, -learningRate * gradientScale / (1 + (calls++ % 5)), span.gradient),
      };
    })(),
    /from saved state/,
  ],
  ["an idle factor that is not its step's", { ...optimizer, decayWithoutGradient: () => 0.5 }, /idle factor/],
];

const rows = Array.from({ length: 6 }, (_, i) => ({ text: `row ${i}` }));
const dataset = rowsInMemory({ rows });
const datasets: readonly Broken<Dataset>[] = [
  ["starts anew behind a row", {
    ...dataset,
    open: async (host) => {
      const opened = await dataset.open(host);
      return { ...opened, read: () => opened.read() };
    },
  }, /behind any row/],
  ["a length that is wrong", {
    ...dataset,
    open: async (host) => ({ ...await dataset.open(host), length: 5 }),
  }, /gives its rows/],
  ["a fingerprint of nothing", {
    ...dataset,
    open: async (host) => ({ ...await dataset.open(host), fingerprint: "rows" }),
  }, /fingerprint/],
];

const storeSource = memoryStoreOf();
const stores: readonly Broken<StoreOpener>[] = [
  ["lets two writers win", {
    ...storeSource,
    open: async () => {
      const store = memoryStore();
      return { ...store, put: (key, bytes) => store.put(key, bytes) };
    },
  }, /only if nothing else did/],
  ["takes any key", {
    ...storeSource,
    open: async () => ({ ...memoryStore(), get: async () => undefined }),
  }, /relative paths/],
];

const queueSource = memoryQueue();
const queues: readonly Broken<Queue>[] = [
  ["gives an id to two", {
    ...queueSource,
    open: async () => {
      const ids: string[] = [];
      return {
        push: async (id: string) => void ids.push(id),
        pull: async () => {
          const id = ids.shift();
          return id === undefined ? undefined : { id, ack: async () => {}, nack: async () => void ids.push(id) };
        },
        close: async () => {},
      };
    },
  }, /each id once/],
];

const transform = augment({ methods: ["typo"], columns: ["text"] });
const plain = filter({ column: "text", maxLength: 30 });
const each = (change: (item: TransformRow, i: number) => TransformRow[]): Transform["apply"] =>
  async function* (rows) {
    let i = 0;
    for await (const item of rows) yield* change(item, i++);
  };
let passes = 0;
const transforms: readonly Broken<Transform>[] = [
  ["drops rows and says nothing", { ...plain, apply: each((item, i) => (i % 2 ? [item] : [])) }, /counts the rows/],
  [
    "makes rows and says nothing",
    { ...plain, scope: "choice", apply: each((item) => [item, item]) },
    /counts the rows/,
  ],
  [
    "changes rows and says nothing",
    { ...plain, apply: each((item) => [{ ...item, row: { ...item.row, text: "x" } }]) },
    /counts the rows/,
  ],
  ["changes the rows that it is given", {
    ...plain,
    apply: each((item) => {
      (item.row as Record<string, unknown>).seen = true;
      return [item];
    }),
  }, /as they are/],
  [
    "gives others each time",
    { ...plain, apply: each((item) => [{ ...item, row: { n: passes++ } }]) },
    /same rows each time/,
  ],
  [
    "says that a row depends on itself alone, and counts them",
    { ...plain, apply: each((item, i) => [{ ...item, row: { ...item.row, i } }]) },
    /by index/,
  ],
  ["chooses rows, and changes them", {
    ...plain,
    scope: "choice",
    apply: async function* (rows, context) {
      for await (const item of rows) {
        context.note(item, "changed", "text");
        yield { ...item, row: { text: "x" } };
      }
    },
  }, /by index/],
  ["draws by the seed and does not say so", transform, /same rows for every seed/],
];

const all = {
  transform: transforms,
  schedule: schedules,
  metric: metrics,
  callback: callbacks,
  logger: loggers,
  loss: losses,
};
const others = { optimizer: optimizers, dataset: datasets, store: stores, queue: queues };
for (const [kind, broken] of Object.entries({ ...all, ...others })) {
  describe(`the checks of a ${kind} find one that`, () => {
    for (const [what, plugin, check] of broken as readonly Broken<Schedule>[]) {
      it(what, async () => {
        const failed = await failing(checksOf(plugin, { shortest: 0.02 } as object));
        assert.ok(failed.some((name) => check.test(name)), `expected ${check} among ${JSON.stringify(failed)}`);
      });
    }
  });
}

describe("the checks of a dataset", () => {
  it("find a fingerprint that stays where an option changes the rows", async () => {
    const variants = [rowsInMemory({ rows: rows.slice(1) })];
    const { fingerprint } = await dataset.open(memoryHost(undefined));
    const stays = variants.map((one): Dataset => ({
      ...one,
      open: async (host) => ({ ...await one.open(host), fingerprint }),
    }));
    assert.deepEqual(await failing(checksOf(dataset, { variants })), []);
    const failed = await failing(checksOf(dataset, { variants: stays }));
    assert.deepEqual(failed, ["has a fingerprint of its content"]);
  });
  it("say of rows without an index that these are not looked at", async () => {
    const streamed: Dataset = {
      ...dataset,
      open: async (host) => {
        const { at: _, ...opened } = await dataset.open(host);
        return opened;
      },
    };
    const skipped: string[] = [];
    for (const check of checksOf(streamed)) {
      await check.run();
      if (check.skipped !== undefined) skipped.push(`${check.name}: ${check.skipped}`);
    }
    assert.match(skipped.join("\n"), /^gives rows by index[^\n]*: its rows have no `at`[^\n]*$/);
  });
});

it("loggers are told every kind of event", () => {
  const text = readFileSync(new URL("../../core/types/events.ts", import.meta.url), "utf8");
  const [union = ""] = text.slice(text.indexOf("export type TrainingEvent =")).split(";\n\n/**");
  const types = new Set([...union.matchAll(/\btype: "(\w+)"/g)].map(([, type]) => type));
  const battery = readFileSync(new URL("../../conformance/logger.ts", import.meta.url), "utf8");
  const told = new Set([...battery.matchAll(/\btype: "(\w+)"/g)].map(([, type]) => type));
  assert.deepEqual([...types].filter((type) => !told.has(type)), []);
  assert.ok(types.size > 10);
});

describe("conform", () => {
  it("passes a plugin that holds, and says all that does not of one that fails", async () => {
    await conform(schedule);
    await assert.rejects(
      conform({ ...schedule, factor: () => 2 }),
      /schedule "linear" fails:\nfactors are from 0 to 1[^\n]*\n {2}step 0 of 1[^\n]*2\nwarm-up rises/,
    );
  });
  it("says in its name what is not looked at", () => {
    const names = checksOf(adam()).map(({ name }) => name);
    assert.ok(names.includes("takes the reference's steps (not looked at without figures.steps)"));
  });
  it("needs no runner of tests", () => {
    for (
      const file of readdirSync(new URL("../../conformance", import.meta.url), { recursive: true, encoding: "utf8" })
    ) {
      if (!file.endsWith(".ts")) continue;
      const text = readFileSync(new URL(`../../conformance/${file}`, import.meta.url), "utf8");
      assert.doesNotMatch(text, /from "node:|catalog\.ts"/, file);
    }
  });
});
