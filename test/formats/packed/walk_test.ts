/** What a user does over a checkpoint that is quantized already, from the first step to the answers of a server. */
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { train } from "../../../core/run/train/train_whole.ts";
import { storeQueue } from "../../../core/jobs/store_queue.ts";
import { readSafetensors } from "../../../core/files/safetensors.ts";
import { compose } from "../../../core/spec/compose.ts";
import type { Json, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { jobPlanner } from "../../../runtimes/jobs/job_planner.ts";
import { jobsApp } from "../../../runtimes/jobs/jobs_app.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { createApp } from "../../../runtimes/serve/app.ts";
import { folderModels } from "../../../runtimes/serve/folder_models.ts";
import { openSaved } from "../../../runtimes/serve/saved.ts";
import { assertSameResults, commands, here, started, uninterrupted } from "../../faults/killed_runs.ts";
import { decodedFolder, ggufFolder, packedFolder } from "./causal.ts";
import { packedFigures, type PackedLayers } from "./packed.ts";
import { sampled } from "../../sampled.ts";
import { allNear } from "../../near.ts";

const home = mkdtempSync(join(tmpdir(), "attune-packed-"));
const at = (name: string): string => join(home, name);
const host = await hostHere(1);
const gguf = ggufFolder(at("gguf"));
const bases: Record<string, string> = { gguf };
for (const [name, figure] of [["nf4", "bnb nf4"], ["int8", "bnb int8"], ["gptq", "gptq 4"]] as const) {
  bases[name] = await packedFolder(at(name), gguf, packedFigures[figure] as PackedLayers, host);
}
const rows = ["the cat 123", "that cat the cat", "the the 12 cat", "12 that"]
  .map((text, i) => ({ text, label: i % 2 ? "good" : "bad" }));
const specOf = (path: string, task: Json, training: Named<Json> = {}): RunSpec =>
  ({
    version: 1,
    model: { use: "pretrained", with: { path } },
    task,
    adapter: { use: "lora", with: { r: 4, targetModules: "all-linear", loraDropout: 0.1 } },
    data: { train: { use: "memory", with: { rows } }, eval: { use: "memory", with: { rows } } },
    training: { maxSteps: 4, perDeviceTrainBatchSize: 2, learningRate: 0.02, seed: 3, ...training },
  }) as unknown as RunSpec;
const generates = { use: "causal-lm", with: { generation: { maxNewTokens: 8, doSample: false } } };

const folders = folderModels(home, host);
const store = await memory().open(host);
const queue = storeQueue(store, () => performance.now());
const jobs = jobsApp({ store, queue, models: folders, planner: jobPlanner(catalog, host) });
const scopes = ["models", "infer", "evaluate", "merge", "files"] as const;
const keys = [{ key: "k", tenant: "me", scopes }];
const app = createApp({ catalog, host, keys, models: folders, jobs });
const asked = async (path: string, body: unknown): Promise<Response> => {
  const headers = { authorization: "Bearer k", "content-type": "application/json" };
  const answer = await app.request(path, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, answer.status === 200 ? "" : await answer.clone().text());
  return answer;
};

describe("over a checkpoint that is quantized already", () => {
  it("what is generated is what the decoded weights generate, trained alike", async () => {
    const answersOf = async (path: string): Promise<unknown> => {
      const output = `${path}-generates`;
      await train(compose(specOf(path, generates), catalog), host, { output });
      const saved = await openSaved(output, host);
      return await saved.predict(rows.map(({ text }) => ({ text })));
    };
    for (const [name, path] of Object.entries(bases)) {
      const answers = await answersOf(path);
      assert.ok(JSON.stringify(answers).length > 40, `${name}: ${JSON.stringify(answers)}`);
      assert.deepEqual(answers, await answersOf(await decodedFolder(at(`${name}-decoded`), path, host)), name);
    }
  });

  for (const name of sampled(["gptq", "gguf"], 2)) {
    it(`a run over ${name} that is killed and resumed leaves the bytes of one that was not`, async () => {
      const spec = at(`${name}.json`);
      const training = { maxSteps: 8, saveSteps: 2, evalStrategy: "steps", evalSteps: 3, loggingSteps: 1 };
      writeFileSync(spec, JSON.stringify(specOf(bases[name] ?? "", generates, training)));
      const [whole, parts] = [at(`${name}-whole`), at(`${name}-parts`)];
      await uninterrupted(spec, whole);
      const args = [...commands[here] ?? [], "run", spec, "--output", parts, "--threads", "1", "--json"];
      const ended = await started(args, (line, child) => {
        if (line.startsWith('{"type":"step","step":5,')) child.kill("SIGKILL");
      });
      assert.notEqual(ended.code, 0, "it was killed");
      const resumed = await started([...args, "--resume"]);
      assert.equal(resumed.code, 0, resumed.output);
      assertSameResults(whole, parts);
    });
  }

  describe("a server answers over it as over the decoded weights", () => {
    const names = sampled(Object.keys(bases), 2);
    const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
    before(async () => {
      for (const name of names) {
        const path = bases[name] ?? "";
        const output = at(`${name}-classes`);
        await train(compose(specOf(path, "sequence-classification"), catalog), host, { output });
        await (await openSaved(output, host)).export("peft", at(`${name}-adapter`));
        await decodedFolder(at(`${name}-decoded`), path, host);
      }
    });

    for (const name of names) {
      it(`${name}: classes, vectors and figures, with an adapter and without one`, async () => {
        const over: Named<Json> = { adapter: `${name}-adapter` };
        const answers: readonly (readonly [body: Named<Json>, of: (answer: Response) => Promise<readonly number[]>])[] =
          [
            ...[{}, over].map((own: Named<Json>) =>
              [{ path: "/v1/embeddings", ...own, input: ["the cat 12", "that"] }, async (answer: Response) => {
                const { data } = await answer.json();
                return data.flatMap(({ embedding }: { embedding: number[] }) => embedding);
              }] as const
            ),
            [{ path: "/v1/classify", ...over, input: "the cat 12" }, async (answer) => {
              const { results: [{ scores }] } = await answer.json();
              return Object.values<number>(scores);
            }],
            [{ path: "/v1/evaluate", ...over, task, rows }, async (answer) => {
              const { metrics: { loss, accuracy } } = await answer.json();
              return [loss, accuracy];
            }],
          ];
        for (const [{ path, ...body }, of] of answers) {
          const answerOf = async (model: string) => await of(await asked(String(path), { model, ...body }));
          allNear(await answerOf(name), await answerOf(`${name}-decoded`), 1e-5, `${name} ${path}`);
        }
      });

      it(`${name}: a merge, whose answer is a whole model of floats, and what it differs by`, async () => {
        const merge = (base: string, more: object = {}) =>
          asked("/v1/adapters/merge", { adapters: [{ file: `${name}-adapter` }], base, ...more });
        const whole = async (base: string) =>
          readSafetensors(new Uint8Array(await (await merge(base)).arrayBuffer()), base);
        const [answer, wanted] = [await whole(name), await whole(`${name}-decoded`)];
        assert.deepEqual(Object.keys(answer).sort(), Object.keys(wanted).sort());
        for (const [tensor, { data }] of Object.entries(wanted)) {
          allNear([...answer[tensor]?.data as Float32Array], [...data as Float32Array], 1e-5, `${name} ${tensor}`);
        }
        const { verify } = await (await merge(name, { verify: true })).json();
        assert.ok(verify.maxLogitDifference < 1e-4, JSON.stringify(verify));
      });
    }
  });
});
