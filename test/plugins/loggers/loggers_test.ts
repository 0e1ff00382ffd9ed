import assert from "node:assert/strict";
import { test } from "node:test";
import type { Example, Host, Logger, Run, Store, TrainingArguments, TrainingEvent } from "../../../core/types.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import { consoleLogger } from "../../../plugins/loggers/console.ts";
import { csv } from "../../../plugins/loggers/csv.ts";
import { jsonl } from "../../../plugins/loggers/jsonl.ts";
import { predictions } from "../../../plugins/loggers/predictions.ts";
import { tensorboard } from "../../../plugins/loggers/tensorboard.ts";
import { checksOf, loggedEvents, watchedStore } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";

type Training = Pick<TrainingArguments, "loggingSteps" | "loggingStrategy" | "loggingFirstStep">;

// Loggers read the run's name, spec and logging arguments only.
const runOf = (training: Partial<Training> = {}): Run =>
  ({
    name: "reviews",
    spec: { version: 1, name: "reviews" },
    training: { loggingSteps: 2, loggingStrategy: "steps", loggingFirstStep: false, ...training },
  }) as unknown as Run;

/** A host with a clock that goes on by 100 ms at each look, and a terminal that remembers. */
function hostOf(isTerminal: boolean, columns = 100): Host & { readonly written: string[] } {
  const written: string[] = [];
  let now = 0;
  return {
    runtime: "node",
    provider: "cpu",
    env: {},
    fetch,
    clock: { now: () => (now += 100), sleep: () => Promise.resolve() },
    terminal: { write: (text) => written.push(text), isTerminal, columns },
    memoryBytes: 0,
    threads: 1,
    written,
  } as Host & { readonly written: string[] };
}

for (const logger of [jsonl(), csv(), predictions(), tensorboard()]) {
  itPasses(logger.name, checksOf(logger, { host: hostOf(false), run: runOf() }));
}
for (const isTerminal of [false, true]) {
  itPasses(`console (terminal: ${isTerminal})`, checksOf(consoleLogger(), { host: hostOf(isTerminal), run: runOf() }));
}

async function logged(
  logger: Logger,
  output: Store,
  events: readonly TrainingEvent[],
  training: Partial<Training> = {},
): Promise<void> {
  const sink = await logger.open(hostOf(false), runOf(training), output);
  for (const event of events) sink.log(event);
  await sink.close();
}

const textOf = (store: ReturnType<typeof watchedStore>, key: string): string =>
  new TextDecoder().decode(store.files.get(key));
const linesOf = (store: ReturnType<typeof watchedStore>, key: string): string[] =>
  textOf(store, key).split("\n").slice(0, -1);
const start = (step: number): TrainingEvent =>
  loggedEvents.filter((e) => e.type === "start").map((e) => ({ ...e, step, epoch: step / 2 }))[0] ??
    { type: "checkpoint", step: 0, epoch: 0, name: "" };
const after = (step: number): TrainingEvent[] => loggedEvents.filter((e) => e.step > step);

test("jsonl: every step unrounded, whatever loggingSteps says", async () => {
  const store = watchedStore();
  await logged(jsonl(), store, loggedEvents, { loggingSteps: 500, loggingStrategy: "no" });
  const events = linesOf(store, "log.jsonl").map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map((e) => e.type),
    loggedEvents.filter((e) => !["progress", "examples"].includes(e.type)).map((e) => e.type),
  );
  const steps = events.filter((e) => e.type === "step");
  assert.deepEqual(Object.keys(steps[0]), [
    "type",
    "step",
    "epoch",
    "loss",
    "losses",
    "gradNorm",
    "learningRate",
    "tokens",
    "samples",
    "skipped",
  ]);
  assert.equal(steps[2].loss, 1 / 3);
  assert.equal(steps[3].loss, null);
});

test("jsonl: lines are in the store before the run goes on, so a crash loses none", async () => {
  const store = watchedStore();
  const sink = await jsonl().open(hostOf(false), runOf(), store);
  for (const event of loggedEvents.slice(0, 6)) sink.log(event);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assert.equal(linesOf(store, "log.jsonl").length, 4);
});

test("jsonl: where a store only replaces, what is written stays in proportion", async () => {
  const store = watchedStore({ appends: false });
  const sink = await jsonl().open(hostOf(false), runOf(), store);
  sink.log(start(0));
  const one = loggedEvents.find((e) => e.type === "step");
  for (let i = 0; i < 2000; i++) {
    if (one) sink.log(one);
    await Promise.resolve();
  }
  await sink.close();
  assert.equal(linesOf(store, "log.jsonl").length, 2001);
  assert.ok(store.writes.count < 120, `${store.writes.count} writes`);
});

