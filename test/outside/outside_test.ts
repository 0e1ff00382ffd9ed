/** A package of somebody else's plugins, which reaches Attune by its doors alone: from TypeScript, from JSON, in a runner. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { catalogFor } from "../../runtimes/host/plugin_packages.ts";
import { jobRig } from "../faults/job_rig.ts";
import { commands, here } from "../faults/killed_runs.ts";
import { tinyFiles } from "../tiny.ts";
import { addPackage, checkTypes, programs, runIn, userProject } from "./project.ts";

const folder = dirname(fileURLToPath(import.meta.url));
const source = join(folder, "package");
const project = userProject("outside");
const installed = addPackage(project, "attune-plugin-outside", source);
cpSync(join(folder, "package_use.ts"), join(project, "use.ts"));
mkdirSync(join(project, "model"));
for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(project, "model", name), bytes);

const attune = (...args: readonly string[]) => {
  const [program = "", ...command] = commands[here] ?? [];
  return runIn(project, [program.slice(program.lastIndexOf("/") + 1), ...command, ...args]);
};
const config = { model_type: "outsider", vocab_size: 28, hidden_size: 16, max_position_embeddings: 32 };
const parts = {
  loss: { use: "poly-one", with: { epsilon: 2 } },
  adapter: "gain",
  optimizer: { use: "sign-sgd", with: { weightDecay: 0.1 } },
  schedule: { use: "stairs", with: { every: 2 } },
  metrics: ["confidence", "accuracy"],
  loggers: ["loss-lines"],
  exporters: ["trained-tensors"],
  accelerators: [{ use: "levels", with: { most: 15 } }],
};
const spec = {
  version: 1,
  plugins: ["attune-plugin-outside"],
  model: { use: "random", with: { config, tokenizer: "./model" } },
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  data: { train: { use: "phrases", with: { rows: 12 } }, eval: "phrases" },
  ...parts,
  training: { maxSteps: 4, learningRate: 0.01, perDeviceTrainBatchSize: 4 },
};
writeFileSync(join(project, "spec.json"), JSON.stringify(spec));

describe("a stranger's package", () => {
  it("imports Attune's doors and nothing else but valibot", () => {
    for (const file of readdirSync(source).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))) {
      for (const [, from = ""] of readFileSync(join(source, file), "utf8").matchAll(/from "([^"]+)"/g)) {
        assert.match(from, /^(\.\/\w+\.ts|valibot|attune|attune\/(kit|kit\/hub|conformance|blocks\/\w+))$/, file);
      }
    }
  });
  it("is type-checked with its user: a wrong option is an error where it is written", {
    skip: here === "node" ? false : "tsc says the same on each runtime",
  }, () => {
    const { status, stdout } = checkTypes(project, ["use.ts", "attune-plugin-outside"]);
    assert.equal(status, 0, stdout);
  });
  it("conforms, by its own test", () => {
    const { status, stdout, stderr } = runIn(installed, [...programs.test, "./conform.test.ts"]);
    assert.equal(status, 0, stdout + stderr);
  });
  it("conforms, by attune plugins --check", () => {
    const { status, stdout, stderr } = attune("plugins", "--check", "attune-plugin-outside");
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /ok {4}exporter trained-tensors: writes what it lists, and nothing else/);
  });
  it("trains from TypeScript", () => {
    const file = join(project, "train.ts");
    writeFileSync(
      file,
      `import { trainRun } from "attune";
import { node } from "attune/node";
import { run } from "./use.ts";
for await (const event of trainRun(run, await node(), {})) if (event.type === "step") console.log(event.learningRate);
`,
    );
    const { status, stdout, stderr } = runIn(project, [...programs.run, file]);
    assert.equal(status, 0, stdout + stderr);
    assert.equal(stdout, "0.01\n0.005\n");
  });
  it("trains from JSON on the command line", () => {
    const { status, stderr } = attune("run", "spec.json", "--output", "out");
    assert.equal(status, 0, stderr);
    const lines = readFileSync(join(project, "out/log.jsonl"), "utf8").trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    const steps = lines.filter(({ type }) => type === "step");
    assert.deepEqual(steps.map(({ learningRate }) => learningRate), [0.01, 0.01, 0.005, 0.005]);
    assert.equal(
      readFileSync(join(project, "out/losses.txt"), "utf8"),
      steps.map(({ step, loss }) => `${step} ${loss}\n`).join(""),
    );
    assert.ok(lines.findLast(({ type }) => type === "evaluate").metrics.confidence > 0);
    const drift = lines.find(({ type }) => type === "drift");
    assert.ok(drift && Math.abs(drift.loss) < 0.5 && drift.gradientCosine > 0.9, JSON.stringify(drift));
    const planned = attune("plan", "spec.json");
    assert.equal(planned.status, 0, planned.stderr);
    assert.match(planned.stdout, /frozen weights .*\d+ weights, levels per output: [\d,]+ B/);
    const exported = readdirSync(join(project, "out"), { recursive: true, encoding: "utf8" });
    assert.ok(exported.some((name) => name.endsWith("trained.safetensors")), exported.join());
    const evaluated = attune("evaluate", "out");
    assert.equal(evaluated.status, 0, evaluated.stderr);
    assert.match(evaluated.stdout, /"confidence"/);
  });
  it("trains in a runner that was given it", async () => {
    const rig = await jobRig({ catalog: await catalogFor({ plugins: [installed] }) }, ["--plugins", installed]);
    after(() => rig.close());
    rig.runner("with");
    const id = await rig.submit({ maxSteps: 3 }, 1, parts);
    const job = await rig.until(id, "the end", ({ status }) => status === "succeeded" || status === "failed");
    assert.equal(job.status, "succeeded", JSON.stringify(job.error));
    const files = Object.keys(await rig.results(id));
    assert.ok(files.some((name) => name.endsWith("trained.safetensors")), files.join());
  });
});
