/**
 * A broken plugin for each check that needs a model, or that this package has few plugins for.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checksOf } from "../../conformance/mod.ts";
import { tinyAdapter } from "../../conformance/tiny/adapter.ts";
import { tinyConfig, tinyFamily, tinyFiles, tinyModel } from "../../conformance/tiny/network.ts";
import { tinyCollator, tinyHead, tinyLoss, tinyModelFiles, tinyRows, tinyTask } from "../../conformance/tiny/task.ts";
import { tinyTokenizer, tinyWords } from "../../conformance/tiny/words.ts";
import {
  type Accelerator,
  type Adapter,
  add,
  type Architecture,
  type Collator,
  createRandom,
  type Exporter,
  type Json,
  type Kind,
  type Kinds,
  type Loss,
  type ModelSource,
  mul,
  type Named,
  type Pruner,
  type Regularizer,
  reverseGradient,
  type Search,
  square,
  sum,
  type Task,
  type Tensor,
  type Tokenizer,
  type TokenizerLoader,
  type Trainer,
  type WeightStorage,
} from "../../kit.ts";
import { random } from "../../plugins/searches/random.ts";
import { ort } from "../../plugins/trainers/ort.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { itPasses } from "../checks.ts";
import { failing } from "./failing.ts";
import { sampled as some } from "../sampled.ts";

const { lib } = await hostHere(1);

/** What is wrong with a plugin, the plugin, the check that has to say so, and further figures. */
type Broken<K extends Kind> = readonly [what: string, plugin: Kinds[K], check: RegExp, figures?: object];
type Checked<K extends Kind> = Kinds[K] & { readonly kind: K };

function finds<K extends Kind>(kind: K, broken: readonly Broken<K>[]): void {
  describe(`the checks of a ${kind} find one that`, () => {
    for (const [what, plugin, check, figures] of some(broken)) {
      it(what, async () => {
        const own = { lib, ...figures } as unknown as Parameters<typeof checksOf<K>>[1];
        const failed = await failing(checksOf<K>(plugin as Checked<K>, own));
        assert.ok(failed.some((name) => check.test(name)), `expected ${check} among ${JSON.stringify(failed)}`);
      });
    }
  });
}

const search: Search = random({
  trials: 40,
  space: { rate: { type: "float", low: 0, high: 1 } },
}) as Search;
itPasses("a search that draws", checksOf(search as Checked<"search">));
let calls = 0;
/** A search that changes what a sound one proposes. */
const varied = (change: (params: Record<string, Json>) => Named<Json> | undefined): Search => ({
  ...search,
  next: (study, random) => {
    const params = search.next(study, random);
    return params && change({ ...params });
  },
});
finds("search", [
  ["has a state of its own", { ...search, next: (study) => search.next(study, createRandom(calls++)) }, /same next/],
  ["gives up where trials fail", {
    ...search,
    next: (study, random) =>
      study.trials.length > 0 && study.trials.every(({ state }) => state === "failed")
        ? undefined
        : search.next(study, random),
  }, /goes on/],
  ["never ends", { ...search, settings: { ...search.settings, trials: undefined } }, /^ends/, { most: 100 }],
  ["leaves the space", varied((params) => ({ ...params, rate: 1 })), /in the space/],
  ["gives no whole numbers", varied((p) => ({ ...p, rank: Number(p.rank) + 0.25 })), /whole ones/],
  ["forgets conditions", varied((params) => ({ momentum: 0.6, ...params })), /in the space/],
  ["draws between steps", varied((params) => ({ ...params, dropout: 0.2 })), /in the space/],
  ["draws evenly where magnitudes count", {
    ...search,
    next: (study, random) => {
      const space = Object.entries(study.space).map(([name, range]) => [
        name,
        range.type === "float" ? { ...range, log: false } : range,
      ]);
      return search.next({ ...study, space: Object.fromEntries(space) }, random);
    },
  }, /orders of magnitude/],
]);

