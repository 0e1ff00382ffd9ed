import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyFiles, tinyHost, tinyRows, tinySpec } from "../../tiny.ts";
import { sampled } from "../../sampled.ts";

const host = tinyHost(await hostHere(1));
const store = (): Promise<Store> => memory().open(host);

async function run(
  spec: Named<Json>,
  output: Store,
  resume = false,
  signal?: AbortSignal,
  on = host,
): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  const run = compose({ loggers: ["jsonl", "csv"], ...spec } as unknown as RunSpec, catalog);
  for await (const event of trainRun(run, on, { output, resume, signal })) events.push(event);
  return events;
}

/** A store whose machine dies right after the n-th checkpoint is committed. */
function dying(store: Store, n: number): Store {
  let commits = 0;
  let dead = false;
  return {
    ...store,
    put: async (key, bytes, options) => {
      if (dead) throw new Error("dead");
      const done = await store.put(key, bytes, options);
      if (key === "checkpoints/latest" && ++commits === n) {
        dead = true;
        throw new Error("dead");
      }
      return done;
    },
    append: async (key, bytes, options) => {
      if (dead) throw new Error("dead");
      return await store.append?.(key, bytes, options) ?? { key, size: 0, revision: "" };
    },
  };
}

async function contents(store: Store): Promise<Named<string>> {
  const files: Record<string, string> = {};
  for await (const { key } of store.list("")) {
    if (/^(adapter|model)\/.*safetensors|^log|^eval|^metrics|^checkpoints\/.*safetensors/.test(key)) {
      files[key] = await sha256((await store.get(key))?.bytes ?? "");
    }
  }
  return files;
}