test("a resumed run's logs are those of a run that was never cut off", async () => {
  for (const appends of [true, false]) {
    for (const logger of [jsonl(), csv()]) {
      const whole = watchedStore();
      await logged(logger, whole, loggedEvents, { loggingSteps: 3 });
      // Marked after each step, cut off some events later within a line.
      for (const at of [1, 2, 3, 4, 5, 6]) {
        const marked = loggedEvents.findIndex((e) => e.type === "step" && e.step === at) + 1;
        const store = watchedStore({ appends });
        const sink = await logger.open(hostOf(false), runOf({ loggingSteps: 3 }), store);
        for (const event of loggedEvents.slice(0, marked)) sink.log(event);
        const mark = JSON.parse(JSON.stringify(await sink.mark?.()));
        const files = new Map(store.files);
        for (const event of loggedEvents.slice(marked, marked + 3)) sink.log(event);
        await sink.close();
        for (const [key, bytes] of store.files) {
          const least = files.get(key)?.length ?? 0;
          store.files.set(key, bytes.slice(0, Math.max(least, bytes.length - 7)));
        }
        const again = await logger.open(hostOf(false), runOf({ loggingSteps: 3 }), store);
        again.resume?.(mark);
        for (const event of [start(at), ...loggedEvents.slice(marked)]) again.log(event);
        await again.close();
        for (const [key] of whole.files) assert.equal(textOf(store, key), textOf(whole, key), `${key} from step ${at}`);
      }
    }
  }
});

test("jsonl: a run that starts anew replaces the log, one that never starts leaves it", async () => {
  const store = watchedStore({ appends: false });
  store.files.set("log.jsonl", new TextEncoder().encode('{"type":"step","step":1}\n'));
  await logged(jsonl(), store, loggedEvents.slice(0, 2));
  assert.equal(linesOf(store, "log.jsonl").length, 2);
  await logged(jsonl(), store, [start(0)]);
  assert.equal(linesOf(store, "log.jsonl").length, 1);
});

test("csv: a row every loggingSteps, with the mean loss since the last", async () => {
  const store = watchedStore();
  await logged(csv(), store, loggedEvents);
  assert.deepEqual(linesOf(store, "log.csv"), [
    "step,epoch,loss,gradNorm,learningRate,tokens,samples",
    `2,1,0.75,0.5,${0.001 * (1 - 2 / 6)},203,8`,
    `4,2,${1 / 3},Infinity,${0.001 * (1 - 4 / 6)},207,8`,
    `6,3,${(1 / 5 + 1 / 6) / 2},1.5,0,211,8`,
  ]);
  assert.deepEqual(linesOf(store, "eval.csv").slice(0, 3), [
    "step,epoch,metric,value",
    "2,1,loss,0.5",
    "2,1,accuracy,0.75",
  ]);
});

test("csv: strategies, ratios, the first step, and what remains at the end", async () => {
  const stepsOf = async (
    training: Partial<Training>,
    events: readonly TrainingEvent[] = loggedEvents,
  ): Promise<string[]> => {
    const store = watchedStore();
    await logged(csv(), store, events, training);
    return linesOf(store, "log.csv").slice(1).map((line) => line.split(",")[0] ?? "");
  };
  assert.deepEqual(await stepsOf({ loggingSteps: 0.34 }), ["3", "6"]);
  assert.deepEqual(await stepsOf({ loggingSteps: 4, loggingFirstStep: true }), ["1", "4", "6"]);
  assert.deepEqual(await stepsOf({ loggingStrategy: "epoch" }), ["2", "4", "6"]);
  assert.deepEqual(await stepsOf({ loggingStrategy: "no" }), []);
  assert.deepEqual(await stepsOf({ loggingSteps: 4 }, loggedEvents.slice(0, 7)), ["2"]);
});

test("csv: names are quoted", async () => {
  const store = watchedStore();
  const odd: TrainingEvent = { type: "evaluate", step: 2, epoch: 1, metrics: { 'f1 "a",\nb': 1 }, best: false };
  await logged(csv(), store, [start(0), odd, ...after(0)]);
  assert.ok(textOf(store, "eval.csv").includes('2,1,"f1 ""a"", b",1\n'));
  assert.throws(() => csv({ path: "a", evalPath: "a" }), AttuneError);
});