const pruner: Pruner = {
  kind: "pruner",
  name: "last",
  options: {},
  prune: ({ values: reported, number }, { trials, direction }) => {
    const sign = direction === "maximize" ? 1 : -1;
    const last = reported.at(-1)?.[1] ?? null;
    const others = trials.filter((trial) => trial.number !== number);
    return others.length > 0 && others.every(({ values }) => {
      const there = values[reported.length - 1]?.[1] ?? null;
      return there !== null && (last === null || sign * there > sign * last);
    });
  },
};
itPasses("a pruner of the last", checksOf(pruner as Checked<"pruner">));
finds("pruner", [
  ["prunes the best", { ...pruner, prune: () => true }, /none that leads/],
  ["prunes whatever is high", {
    ...pruner,
    prune: ({ values }, { trials }) => trials.length > 1 && Number(values.at(-1)?.[1]) > 1.5,
  }, /none that leads/],
  ["prunes the only one", { ...pruner, prune: (_, { trials }) => trials.length === 1 }, /stands alone/],
  [
    "has a state of its own",
    { ...pruner, prune: (_, { trials }) => trials.length > 1 && calls++ % 2 > 0 },
    /same answer/,
  ],
]);

// Accelerators: one that stores weights as they are.
const tensorOf = (values: Float32Array): Tensor => ({ dtype: "float32", dims: [values.length], data: values });
const plainStorage = (each: number, factor = 1): WeightStorage => ({
  format: {
    label: "plain",
    bytes: ([outputs, inputs]) => each * outputs * inputs,
    decodingBytes: () => 0,
    decode: ({ values }) => Float32Array.from(values?.data as Float32Array, (x) => factor * x),
    writeDecoded: (writer) => writer.tensor("values"),
  },
  encode: (values) => ({ values: tensorOf(values.slice()) }),
});
const accelerator: Accelerator = {
  kind: "accelerator",
  name: "same",
  options: {},
  exact: true,
  rewrite: () => ({ op, inputs, attrs }, next) => next(op, inputs, attrs),
  store: () => plainStorage(4),
};
itPasses("an accelerator that changes nothing", checksOf(accelerator as Checked<"accelerator">));
const scaling = { initScale: 65536, growthFactor: 2, backoffFactor: 0.5, growthInterval: 2000 };
finds("accelerator", [
  ["changes numbers and says it is exact", {
    ...accelerator,
    rewrite: () => ({ op, inputs, attrs }, next) => op === "Gelu" ? next("Tanh", inputs, {}) : next(op, inputs, attrs),
  }, /the outputs that there were/],
  ["changes gradients alone", {
    ...accelerator,
    rewrite: () => ({ op, inputs, attrs }, next, purpose) =>
      purpose === "gradients" && op === "Add" ? next("Sub", inputs, {}) : next(op, inputs, attrs),
  }, /the outputs that there were/],
  ["asks for what no provider has", {
    ...accelerator,
    exact: false,
    rewrite: () => ({ op, inputs, attrs }, next) =>
      op === "Gelu"
        ? next("Cast", next("Cast", next("Gelu", inputs, { approximate: "none" }), { to: "float64" }), {
          to: "float32",
        })
        : next(op, inputs, attrs),
  }, /ops that the provider has/],
  ["stores more than there was", { ...accelerator, store: () => plainStorage(8) }, /no more than/],
  ["gives back something else", { ...accelerator, store: () => plainStorage(4, 0) }, /gives back what it stores/],
  ["changes what it is given", {
    ...accelerator,
    store: () => ({ ...plainStorage(4), encode: (values) => ({ values: tensorOf(values.fill(0)) }) }),
  }, /left as they were/],
  ["scales by nothing", { ...accelerator, lossScale: { ...scaling, initScale: 0 } }, /above 0/],
  [
    "scales by more where gradients overflow",
    { ...accelerator, lossScale: { ...scaling, backoffFactor: 2 } },
    /above 0/,
  ],
]);

