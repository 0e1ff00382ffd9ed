import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { AttuneError } from "../../core/base/errors.ts";
import type { Json, Named, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { tinySpec } from "../tiny.ts";

/** The errors of a spec, each without what is allowed in plugins and names beyond count. */
function errorsOf(spec: Named<Json>): readonly AttuneError[] {
  try {
    compose(spec as unknown as RunSpec, catalog);
    return [];
  } catch (error) {
    assert.ok(error instanceof AttuneError && error.code === "BAD_SPEC", String(error));
    return error.found as readonly AttuneError[];
  }
}
const codes = (spec: Named<Json>): Named<string> => Object.fromEntries(errorsOf(spec).map((e) => [e.path, e.code]));
const training = (values: Named<Json>): Named<string> => codes(tinySpec({ training: values }));

describe("a run spec's errors", () => {
  it("come all at once, each with its path", () => {
    const spec = {
      ...tinySpec({ training: { fp16: true, bf16: true, weightDecay: 0.1, learningRat: 1, numTrainEpochs: "3" } }),
      version: 2,
      optimiser: "adamw",
      schedule: "linaer",
      store: "memory",
      regularizers: ["ewc"],
      metrics: [{ use: "f1", with: { averag: "macro" } }],
    };
    assert.deepEqual(codes(spec), {
      optimiser: "UNKNOWN_NAME",
      version: "BAD_VALUE",
      schedule: "UNKNOWN_NAME",
      store: "UNSUPPORTED",
      "regularizers.0.with.data": "MISSING",
      "metrics.0.with.averag": "UNKNOWN_NAME",
      "training.bf16": "BAD_VALUE",
      "training.weightDecay": "MISPLACED",
      "training.learningRat": "UNKNOWN_NAME",
      "training.numTrainEpochs": "BAD_VALUE",
    });
    const messages = errorsOf(spec).map((e) => e.message).join("\n");
    assert.match(messages, /did you mean "optimizer"\?.*did you mean "linear"\?/s);
    assert.match(messages, /store: "memory" is not supported: nothing reads it yet/);
    assert.match(messages, /regularizers\.0\.with\.data is required by "ewc"/);
  });

  it("take what every object has for a name like any other", () => {
    const names = ["constructor", "toString", "hasOwnProperty", "__proto__"];
    for (const name of names) {
      const own = JSON.parse(`{"${name}": {"a": 1}}`) as Named<Json>;
      assert.deepEqual(codes({ ...tinySpec(), ...own, ...Object.fromEntries([[name, 1]]) }), {
        [name]: "UNKNOWN_NAME",
      });
      const path = `training.${name}`;
      assert.deepEqual(training(Object.fromEntries([[name, 1]])), { [path]: "UNKNOWN_NAME" });
      assert.deepEqual(
        Object.values(codes(tinySpec({ adapter: { use: "lora", with: Object.fromEntries([[name, 1]]) } }))),
        [
          "UNKNOWN_NAME",
        ],
      );
    }
  });

  it("send names of TrainingArguments to parts that exist", () => {
    const names = ["optim", "adamBeta1", "lrSchedulerType", "warmupSteps", "reportTo", "loggingDir", "runName"];
    names.push(
      "halfPrecisionBackend",
      "fp16OptLevel",
      "neftuneNoiseAlpha",
      "earlyStoppingPatience",
      "activationCheckpointing",
    );
    for (const name of names) {
      const [error] = errorsOf(tinySpec({ training: { [name]: 1 } }));
      assert.equal(error?.code, "MISPLACED", name);
      const python = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      assert.deepEqual(errorsOf(tinySpec({ training: { [python]: 1 } }))[0]?.allowed, error?.allowed, python);
      const [place = "", use] = error?.allowed[0]?.split(/ \(as (.*)\)$/) ?? [];
      if (use === undefined) continue;
      const several = ["loggers", "callbacks", "regularizers", "accelerators"].includes(place);
      const part = JSON.parse(use.replace(/, "with": \.\.\./, "")) as Json;
      const spec = tinySpec({ training: { evalStrategy: "epoch" } });
      assert.deepEqual(errorsOf({ ...spec, [place]: several ? [part] : part }), [], name);
    }
    for (const name of ["tf32", "deepspeed", "pushToHub", "loggingNanInfFilter", "torchCompileMode"]) {
      assert.deepEqual(training({ [name]: "x" }), { [`training.${name}`]: "UNSUPPORTED" });
      assert.deepEqual(training({ [name]: false }), {});
    }
    for (const name of ["fp16FullEval", "bf16_full_eval"]) {
      assert.deepEqual(training({ [name]: true }), { [`training.${name}`]: "MISPLACED" });
      assert.deepEqual(training({ [name]: false }), {});
    }
  });
});

it("what is wrong within an option of several forms is said where it is, with what is allowed there", () => {
  const message = (option: Json): string => {
    const transforms = [{ use: "clean", with: option }];
    const rows = { use: "memory", with: { rows: [{ text: "a", label: "b" }] }, transforms };
    const spec = { version: 1, model: "attune:base", task: "sequence-classification", data: { train: rows } };
    try {
      compose(spec as never, catalog);
      return "";
    } catch (error) {
      return String(error);
    }
  };
  const at = "data\\.train\\.transforms\\.0\\.with";
  assert.match(message({ missing: { fill: 3 } }), new RegExp(`${at}\\.missing\\.fill: .*string.*found 3`));
  assert.match(message({ missing: { fil: "x" } }), new RegExp(`${at}\\.missing\\.fil: unknown .*"fill"`));
  assert.match(
    message({ quality: { minWords: 3 } }),
    new RegExp(`${at}\\.quality\\.minWords: unknown .*"minDocWords"`),
  );
  assert.match(message({ missing: "skip" }), new RegExp(`${at}\\.missing: .*"drop".*found "skip"`));
});

describe("what waits for evaluations", () => {
  const never = (values: Named<Json>): readonly string[] => Object.keys(training(values));

  it("needs an evalStrategy", () => {
    assert.deepEqual(never({ loadBestModelAtEnd: true }), ["training.loadBestModelAtEnd"]);
    assert.deepEqual(never({ saveStrategy: "best" }), ["training.saveStrategy"]);
    for (const callback of ["early-stopping", "best-weights"]) {
      assert.deepEqual(Object.keys(codes({ ...tinySpec(), callbacks: [callback] })), ["callbacks.0"]);
      assert.deepEqual(codes({ ...tinySpec({ training: { evalStrategy: "epoch" } }), callbacks: [callback] }), {});
    }
    assert.deepEqual(never({ loadBestModelAtEnd: true, saveStrategy: "best", evalStrategy: "epoch" }), []);
  });

  it("needs data.eval, a task's own among several", () => {
    const spec = tinySpec({ training: { evalStrategy: "epoch", evalOnStart: true } });
    const { train } = spec.data as Named<Json>;
    assert.deepEqual(Object.keys(codes({ ...spec, data: { train } as Json })), [
      "training.evalStrategy",
      "training.evalOnStart",
    ]);
    const { data, task, ...rest } = spec;
    const several = (own: Json): Named<Json> => ({
      ...rest,
      task: { use: "multi-task", with: { tasks: { one: { task: task ?? null, data: own } } } },
    });
    assert.deepEqual(codes(several(data ?? null)), {});
    assert.equal(Object.keys(codes(several({ train } as Json))).length, 2);
  });
});
