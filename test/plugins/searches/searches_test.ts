/**
 * Searches propose as their names say, and spaces that no trial could have are errors of the spec.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checksOf } from "../../../conformance/mod.ts";
import { compose } from "../../../core/spec/compose.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import { createRandom } from "../../../core/math/random.ts";
import { setAt, valueAt } from "../../../core/spec/spec_paths.ts";
import { partNamer } from "../../../core/spec/default_parts.ts";
import { trialSpec } from "../../../core/spec/search_space.ts";
import type { Json, Named, RunSpec, Search, Space, Trial } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { grid } from "../../../plugins/searches/grid.ts";
import { random } from "../../../plugins/searches/random.ts";
import { itPasses } from "../../checks.ts";
import { tinySpec } from "../../tiny.ts";

const space: Named<Space> = { x: { type: "float", low: 0, high: 1 } };
itPasses("random", checksOf(random({ space })));
itPasses("grid", checksOf(grid({ space, points: 2 }), { most: 3000 }));

/** All trials that a search proposes. */
function proposed(search: Search, most = 100): Named<Json>[] {
  const trials: Trial[] = [];
  while (trials.length < most) {
    const study = { name: "all", space: search.settings.space, direction: "minimize" as const, trials };
    const params = search.next(study, createRandom(1).fork(trials.length));
    if (!params) break;
    trials.push({ number: trials.length, params, state: "complete", values: [], value: 1 });
  }
  return trials.map(({ params }) => params);
}

it("steps do not lead beyond the end of a range", () => {
  const tenths: Named<Space> = { x: { type: "float", low: 0, high: 0.3, step: 0.1 } };
  for (const values of [proposed(grid({ space: tenths })), proposed(random({ space: tenths, trials: 40 }), 40)]) {
    const found = [...new Set(values.map(({ x }) => x))].sort();
    assert.deepEqual(found, [0, 0.1, 0.2, 0.3]);
  }
});

describe("grid", () => {
  it("has every combination once, the last option changing first", () => {
    const search = grid({
      space: {
        a: { type: "int", low: 1, high: 3 },
        b: { type: "categorical", choices: ["x", null] },
        c: { type: "float", low: 0.5, high: 1, step: 0.25, when: { b: "x" } },
      },
    });
    const want = [1, 2, 3].flatMap((a) => [...[0.5, 0.75, 1].map((c) => ({ a, b: "x", c })), { a, b: null }]);
    assert.deepEqual(proposed(search), want);
  });
  it("takes points of ranges without a step, evenly by the logarithm where that counts", () => {
    const rates = proposed(grid({ points: 3, space: { r: { type: "float", low: 1e-4, high: 1e-2, log: true } } }));
    assert.deepEqual(rates.map(({ r }) => Number(Number(r).toPrecision(12))), [1e-4, 1e-3, 1e-2]);
    const ranks = proposed(grid({ space: { r: { type: "int", low: 2, high: 32, log: true } } }));
    assert.deepEqual(ranks.map(({ r }) => r), [2, 4, 8, 16, 32]);
    assert.deepEqual(
      proposed(grid({ points: 5, space: { r: { type: "int", low: 1, high: 2, log: true } } })).length,
      2,
    );
  });
});

/** What is wrong with a spec that searches this. */
function errorsOf(space: Named<Json>, spec: Named<Json> = {}): string[] {
  try {
    const whole = { ...tinySpec(), ...spec, search: { use: "random", with: { space } } };
    compose(whole as unknown as RunSpec, catalog);
    return [];
  } catch (error) {
    assert.ok(error instanceof AttuneError && error.code === "BAD_SPEC", String(error));
    return (error.found as AttuneError[]).map(({ sentence }) => sentence);
  }
}

it("counts points without walking through them", () => {
  const levels: Named<Space> = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`x${i}`, { type: "int", low: 0, high: 3 } as Space]),
  );
  const own = { ...levels, y: { type: "float", low: 0, high: 1, step: 0.5, when: { x0: [1, 2] } } } as Named<Space>;
  const { next } = grid({ space: own });
  const at = (length: number): Named<Json> | undefined =>
    next({ name: "", space: own, direction: "minimize", trials: { length } as never }, createRandom(1));
  const all = 2 * 4 ** 11 + 2 * 3 * 4 ** 11;
  assert.equal(at(all), undefined);
  assert.deepEqual(at(all - 1), Object.fromEntries(Object.keys(levels).map((path) => [path, 3])));
  assert.deepEqual(at(4 ** 11 + 2), {
    ...Object.fromEntries(Object.keys(levels).map((path) => [path, 0])),
    x0: 1,
    y: 1,
  });
});