const trainer = ort();
finds("trainer", [
  ["tells its end twice", {
    ...trainer,
    train: async function* (run, host, options) {
      for await (const event of trainer.train(run, host, options)) {
        yield event;
        if (event.type === "end") yield event;
      }
    },
  }, /tells in order/],
  ["does not listen", {
    ...trainer,
    train: (run, host, { signal: _, ...options }) => trainer.train(run, host, options),
  }, /ends interrupted/],
  ["begins anew", {
    ...trainer,
    train: async function* (run, host, { resume: _, output, ...options }) {
      if (output) { for await (const { key } of output.list("")) await output.delete(key); }
      yield* trainer.train(run, host, { ...options, ...(output ? { output } : {}) });
    },
  }, /same bytes/],
  ["plans other steps", {
    ...trainer,
    plan: async (run, host) => ({ ...await trainer.plan(run, host), steps: 5 }),
  } as Trainer, /plans as many/],
]);

const model = tinyModel();
const folder = { at: "there", files: tinyFiles("encoder") };
const inFolder = tinyModel({ path: "there" });
finds("model", [
  ["has another fingerprint each time", {
    ...model,
    open: async (host) => ({ ...await model.open(host), fingerprint: async () => String(calls++) }),
  } as ModelSource, /opens the same/],
  ["gives zeros for what is not there", {
    ...model,
    open: async (host) => {
      const opened = await model.open(host);
      const read = async () => ({ dtype: "float32" as const, dims: [1], data: new Float32Array(1) });
      return { ...opened, weights: { ...opened.weights, read } };
    },
  }, /error that names it/],
  [
    "looks at the config alone",
    {
      ...inFolder,
      open: async (host) => ({ ...await inFolder.open(host), fingerprint: async () => "0".repeat(64) }),
    },
    /another fingerprint/,
    { folder },
  ],
  [
    "opens what is cut off",
    {
      ...inFolder,
      open: async (host) => await inFolder.open(host).catch(() => model.open(host)),
    },
    /missing or cut off/,
    { folder },
  ],
]);

const withWords = (change: Partial<Tokenizer>): TokenizerLoader => ({
  ...tinyTokenizer(),
  open: async () => ({ ...tinyWords, ...change }),
});
const changing = (change: (encoding: ReturnType<Tokenizer["encode"]>[0]) => ReturnType<Tokenizer["encode"]>[0]) =>
  withWords({
    encode: (text, options) =>
      tinyWords.encode(text, options).map(change) as unknown as ReturnType<Tokenizer["encode"]>,
  });
finds("tokenizer", [
  ["offsets that are one too far", changing((e) => ({ ...e, offsets: e.offsets.map((x) => x + 1) })), /offsets cover/],
  [
    "offsets that end one too far",
    changing((e) => ({ ...e, offsets: e.offsets.map((x, i) => (i % 2 && x < 44 ? x + 1 : x)) })),
    /offsets cover/,
  ],
  [
    "offsets that begin anew in each window",
    changing((e) => ({
      ...e,
      offsets: e.offsets.map((x) => x - (e.specialTokensMask[0] === 0 ? e.offsets[0] ?? 0 : 0)),
    })),
    /windows overlap/,
  ],
  [
    "offsets of the second behind the first",
    changing((e) => ({ ...e, offsets: e.offsets.map((x, i) => (e.sequenceIds[Math.floor(i / 2)] === 1 ? x + 1 : x)) })),
    /pairs/,
  ],
  [
    "drops the end's special token",
    changing((e) => {
      const ids = e.ids.slice(0, -1);
      return { ...e, ids, specialTokensMask: e.specialTokensMask.slice(0, -1) };
    }),
    /special tokens|decodes|pairs|windows|texts/,
  ],
  ["ignores maxLength", withWords({ encode: (text) => tinyWords.encode(text) }), /cut texts/],
  [
    "windows without their stride",
    withWords({
      encode: (text, options) => tinyWords.encode(text, { ...options, stride: 0 }),
    }),
    /windows overlap/,
  ],
  [
    "forgets the second text",
    withWords({
      encode: (text, { textPair: _, ...options } = {}) => tinyWords.encode(text, options),
    }),
    /pairs/,
  ],
  ["decodes to something else", withWords({ decode: () => "the film" }), /decodes/],
  ["ids beyond its vocabulary", withWords({ vocabSize: 5 }), /gives the same|any kind/],
  ["other ids than another program", tinyTokenizer(), /other programs/, {
    encodings: [{ text: "the film", ids: [1, 2, 3] }],
  }],
]);