test("console: plain lines where nobody looks", async () => {
  const host = hostOf(false);
  const sink = await consoleLogger().open(host, runOf(), undefined);
  for (const event of loggedEvents) sink.log(event);
  await sink.close();
  const lines = host.written.join("").split("\n");
  assert.equal(lines[0], "warning: 2 parameters start at random");
  assert.equal(lines[1], "tokenizing 8/8");
  assert.equal(
    lines[2],
    "reviews: 8 rows, 2 held out; 3 epochs, 6 steps; 294,912 of 66,955,010 parameters trainable (0.44 %)",
  );
  assert.match(lines[3] ?? "", /^step 2\/6 {2}epoch 1\.00 {2}loss 0\.7500 {2}grad 0\.5000 {2}lr 6\.67e-4/);
  assert.equal(lines[4], "step 2/6  evaluation  loss 0.5000  accuracy 0.7500  (best)");
  assert.equal(lines[5], "step 2/6  checkpoint  step-00000002");
  assert.match(lines.at(-2) ?? "", /^done after step 6 in 0:0\d {2}loss 0\.2500 {2}accuracy 1\.0000$/);
  assert.ok(host.written.every((text) => !text.includes("\x1b")));
});

test("console: what is told of a step stands behind its loss, however the run ends", async () => {
  const start = {
    type: "start",
    totalEpochs: 1,
    trainableParameters: 1,
    totalParameters: 1,
    trainRows: 1,
    evalRows: 1,
  } as const;
  const step = (step: number): TrainingEvent => ({
    type: "step",
    step,
    epoch: step / 10,
    loss: 1,
    losses: {},
    gradNorm: 1,
    learningRate: 1,
    tokens: 1,
    samples: 1,
    skipped: false,
  });
  const evaluated = (step: number): TrainingEvent => ({ type: "evaluate", step, epoch: 0, metrics: {}, best: false });
  const saved = (step: number): TrainingEvent => ({ type: "checkpoint", step, epoch: 0, name: "c" });
  for (const reason of ["done", "stopped", "interrupted"] as const) {
    const host = hostOf(false);
    const run = runOf();
    const training = { ...run.training, loggingSteps: 5 };
    const sink = await consoleLogger().open(host, { ...run, training }, undefined);
    sink.log({ ...start, step: 0, epoch: 0, totalSteps: reason === "done" ? 7 : 10 });
    for (let i = 1; i <= 7; i++) {
      sink.log(step(i));
      if (i === 3 || i === 7) { for (const event of [evaluated(i), saved(i)]) sink.log(event); }
    }
    sink.log({ type: "end", step: 7, epoch: 0, reason, metrics: {} });
    await sink.close();
    const told = host.written.join("").split("\n").flatMap((line) => {
      const [, at, what] = /^step +(\d+)\/\d+ +(\w+)/.exec(line) ?? [];
      return at === undefined ? [] : [`${at} ${what}`];
    });
    const expected = ["3 evaluation", "3 checkpoint", "5 epoch", "7 epoch", "7 evaluation", "7 checkpoint"];
    assert.deepEqual(told, expected, reason);
  }
});

test("console: a bar on a terminal, never longer than a line", async () => {
  for (const columns of [30, 80, 200]) {
    const host = hostOf(true, columns);
    const sink = await consoleLogger().open(host, runOf(), undefined);
    for (const event of loggedEvents) sink.log(event);
    await sink.close();
    const bars = host.written.map((text) => text.split("\x1b[K").at(-1) ?? "").filter((text) => text.includes("━"));
    assert.ok(bars.length > 4);
    for (const text of bars) assert.ok((text.split("\n").at(-1) ?? "").length < columns, text);
    const all = host.written.join("");
    assert.ok(all.includes("step 4/6  evaluation  loss 0.6250  accuracy 0.5000"));
    assert.ok(columns < 80 || /step 5\/6 {2}loss 0\.\d{4} {2}0:00 left {2}1,0\d\d tokens\/s/.test(all), all);
    assert.ok(all.endsWith("\n"));
  }
});

/** The same events of a trainer that counts multiply-adds, on a machine whose peak was measured. */
const counted: readonly TrainingEvent[] = loggedEvents.map((event) =>
  event.type === "start"
    ? { ...event, peakMultiplyAddsPerSecond: 4e11 }
    : event.type === "step"
    ? { ...event, multiplyAdds: 3e10 }
    : event
);