describe("a space", () => {
  const rate = { type: "float", low: 1e-5, high: 1e-2, log: true };
  it("may have any path of the spec, also of parts that it leaves out and of others that are chosen", () => {
    const whole = {
      "training.learningRate": rate,
      "adapter.with.r": { type: "int", low: 2, high: 64, log: true },
      "model.with.config.hidden_dropout_prob": { type: "float", low: 0, high: 0.5 },
      "optimizer.use": { type: "categorical", choices: ["adamw", "lion"] },
      "optimizer.with.beta2": { type: "float", low: 0.9, high: 0.999, when: { "optimizer.use": "adamw" } },
      schedule: { type: "categorical", choices: ["cosine", { use: "linear", with: { warmupSteps: 0.1 } }] },
    };
    assert.deepEqual(errorsOf(whole, { adapter: "lora" }), []);
    assert.deepEqual(errorsOf(whole, { adapter: [{ use: "lora", with: { r: 4 } }] }), []);
  });
  it("is refused where the spec does not know a path, and the nearest name is said", () => {
    const wrong = (path: string, own: Json = rate): string => errorsOf({ [path]: own }, { adapter: "lora" }).join("\n");
    assert.match(wrong("training.learningRat"), /space\.training\.learningRat: .*did you mean "learningRate"\?/);
    assert.match(wrong("adapter.with.rr"), /did you mean "r"\?/);
    assert.match(wrong("adaptr.with.r"), /unknown key "adaptr", did you mean "adapter"\?/);
    assert.match(wrong("optimizer.with.beta3"), /unknown option "beta3", did you mean "beta1"\?/);
    assert.match(
      wrong("optimizer.use", { type: "categorical", choices: ["adamw", "lionn"] }),
      /did you mean "lion"\?/,
    );
    assert.match(wrong("search.with.trials"), /expected the path of a plugin/);
    assert.match(wrong("training"), /training/);
    const two = { metrics: ["accuracy", "loss"] };
    const metric = { type: "categorical", choices: ["accuracy"] };
    assert.match(
      errorsOf({ "metrics.7": metric }, two).join(),
      /metrics\.7: expected a place that the spec has: metrics has fewer/,
    );
  });
  it("takes options of what the task brings, and is refused where nothing is named", () => {
    const share = { type: "float", low: 0, high: 0.2 };
    const binary = { type: "categorical", choices: ["macro"] };
    const brought = {
      "loss.with.labelSmoothing": share,
      "collator.with.lowercase": { type: "categorical", choices: [true, false] },
      "metrics.1.with.average": binary,
      "schedule.with.warmupSteps": share,
      "tokenizer.with.modelMaxLength": { type: "int", low: 8, high: 16 },
    };
    assert.deepEqual(errorsOf(brought), []);
    const wrong = (path: string, more: Named<Json> = {}): string => errorsOf({ [path]: share }, more).join("\n");
    assert.match(wrong("loss.with.labelSmothing"), /did you mean "labelSmoothing"\?/);
    assert.match(wrong("head.with.numLabel"), /did you mean "numLabels"\?/);
    assert.match(wrong("metrics.7.with.average"), /metrics has fewer/);
    assert.match(wrong("regularizers.0.with.lambda"), /regularizers has fewer/);
    assert.match(wrong("adapter.with.loraDropout"), /it names no adapter, so add one or search adapter\.use/);
    assert.deepEqual(errorsOf({ "adapter.0.with.loraDropout": share }, { adapter: "lora" }), []);
    const unnamed = { task: { use: "sequence-classification" } };
    assert.match(wrong("collator.with.x", unnamed), /names no collator, so add one, give task\.with\.labels/);
    assert.deepEqual(errorsOf({ "loss.with.labelSmoothing": share }, unnamed), []);
    const task = { use: "causal-lm" };
    // What the task says of it stays.
    const { loss } = trialSpec({ task }, { "loss.with.labelSmoothing": 0.1 }, partNamer(catalog)) as Named<Json>;
    assert.deepEqual(loss, { use: "cross-entropy", with: { over: "step", labelSmoothing: 0.1 } });
  });
  it("is refused where an end or a choice is no value of its option", () => {
    const wrong = (path: string, own: Json): string => errorsOf({ [path]: own }, { adapter: "lora" }).join("\n");
    assert.match(
      wrong("adapter.with.r", { type: "int", low: 0, high: 8 }),
      /space\.adapter\.with\.r: adapter\.with\.r/,
    );
    assert.match(wrong("adapter.with.r", { type: "float", low: 1.5, high: 8.5 }), /adapter\.with\.r/);
    assert.match(wrong("training.seed", { type: "categorical", choices: [1, "two"] }), /found "two"/);
    // Both ends are whole numbers, what lies between is not.
    assert.match(wrong("adapter.with.r", { type: "float", low: 1, high: 8 }), /adapter\.with\.r: Invalid integer/);
    assert.deepEqual(errorsOf({ "adapter.with.r": { type: "int", low: 1, high: 8 } }, { adapter: "lora" }), []);
    assert.match(wrong("x.y", { type: "float", low: 2, high: 1 }), /low must not be above high, found \{.*"low":2/);
    assert.match(
      wrong("x.y", { type: "float", low: 1, high: 2, hi: 3 }),
      /space\.x\.y\.hi: unknown option "hi"/,
    );
    assert.match(wrong("x", { type: "int", low: 0, high: 1, log: true }), /low must be above 0/);
    assert.match(wrong("x", { type: "float", low: 1, high: 2, log: true, step: 0.5 }), /exclude each other/);
    assert.match(wrong("x", { type: "categorical", choices: [] }), /choices/);
  });
  it("is refused where an option is not there beside a value of another", () => {
    const both = {
      "optimizer.use": { type: "categorical", choices: ["adamw", "sgd"] },
      "optimizer.with.beta2": { type: "float", low: 0.9, high: 0.999, step: 0.099 },
    };
    assert.match(errorsOf(both).join(), /space\.optimizer\.use: optimizer\.with\.beta2: unknown option "beta2"/);
    const { "optimizer.with.beta2": beta2, ...use } = both;
    assert.deepEqual(
      errorsOf({ ...use, "optimizer.with.beta2": { ...beta2, when: { "optimizer.use": "adamw" } } }),
      [],
    );
  });
  it("is refused where conditions name what is not searched, or each other", () => {
    const lion = { "optimizer.use": { type: "categorical", choices: ["adamw", "lion"] } };
    const of = (when: Named<Json>): string =>
      errorsOf({ ...lion, "training.learningRate": { ...rate, when } }).join("\n");
    assert.match(
      of({ "optimiser.use": "lion" }),
      /unknown searched option "optimiser\.use", did you mean "optimizer\.use"/,
    );
    assert.match(of({ "training.learningRate": 1e-4 }), /without a cycle/);
    assert.match(
      of({ "optimizer.use": "adam" }),
      /when\.optimizer\.use: expected a value of optimizer\.use but found "adam"/,
    );
    assert.match(of({ "optimizer.use": ["lion", "sgd"] }), /expected a value of optimizer\.use but found "sgd"/);
    const targets = { "adapter.with.targetModules": { type: "categorical", choices: [["query"], ["query", "value"]] } };
    const beside = { ...rate, when: { "adapter.with.targetModules": ["query", "value"] } };
    assert.deepEqual(errorsOf({ ...targets, "training.learningRate": beside }, { adapter: "lora" }), []);
    assert.deepEqual(
      errorsOf({ ...lion, "training.learningRate": { ...rate, when: { "optimizer.use": ["lion"] } } }),
      [],
    );
  });
});

describe("values by their path", () => {
  it("are set where names stand, where nothing stands, and in lists of one", () => {
    assert.deepEqual(setAt({ adapter: "lora" }, "adapter.with.r", 4), { adapter: { use: "lora", with: { r: 4 } } });
    assert.deepEqual(setAt({}, "optimizer.with.beta1", 0), { optimizer: { use: "adamw", with: { beta1: 0 } } });
    assert.deepEqual(setAt({ adapter: [{ use: "lora" }] }, "adapter.with.r", 4), {
      adapter: [{ use: "lora", with: { r: 4 } }],
    });
    assert.deepEqual(setAt({ metrics: ["f1", "accuracy"] }, "metrics.1", "mcc"), { metrics: ["f1", "mcc"] });
    assert.deepEqual(setAt({ model: "./here" }, "model.with.path", "./there"), {
      model: { use: "pretrained", with: { path: "./there" } },
    });
    assert.equal(valueAt({ adapter: [{ use: "lora", with: { r: 4 } }] }, "adapter.with.r"), 4);
    assert.equal(valueAt({}, "optimizer.use"), "adamw");
    assert.equal(valueAt({}, "training.seed"), undefined);
  });
  it("make a trial's spec, which searches nothing", () => {
    const params = { "optimizer.with.beta1": 0.5, optimizer: { use: "lion" }, "training.seed": 3 };
    assert.deepEqual(trialSpec({ search: "grid", training: { maxSteps: 2 } }, params), {
      optimizer: { use: "lion", with: { beta1: 0.5 } },
      training: { maxSteps: 2, seed: 3 },
    });
  });
});