const collator = tinyCollator();
const rows = { rows: tinyRows, ready: [{ input_ids: [2, 5, 3] }], classes: 2 };
const sampled = (
  change: (sample: ReturnType<Collator["encode"]>[0]) => ReturnType<Collator["encode"]>[0],
): Collator => ({
  ...collator,
  encode: (row, i, context) => collator.encode(row, i, context).map(change),
});
finds("collator", [
  [
    "draws where it should not",
    {
      ...collator,
      encode: (row, i, context) =>
        collator.encode(row, i, context).map((s) => ({
          ...s,
          targets: { labels: { ...s.targets.labels!, fill: calls++ } },
        })),
    },
    /same samples/,
    rows,
  ],
  [
    "a length that is not its fields'",
    sampled((s) => ({
      ...s,
      sequences: s.sequences.map((one) => ({ ...one, length: one.length + 1 })),
    })),
    /one length/,
    rows,
  ],
  [
    "classes that there are not",
    sampled((s) => ({
      ...s,
      targets: Object.fromEntries(
        Object.entries(s.targets).map(([name, field]) => [name, { ...field, data: Int32Array.of(7) }]),
      ),
    })),
    /within their range/,
    rows,
  ],
  [
    "ignores maxLength",
    {
      ...collator,
      encode: (row, i, context) =>
        collator.encode({ ...row, text: `${row.text} `.repeat(4) }, i, { ...context, maxLength: undefined }),
    },
    /maxLength/,
    rows,
  ],
  [
    "labels where there are none",
    sampled((s) => ({
      ...s,
      targets: { labels: { axis: "sample", data: Int32Array.of(0), padValue: 0 } },
    })),
    /no labels/,
    rows,
  ],
  ["draws from elsewhere", { ...collator, resample: (s) => ({ ...s, row: calls++ }) }, /random numbers alone/, rows],
  [
    "takes anything for a text",
    {
      ...collator,
      encode: (row, i, context) => collator.encode({ ...row, text: String(row.text) }, i, context),
    },
    /row and column/,
    rows,
  ],
  [
    "changes ready-made ids",
    {
      ...collator,
      encode: (row, i, context) => collator.encode(row.input_ids ? { ...row, input_ids: [2, 3] } : row, i, context),
    },
    /ready-made/,
    rows,
  ],
]);

const head = tinyHead();
finds(
  "head",
  [
    ["numbers that are none", {
      ...head,
      forward: (b, states, backbone) => ({ logits: mul(head.forward(b, states, backbone).logits!, NaN) }),
    }, /are numbers/],
    ["reads its neighbours", {
      ...head,
      forward: (b, states, backbone) => {
        const { logits } = head.forward(b, states, backbone);
        return { logits: add(logits!, sum(states.hidden)) };
      },
    }, /row sharing/],
    ["has gradients of something else", {
      ...head,
      forward: (b, states, backbone) => ({ logits: reverseGradient(head.forward(b, states, backbone).logits!, 0.5) }),
    }, /slopes/],
    ["names other modules", { ...head, modulesToSave: ["score"] }, /names modules/],
  ] satisfies readonly Broken<"head">[],
);

const turned = {
  ...tinyLoss(),
  sum: (...args: Parameters<Loss["sum"]>) => reverseGradient(tinyLoss().sum(...args), 1),
};
const objective = tinyTask();
const [task] = objective.subtasks;
assert.ok(task);
const changed = (change: Partial<typeof task>): Task => ({ ...objective, subtasks: [{ ...task, ...change }] });
finds("task", [
  ["a part that is not there", changed({ collator: "none" }), /are there, and fit/],
  [
    "learns the opposite",
    changed({
      losses: [{ loss: turned, output: "logits", target: "labels" }],
    }),
    /^learns/,
  ],
  [
    "predictions out of order",
    changed({
      predict: (outputs, batch, tokenizer) => {
        const all = task.predict(outputs, batch, tokenizer);
        return all.map((one, i) => ({ ...one, at: i }));
      },
    }),
    /predicts one for each row/,
  ],
  [
    "a prediction too few",
    changed({
      predict: (outputs, batch, tokenizer) => task.predict(outputs, batch, tokenizer).slice(1),
    }),
    /predicts one for each row/,
  ],
]);

