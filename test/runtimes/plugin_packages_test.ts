import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../core/spec/compose.ts";
import type { Json, Named, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { catalogFor } from "../../runtimes/host/plugin_packages.ts";
import { jobRig } from "../faults/job_rig.ts";
import { commands, here } from "../faults/killed_runs.ts";
import { tinyFiles, tinySpec } from "../tiny.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "attune-plugins-"));
mkdirSync(join(project, "node_modules"));
symlinkSync(root, join(project, "node_modules", "attune"));
symlinkSync(join(root, "node_modules", "valibot"), join(project, "node_modules", "valibot"));
mkdirSync(join(project, "model"));
for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(project, "model", name), bytes);

function writePackage(name: string, files: Named<string>, about: Named<Json> = {}): void {
  for (const [file, text] of Object.entries(files)) {
    const path = join(project, "node_modules", name, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  writeFileSync(
    join(project, "node_modules", name, "package.json"),
    JSON.stringify({ name, type: "module", ...about }),
  );
}

writePackage("attune-plugin-halves", {
  "lib/index.js": `
import { define, mul, square, sub, sum } from "attune";
import * as v from "valibot";
const halves = define({
  kind: "schedule", name: "halves", schema: v.strictObject({ by: v.optional(v.number(), 0.5) }),
  create: ({ by }) => ({ factor: (step) => by ** step }),
});
const logits = define({
  kind: "loss", name: "squared-logits", schema: v.strictObject({}),
  create: () => ({ over: "batch", sum: (_, output) => sum(square(output)), count: (target) => target.data.length }),
});
export default [halves, logits];`,
}, { exports: { ".": { require: "./no.cjs", import: "./lib/index.js" } } });
writePackage("@someone/attune-plugin-rows", {
  "index.mjs": `
import { define } from "attune";
import * as v from "valibot";
export default define({
  kind: "metric", name: "rows-seen", schema: v.strictObject({}),
  create: () => ({
    reads: ["classes"],
    start: () => { let n = 0; return { add: (batch) => { n++; }, result: () => ({ "rows-seen": n }) }; },
  }),
});`,
}, { main: "index.mjs" });
writePackage("attune-plugin-text", { "index.js": "export default 'lora';" });
writePackage("attune-plugin-lora", {
  "index.js": `
import { define } from "attune";
import * as v from "valibot";
export default define({ kind: "schedule", name: "linear", schema: v.strictObject({}), create: () => ({ factor: () => 1 }) });`,
});

const spec = {
  ...tinySpec({ training: { maxSteps: 3, learningRate: 0.01 } }),
  plugins: ["attune-plugin-halves"],
  model: { use: "pretrained", with: { path: "./model" } },
  schedule: { use: "halves", with: { by: 0.25 } },
};
writeFileSync(join(project, "spec.json"), JSON.stringify(spec));

const attune = (...args: readonly string[]) => {
  const [program = "", ...command] = commands[here] ?? [];
  const done = spawnSync(program, [...command, ...args], { encoding: "utf8", cwd: tmpdir() });
  return { code: done.status, out: done.stdout, told: done.stderr };
};

describe("packages' plugins", () => {
  it("are found from the spec's folder, and train in the worker", () => {
    const output = join(project, "out");
    const run = attune("run", join(project, "spec.json"), "--output", output);
    assert.equal(run.code, 0, run.told);
    const rates = readFileSync(join(output, "log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line))
      .filter(({ type }) => type === "step").map(({ learningRate }) => learningRate);
    assert.deepEqual(rates, [0.01, 0.0025, 0.000625]);
    const written = JSON.parse(readFileSync(join(output, "spec.json"), "utf8"));
    assert.deepEqual(written.schedule, { use: "halves", with: { by: 0.25 } });
    assert.deepEqual(written.plugins, [join(project, "node_modules", "attune-plugin-halves")]);
    // What the run has written means the same from anywhere.
    const evaluated = attune("evaluate", output);
    assert.equal(evaluated.code, 0, evaluated.told);
    assert.match(evaluated.out, /"accuracy"/);
  });

  it("have options that are checked as built-in ones' are, and names that errors list", async () => {
    const all = await catalogFor({ plugins: [...spec.plugins, "@someone/attune-plugin-rows"] }, project);
    assert.equal(all.metric?.["rows-seen"]?.use, "rows-seen");
    const wrong = { ...spec, schedule: { use: "halves", with: { by: "much" } }, loss: "squared-logit" };
    assert.throws(
      () => compose(wrong as unknown as RunSpec, all),
      /unknown loss "squared-logit", did you mean "squared-logits"\?[^]*schedule\.with\.by: [^]*"much"/,
    );
  });

  it("say what is wrong with a package", () => {
    const errorOf = (...plugins: readonly Json[]): string => {
      const path = join(project, "wrong.json");
      writeFileSync(path, JSON.stringify({ ...spec, schedule: "linear", plugins }));
      const { code, told: output } = attune("plan", path);
      assert.equal(code, 2, output);
      return output;
    };
    assert.match(
      errorOf("attune-plugin-none"),
      /attune-plugin-none: is not installed in .*: npm install attune-plugin-none/,
    );
    assert.match(errorOf("attune-plugin-text"), /attune-plugin-text: its default export is "lora", not a plugin/);
    assert.match(errorOf("attune-plugin-lora"), /its schedule "linear" has the name of another schedule/);
    assert.match(errorOf("./nothing"), /nothing does not exist/);
    assert.match(errorOf(7), /plugins: expected a list of package names but found \[7\]/);
  });

  it("are not loaded by composing alone, which says what does", () => {
    assert.throws(
      () => compose(spec as unknown as RunSpec, catalog),
      /plugins\.0: "attune-plugin-halves" is not loaded/,
    );
  });
});

describe("attune plugins --check", () => {
  const checked = (name: string) => {
    const [program = "", ...command] = commands[here] ?? [];
    const done = spawnSync(program, [...command, "plugins", "--check", name], { encoding: "utf8", cwd: project });
    return { code: done.status, out: done.stdout + done.stderr };
  };
  it("passes what does as it should", () => {
    const { code, out } = checked("attune-plugin-halves");
    assert.equal(code, 0, out);
    assert.match(out, /ok {4}schedule halves: factors are from 0 to 1/);
    assert.match(out, /ok {4}schedule halves: a run that is interrupted goes on to the same losses/);
    assert.match(out, /ok {4}loss squared-logits: a run with it trains/);
    assert.match(out, /\n\d+ passed, 0 failed, \d+ not looked at\n$/);
  });
  it("names what does not, and ends with 1", () => {
    writePackage("attune-plugin-wild", {
      "index.js": `
import { define } from "attune";
import * as v from "valibot";
let n = 0;
export const conformance = { "schedule steep": { by: 2 } };
export default [
  define({ kind: "schedule", name: "steep", schema: v.strictObject({ by: v.number() }), create: ({ by }) => ({ factor: (step) => by * step }) }),
  define({ kind: "schedule", name: "drifting", schema: v.strictObject({}), create: () => ({ factor: () => 1 / ++n }) }),
  define({ kind: "schedule", name: "wanting", schema: v.strictObject({ by: v.number() }), create: () => ({ factor: () => 1 }) }),
];`,
    });
    const { code, out } = checked("attune-plugin-wild");
    assert.equal(code, 1, out);
    assert.match(out, /FAIL {2}schedule steep: factors are from 0 to 1/);
    assert.match(out, /FAIL {2}schedule drifting: the same run gives the same losses/);
    assert.match(
      out,
      /FAIL {2}schedule wanting: its options have defaults, or the package's export "conformance" has some/,
    );
    assert.equal(checked("attune-plugin-none").code, 2);
  });
  it("names a fingerprint that an option passes by, rows without an index, and what nobody waits for", () => {
    writePackage("attune-plugin-subtle", {
      "index.js": `
import { define } from "attune";
import * as v from "valibot";
const open = (rows) => async () => ({
  length: rows,
  fingerprint: "0".repeat(64),
  read: async function* (from = { at: 0 }) {
    for (let at = from.at; at < rows; at++) yield { row: { text: "row " + at }, next: { at: at + 1 } };
  },
});
const log = async () => ({ log: () => void Promise.reject(new Error("the line is down")), close: async () => {} });
export default [
  define({ kind: "data", name: "counted", schema: v.strictObject({ rows: v.optional(v.number(), 5) }), create: ({ rows }) => ({ open: open(rows) }) }),
  define({ kind: "logger", name: "remote", schema: v.strictObject({}), create: () => ({ open: log }) }),
];`,
    });
    const { code, out } = checked("attune-plugin-subtle");
    assert.equal(code, 1, out);
    assert.match(out, /FAIL {2}data counted: has a fingerprint[^\n]*\n +with \{"rows":6\} the rows are others/);
    assert.match(out, /skip {2}data counted: gives rows by index[^\n]*\(not looked at: its rows have no `at`/);
    assert.match(
      out,
      /FAIL {2}logger remote: takes every event[^\n]*\n +it starts what rejects[^\n]*: the line is down/,
    );
  });
});

describe("servers and runners", () => {
  it("run jobs with the packages that both were given, and load none that a job names", async () => {
    const name = join(project, "node_modules", "attune-plugin-halves");
    const rig = await jobRig({ catalog: await catalogFor({ plugins: [name] }) }, ["--plugins", name]);
    after(() => rig.close());
    await assert.rejects(
      rig.submit({ maxSteps: 2 }, 1, { plugins: [name] }),
      /attune\.plugins: a job may not set it/,
    );
    rig.runner("with");
    const id = await rig.submit({ maxSteps: 3 }, 1, { schedule: { use: "halves", with: { by: 0.25 } } });
    const job = await rig.until(id, "the end", ({ status }) => status === "succeeded" || status === "failed");
    assert.equal(job.status, "succeeded", JSON.stringify(job.error));
    const without = await jobRig();
    after(() => without.close());
    await assert.rejects(without.submit({ maxSteps: 2 }, 1, { schedule: "halves" }), /unknown schedule \\?"halves\\?"/);
  });
});