describe("a resumed run", () => {
  const training = { evalStrategy: "steps", evalSteps: 2, saveSteps: 2, learningRate: 0.05, loggingSteps: 3 };

  it("goes on as it would have, wherever the machine died behind a checkpoint", async () => {
    // Early stopping decides in the evaluation right before a save: what it asked for must not be forgotten.
    const spec = tinySpec({
      dropout: 0.1,
      training: {
        ...training,
        maxSteps: 20,
        perDeviceTrainBatchSize: 4,
        gradientAccumulationSteps: 2,
        loadBestModelAtEnd: true,
        saveTotalLimit: 2,
      },
    });
    const early = { ...spec, callbacks: [{ use: "early-stopping", with: { earlyStoppingPatience: 2 } }] };
    const whole = await store();
    const straight = await run(early, whole);
    const end = straight.at(-1);
    assert.equal(end?.type === "end" && end.reason, "stopped", "early stopping was at work");
    const saves = straight.filter((e) => e.type === "checkpoint").length;
    for (const n of sampled(Array.from({ length: saves }, (_, i) => i + 1), 4)) {
      const parts = await store();
      await assert.rejects(run(early, dying(parts, n)), /dead/);
      await run(early, parts, true);
      assert.deepEqual(await contents(parts), await contents(whole), `died behind checkpoint ${n} of ${saves}`);
    }
  });

  it("puts back the best weights that it had before it was interrupted", async () => {
    const spec = tinySpec({ training: { ...training, maxSteps: 8, learningRate: 0.3, loadBestModelAtEnd: true } });
    const whole = await store();
    const straight = await run(spec, whole);
    const best = straight.filter((e) => e.type === "evaluate" && e.best).map((e) => e.step);
    assert.ok((best.at(-1) ?? 8) < 8, `the best was at ${best}`);
    const parts = await store();
    await assert.rejects(run(spec, dying(parts, 3)), /dead/);
    await run(spec, parts, true);
    assert.deepEqual(await contents(parts), await contents(whole));
  });

  it("starts anew where nothing was committed", async () => {
    const [whole, parts] = [await store(), await store()];
    await run(tinySpec(), whole);
    await parts.put("log.jsonl", new TextEncoder().encode('{"type":"step","step":1}\n'));
    await run(tinySpec(), parts, true);
    assert.deepEqual(await contents(parts), await contents(whole));
  });

  it("names a damaged checkpoint and uses the one before", async () => {
    const spec = tinySpec({ training: { ...training, maxSteps: 6 } });
    const [whole, parts] = [await store(), await store()];
    await run(spec, whole);
    await assert.rejects(run(spec, dying(parts, 2)), /dead/);
    const key = "checkpoints/step-00000004/state-00001.safetensors";
    const bytes = (await parts.get(key))?.bytes ?? new Uint8Array();
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1;
    await parts.put(key, bytes);
    const events = await run(spec, parts, true);
    const warning = events.find((e) => e.type === "warning" && e.code === "DAMAGED_CHECKPOINT");
    assert.match(warning?.type === "warning" ? warning.message : "", /step-00000004.*hash differs/);
    assert.equal(events.find((e) => e.type === "step")?.step, 3);
    assert.equal(
      (await contents(parts))["model/model.safetensors"],
      (await contents(whole))["model/model.safetensors"],
    );
  });

  it("is refused with every difference where it is another run", async () => {
    const spec = tinySpec({ training: { ...training, maxSteps: 4 } });
    const output = await store();
    await run(spec, output);
    const before = await contents(output);
    const rows = tinyRows.map((row, i) => (i === 3 ? { ...row, label: "good" } : row));
    const other = {
      ...tinySpec({
        rows,
        training: { ...training, maxSteps: 5, seed: 4 },
        adapter: [{ use: "lora", with: { r: 2 } }],
      }),
      optimizer: { use: "adamw", with: { weightDecay: 0.5 } },
    };
    await assert.rejects(run(other, output, true), (error: Error & { code: string }) => {
      assert.equal(error.code, "REFUSED");
      for (const what of ["train: its fingerprint", "eval: its", "training.seed: was 3, now 4"]) {
        assert.ok(error.message.includes(what), `${what} in ${error.message}`);
      }
      assert.match(error.message, /optimizer\.with\.weightDecay: was 0, now 0\.5/);
      assert.match(error.message, /adapter\.0/);
      return true;
    });
    assert.deepEqual(await contents(output), before);
    // What only reports may change.
    await run({ ...spec, name: "other", loggers: ["jsonl"] }, output, true);
  });

  const stepsOf = (events: readonly TrainingEvent[]) =>
    events.flatMap((e) => (e.type === "step" ? [[e.step, e.loss, e.learningRate]] : []));
  const lengthsTold = (events: readonly TrainingEvent[]): string[] =>
    events.flatMap((e) => (e.type === "warning" && e.code === "OTHER_LENGTH" ? [e.message] : []));

  it("trains longer, by steps or epochs, and is what one of that length is where its rate does not follow from it", async () => {
    // 24 rows in batches of 8: an epoch has 3 steps.
    const lengths: readonly (readonly [Named<Json>, Named<Json>])[] = [
      [{ maxSteps: 6 }, { maxSteps: 10 }],
      [{ numTrainEpochs: 2 }, { numTrainEpochs: 4 }],
    ];
    for (const [short, long] of sampled(lengths, 2)) {
      for (const evalStrategy of sampled(["steps", "epoch", "no"])) {
        const spec = (length: Named<Json>) => ({
          ...tinySpec({
            dropout: 0.1,
            training: {
              ...training,
              maxSteps: -1,
              evalStrategy,
              saveSteps: 3,
              loadBestModelAtEnd: evalStrategy !== "no",
              ...length,
            },
          }),
          schedule: "constant",
        });
        const [whole, parts] = [await store(), await store()];
        const straight = await run(spec(long), whole);
        const first = await run(spec(short), parts);
        const second = await run(spec(long), parts, true);
        assert.deepEqual([...stepsOf(first), ...stepsOf(second)], stepsOf(straight));
        assert.deepEqual(lengthsTold(second), [
          `The run now has ${stepsOf(straight).length} steps, and had 6`,
        ]);
        const [a, b] = [await contents(whole), await contents(parts)];
        for (const file of ["model/model.safetensors", "metrics.json"]) {
          assert.equal(a[file], b[file], `${file} with ${evalStrategy}`);
        }
        const steps = [
          ...new TextDecoder().decode((await parts.get("log.jsonl"))?.bytes).matchAll(/"type":"step","step":(\d+)/g),
        ]
          .map(([, step]) => Number(step));
        assert.deepEqual(steps, stepsOf(straight).map(([step]) => step));
      }
    }
  });

  it("says where its rate follows the new length, and cannot be shorter than it is", async () => {
    const spec = (maxSteps: number) => tinySpec({ training: { ...training, maxSteps } });
    const output = await store();
    await run(spec(4), output);
    await assert.rejects(run(spec(3), output, true), { code: "REFUSED", message: /made 4 steps.* as a run of 3/ });
    const longer = await run(spec(8), output, true);
    assert.deepEqual(lengthsTold(longer), [
      'The run now has 8 steps, and had 4: the schedule "linear" follows the new length from step 5 on',
    ]);
    assert.deepEqual(stepsOf(longer).map(([, , rate]) => rate), [4, 3, 2, 1].map((left) => 0.05 * (left / 8)));
  });

  it("may be measured otherwise, as long as no callback decides by it", async () => {
    const spec = tinySpec({ training: { ...training, maxSteps: 8 } });
    const change = { perDeviceEvalBatchSize: 3, evalSteps: 3, loggingSteps: 1, saveSteps: 5, saveTotalLimit: 1 };
    const other = {
      ...spec,
      metrics: ["accuracy", "matthews-correlation"],
      training: { ...spec.training as Named<Json>, ...change },
    };
    const [whole, parts] = [await store(), await store()];
    const straight = await run(spec, whole);
    await assert.rejects(run(spec, dying(parts, 2)), /dead/);
    const again = await run(other, parts, true);
    assert.deepEqual(stepsOf(again), stepsOf(straight).slice(4));
    assert.equal(
      (await contents(parts))["model/model.safetensors"],
      (await contents(whole))["model/model.safetensors"],
    );
    assert.match(new TextDecoder().decode((await parts.get("metrics.json"))?.bytes), /matthews-correlation/);
    const judged = [{ use: "early-stopping", with: { earlyStoppingPatience: 9 } }];
    const third = await store();
    await assert.rejects(run({ ...spec, callbacks: judged }, dying(third, 2)), /dead/);
    await assert.rejects(
      run({ ...other, callbacks: judged }, third, true),
      (error: Error) =>
        error.message.includes("training.evalSteps: was 2, now 3") && !error.message.includes("BatchSize"),
    );
    const { evalSteps: _, ...rest } = change;
    const training2 = { ...spec.training as Named<Json>, ...rest };
    await run({ ...other, training: training2, callbacks: judged }, third, true);
  });

  it("is composed from the spec that it has written, and refused over other content", async () => {
    const spec = { $schema: "./spec.schema.json", ...tinySpec({ training: { maxSteps: 2 } }) };
    const [first, second] = [await store(), await store()];
    const straight = await run(spec, first);
    const written = JSON.parse(new TextDecoder().decode((await first.get("spec.json"))?.bytes));
    assert.deepEqual(stepsOf(await run(written, second)), stepsOf(straight));
    const data = { train: { use: "memory", with: { rows: tinyRows.slice(1) as unknown as Json } } };
    await assert.rejects(run({ ...written, data }, await store()), (error: Error & { code: string }) => {
      assert.equal(error.code, "REFUSED");
      assert.match(
        error.message,
        / {2}train: its fingerprint was \w+, now \w+\n {2}eval: its fingerprint was \w+, now none/,
      );
      assert.doesNotMatch(error.message, /base:/);
      return true;
    });
    const { fingerprints: _, ...free } = written;
    await run({ ...free, data }, await store());
    const older = await run({ ...written, versions: { attune: "0.0.1", runtime: "bun" } }, await store());
    assert.ok(older.some((e) => e.type === "warning" && e.code === "OTHER_VERSION"));
    for (const [key, wrong] of [["versions", 1], ["fingerprints", { train: 7 }], ["$schema", {}]] as const) {
      await assert.rejects(
        run({ ...spec, [key]: wrong as Json }, await store()),
        new RegExp(`${key.replace("$", "\\$")}: expected`),
      );
    }
  });

  it("is refused over another base or tokenizer at the same place", async () => {
    const spec = tinySpec({ training: { ...training, maxSteps: 2 } });
    const output = await store();
    await run(spec, output);
    const files = tinyFiles();
    const weights = files["model.safetensors"]?.slice() ?? new Uint8Array();
    weights[weights.length - 1] = (weights.at(-1) ?? 0) ^ 1;
    const text = new TextDecoder().decode(files["tokenizer.json"]);
    const words = new TextEncoder().encode(text.replace('"film":', '"films":'));
    for (
      const [what, name, bytes] of [
        ["base", "model.safetensors", weights],
        ["tokenizer", "tokenizer.json", words],
      ] as const
    ) {
      const other = tinyHost(await hostHere(1), { [name]: bytes });
      await assert.rejects(run(spec, output, true, undefined, other), (error: Error & { code: string }) => {
        assert.equal(error.code, "REFUSED");
        assert.match(error.message, new RegExp(`${what}: its fingerprint was`));
        return true;
      });
    }
  });

  it("never saves weights that are not finite", async () => {
    const output = await store();
    const spec = tinySpec({
      optimizer: "sgd",
      training: { learningRate: 1e300, maxGradNorm: 0, maxSteps: 2, saveSteps: 1 },
    });
    await assert.rejects(run(spec, output), { code: "NON_FINITE" });
    for await (const { key } of output.list("")) assert.doesNotMatch(key, /^(checkpoints|model)/);
  });
});