const regularizer: Regularizer = {
  kind: "regularizer",
  name: "small",
  options: {},
  term: (b) => Object.values(b.trainable()).map((value) => mul(sum(square(value)), 0.01)).reduce((x, y) => add(x, y)),
};
itPasses("a regularizer that wants small weights", checksOf(regularizer as Checked<"regularizer">, lib ? { lib } : {}));
finds("regularizer", [
  ["does nothing", { ...regularizer, term: (_, { loss }) => mul(sum(mul(loss, 0)), 0) }, /changes training/],
  ["has another slope than it says", {
    ...regularizer,
    term: (b, pass) => reverseGradient(regularizer.term!(b, { ...pass, frozen: {} }), 1),
  }, /slopes/],
  ["is there in spite of no strength", regularizer, /strength is nothing/, { off: regularizer }],
]);

const exporter = tinyModelFiles();
finds("exporter", [
  ["lists what it has not written", {
    ...exporter,
    write: async (trained, to) => [...await exporter.write(trained, to), "tokenizer.json"],
  }, /writes what it lists/],
  ["writes the time", {
    ...exporter,
    write: async (trained, to) => {
      await to.put("made", new TextEncoder().encode(String(calls++)));
      return ["made", ...await exporter.write(trained, to)];
    },
  }, /same bytes/],
  ["passes over a full disk", {
    ...exporter,
    write: async (trained, to) => await exporter.write(trained, to).catch(() => []),
  }, /store that fails/],
  ["fails with any error", {
    ...exporter,
    write: async () => {
      throw new TypeError("undefined is not a function");
    },
  } as Exporter, /says why/],
]);

const adapter = tinyAdapter();
const attached = (change: (own: ReturnType<Adapter["attach"]>) => ReturnType<Adapter["attach"]>): Adapter => ({
  ...adapter,
  attach: (backbone, context) => change(adapter.attach(backbone, context)),
});
finds("adapter", [
  ["trains nothing", attached(() => ({ isTrainable: () => false })), /trains something/],
  [
    "does not start as the base",
    attached((own) => ({
      ...own,
      linear: (_, call, next) => add(next(call), 0.1),
    })),
    /starts as the base/,
    { claims: { startsAtBase: true, mergeable: false, peft: false } },
  ],
  ["merges to something else", attached((own) => ({ ...own, merge: (_, value) => value })), /saved and loaded/, {
    catalog: { adapter: { [adapter.name]: tinyAdapter } },
    claims: { startsAtBase: true, mergeable: true, peft: true },
  }],
]);

const family = tinyFamily();
const shaped = (
  change: (own: ReturnType<Architecture["read"]>) => Partial<ReturnType<Architecture["read"]>>,
): Architecture => ({
  ...family,
  read: (config, names) => {
    const backbone = family.read(config, names);
    return { ...backbone, ...change(backbone) };
  },
});
const config = { config: tinyConfig("encoder") };
finds("architecture", [
  ["names no model types", { ...family, modelTypes: [] }, /model types/],
  ["takes what it does not support", family, /refuses/, { ...config, refused: { hidden_act: "relu" } }],
  ["another vocabulary than its table's", shaped(() => ({ vocabSize: 7 })), /what it builds/, config],
  [
    "sees its neighbours",
    shaped((own) => ({
      forward: (b) => {
        const states = own.forward(b);
        return { ...states, hidden: add(states.hidden, mul(sum(square(states.hidden)), 0.1)) };
      },
    })),
    /padding changes nothing/,
    config,
  ],
  ["sees what follows", family, /sees what it may/, { ...config, sees: "before" }],
  [
    "gradients of something else",
    shaped((own) => ({
      forward: (b) => {
        const states = own.forward(b);
        return { ...states, hidden: reverseGradient(states.hidden, 0.5) };
      },
    })),
    /slopes/,
    config,
  ],
  ["other shapes than a checkpoint's", family, /what it builds/, {
    ...config,
    shapes: { "tiny.words.weight": [28, 16] },
  }],
]);
