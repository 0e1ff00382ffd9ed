/** Accelerators as a user types them. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import type { Json, Named } from "../../core/types.ts";
import { commands, here, started } from "../faults/killed_runs.ts";
import { tinyRows } from "../tiny.ts";
import { itInPart } from "../sampled.ts";

const some = itInPart(2);

const folder = mkdtempSync(join(tmpdir(), "attune-accelerators-"));
const at = (name: string): string => join(folder, name);
writeFileSync(at("rows.jsonl"), tinyRows.map((row) => JSON.stringify(row)).join("\n"));
writeFileSync(
  at("spec.json"),
  JSON.stringify({
    version: 1,
    model: {
      use: "random",
      with: {
        tokenizer: "attune:base",
        config: {
          model_type: "bert",
          vocab_size: 8192,
          hidden_size: 16,
          num_hidden_layers: 1,
          num_attention_heads: 2,
          intermediate_size: 32,
          max_position_embeddings: 32,
          type_vocab_size: 2,
        },
      },
    },
    task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
    data: {
      train: { use: "jsonl", with: { path: "rows.jsonl" } },
      eval: { use: "jsonl", with: { path: "rows.jsonl" } },
    },
    adapter: "lora",
    training: { maxSteps: 6, learningRate: 0.01, loggingSteps: 1 },
  }),
);

async function attune(output: string, ...set: readonly string[]): Promise<Readonly<{ code: number; output: string }>> {
  const args = ["run", at("spec.json"), "--output", at(output), "--threads", "1"];
  const ended = await started([...commands[here] ?? [], ...args, ...set.flatMap((one) => ["--set", one])], () => {});
  return { code: ended.code ?? -1, output: ended.output };
}

const read = (name: string): string => readFileSync(at(name), "utf8");
const lines = (output: string): Named<Json>[] =>
  read(`${output}/log.jsonl`).trim().split("\n").map((line) => JSON.parse(line) as Named<Json>);

describe("attune run with accelerators", () => {
  some("training.fp16=true scales the loss, says that it is no faster here, and shows skipped steps", async () => {
    const said = await attune("fp16", "training.fp16=true");
    assert.equal(said.code, 0, said.output);
    assert.equal(said.output.match(/is not faster/g)?.length, 1, said.output);
    const steps = lines("fp16").filter(({ type }) => type === "step");
    assert.deepEqual(steps.map(({ lossScale, skipped }) => [lossScale, skipped]), Array(6).fill([65536, false]));

    const high = { use: "fp16", with: { initScale: 2 ** 36, growthInterval: 2 } };
    const skipping = await attune("skips", `accelerators=${JSON.stringify([high])}`);
    assert.equal(skipping.code, 0, skipping.output);
    const skipped = lines("skips").filter((line) => line.skipped === true);
    assert.ok(skipped.length > 0 && skipped.every(({ gradNorm }) => gradNorm === null), JSON.stringify(skipped));
    assert.match(skipping.output, /Step 1 was skipped because its gradients overflow; the loss scale is now \d+/);
    assert.match(read("skips/report.html"), /Skipped steps/);
    assert.match(read("skips/adapter/README.md"), /^- `fp16` \{"initScale":68719476736,/m);
  });

  some("a quantizer says what it changes, and exits with 3 where that is more than it may be", async () => {
    const said = await attune("nf4", 'accelerators=["nf4","bf16"]');
    assert.equal(said.code, 0, said.output);
    assert.match(said.output, /quantized: over \d+ rows, the mean loss changes by /);
    const refused = await attune("refused", 'accelerators=[{"use":"nf4","with":{"maxLossDrift":0}}]');
    assert.equal(refused.code, 3, refused.output);
    assert.match(refused.output, /maxLossDrift/);
    assert.ok(!existsSync(at("refused/adapter")) && !existsSync(at("refused/checkpoints")));
  });

  some("attune plan names what fits into --memory, and run refuses with the same words", async () => {
    const wide = JSON.stringify({ hidden_size: 256, intermediate_size: 1024, num_hidden_layers: 4 });
    const sets = Object.entries(JSON.parse(wide)).flatMap(([key, n]) => ["--set", `model.with.config.${key}=${n}`]);
    const command = async (...args: string[]): Promise<Readonly<{ code: number; output: string }>> => {
      const ended = await started([...commands[here] ?? [], ...args], () => {});
      return { code: ended.code ?? -1, output: ended.output };
    };
    const plan = async (...more: string[]) => await command("plan", at("spec.json"), ...sets, ...more);
    const none = await plan("--memory", "1MB", "--json");
    assert.equal(none.code, 3, none.output);
    const { fits, bytes } = JSON.parse(none.output).proposal;
    assert.equal(fits, false);
    const memory = `${bytes + 200_000}`;
    const said = await plan("--memory", memory);
    assert.equal(said.code, 3, said.output);
    const [, text = "", size] = /^fits with +(\{.*\}), in (.*)$/m.exec(said.output) ?? [];
    assert.equal(size, `${(bytes / 1e9).toFixed(2)} GB`, said.output);
    const change = JSON.parse(text) as Named<Named<Json>>;
    const { proposal } = JSON.parse((await plan("--memory", memory, "--json")).output);
    assert.deepEqual([proposal.fits, proposal.spec], [true, change]);
    const flags = Object.entries(change).flatMap(([key, value]) =>
      Array.isArray(value)
        ? ["--set", `${key}=${JSON.stringify(value)}`]
        : Object.entries(value).flatMap(([name, one]) => ["--set", `${key}.${name}=${JSON.stringify(one)}`])
    );
    const fitting = await plan(...flags);
    assert.equal(fitting.code, 0, fitting.output);
    const run = async (output: string, ...more: string[]) =>
      await command("run", at("spec.json"), "--output", at(output), "--threads", "1", ...sets, ...more);
    const refused = await run("large", "--set", `training.memory=${memory}`);
    assert.equal(refused.code, 3, refused.output);
    assert.ok(refused.output.includes(`It fits with ${text}`), refused.output);
    assert.ok(!existsSync(at("large/adapter")) && !existsSync(at("large/checkpoints")));
    const done = await run("small", ...flags, "--set", "training.maxSteps=1");
    assert.equal(done.code, 0, done.output);
  });

  some("both of training.fp16 and training.bf16 are wrong usage", async () => {
    const said = await attune("both", "training.fp16=true", "training.bf16=true");
    assert.equal(said.code, 2, said.output);
    assert.match(said.output, /training\.bf16: .*false, where training\.fp16 is true/);
  });
});