test("console: multiply-adds a second, and how much of the machine's peak that is", async () => {
  for (const isTerminal of [false, true]) {
    const host = hostOf(isTerminal, 200);
    const sink = await consoleLogger().open(host, runOf(), undefined);
    for (const event of counted) sink.log(event);
    await sink.close();
    // 100 ms a step: 3e11 a second.
    assert.match(host.written.join(""), /300\.0 G multiply-adds\/s \(75 % of peak\)/);
  }
});

test("console: a peak that is measured again behind a step is the one that further steps are compared with", async () => {
  const host = hostOf(false, 200);
  const sink = await consoleLogger().open(host, runOf(), undefined);
  for (const event of counted) {
    sink.log(event.type === "start" ? { ...event, peakMultiplyAddsPerSecond: 1e11 } : event);
    if (event.type !== "start") continue;
    sink.log({ type: "peak", step: 0, epoch: 0, peakMultiplyAddsPerSecond: 6e11 });
  }
  await sink.close();
  assert.match(host.written.join(""), /300\.0 G multiply-adds\/s \(50 % of peak\)/);
});

test("console: a peak that steps surpass is no peak", async () => {
  const host = hostOf(false, 200);
  const sink = await consoleLogger().open(host, runOf(), undefined);
  for (const event of counted) sink.log(event.type === "start" ? { ...event, peakMultiplyAddsPerSecond: 1e11 } : event);
  await sink.close();
  assert.match(host.written.join(""), /300\.0 G multiply-adds\/s/);
  assert.doesNotMatch(host.written.join(""), /of peak/);
});

test("jsonl: what is measured on the machine is written where it is asked for, and nowhere else", async () => {
  const [plain, timed] = [watchedStore(), watchedStore()];
  await logged(jsonl(), plain, counted);
  await logged(jsonl({ speed: true }), timed, counted);
  const steps = (store: typeof plain) =>
    linesOf(store, "log.jsonl").map((line) => JSON.parse(line)).filter((e) => e.type === "step");
  assert.deepEqual(steps(plain).map((e) => e.multiplyAdds), Array(6).fill(3e10));
  assert.doesNotMatch(textOf(plain, "log.jsonl"), /PerSecond|peakShare/);
  assert.match(linesOf(timed, "log.jsonl").find((line) => line.includes('"start"')) ?? "", /4000000000/);
  for (const { multiplyAdds, multiplyAddsPerSecond, peakShare } of steps(timed)) {
    assert.ok(multiplyAddsPerSecond >= multiplyAdds && multiplyAddsPerSecond < 1e12, `${multiplyAddsPerSecond}`);
    assert.equal(peakShare, multiplyAddsPerSecond / 4e11);
  }
});

test("console: no text moves the cursor", async () => {
  const host = hostOf(false);
  const sink = await consoleLogger().open(host, runOf(), undefined);
  sink.log({ type: "warning", step: 0, epoch: 0, code: "X", message: "a\x1b[2Jb\r\nc\x07\x9b1m" });
  sink.log({ type: "evaluate", step: 0, epoch: 0, metrics: { "\x1b[31mred": 1 }, best: false });
  await sink.close();
  assert.deepEqual(host.written, ["warning: a?[2Jb c??1m\n", "step 0  evaluation  ?[31mred 1.0000\n"]);
});

test("predictions: every row as the trained model answers it, a file for each task, of the last evaluation", async () => {
  const store = watchedStore();
  const host = hostOf(false);
  const sink = await predictions({ path: "answers.jsonl" }).open(host, runOf(), store);
  const rowsOf = async function* (prediction: string, failure?: Error): AsyncGenerator<Example> {
    yield { row: 0, text: "x", reference: "a", prediction, scores: [0.25, 0.75], groups: { region: "north" } };
    if (failure) throw failure;
    yield { row: 1, text: "y", reference: "b", prediction: "b" };
  };
  await sink.rows?.("films", rowsOf("b"));
  await sink.rows?.("", rowsOf("a"));
  await sink.rows?.("", rowsOf("b"));
  await sink.rows?.("places", (async function* () {})());
  await assert.rejects(async () => await sink.rows?.("broken", rowsOf("b", new Error("no more"))), /no more/);
  await sink.close();
  assert.deepEqual([...store.files.keys()].sort(), ["answers.jsonl", "films-answers.jsonl"]);
  assert.deepEqual(linesOf(store, "answers.jsonl"), [
    '{"row":0,"label":"a","prediction":"b","scores":[0.25,0.75],"groups":{"region":"north"}}',
    '{"row":1,"label":"b","prediction":"b"}',
  ]);
  const without = await predictions({}).open(host, runOf(), undefined);
  await without.rows?.("", rowsOf("b"));
  await without.close();
});
