/**
 * Share of a training step that encoding takes on the run's own thread, with rows encoded there or in another thread.
 *
 *     node bench/encoding.ts [--steps 120] [--words 200] [--batch 16] [--rounds 2]
 *
 * LoRA on the embedded base, in turns in one process, without the first steps, in which a run decides on a thread.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { createRandom } from "../core/math/random.ts";
import { trainRun } from "../core/run/train/train.ts";
import type { Host, Run, RunSpec, Tokenizer } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { memory } from "../plugins/data/memory.ts";
import { hostHere } from "../runtimes/host/train.ts";

const { values: flags } = parseArgs({
  options: {
    steps: { type: "string", default: "120" },
    words: { type: "string", default: "200" },
    batch: { type: "string", default: "16" },
    rounds: { type: "string", default: "2" },
  },
});
const [steps, length, batch] = [Number(flags.steps), Number(flags.words), Number(flags.batch)];
const words = "the a film phone food service was is not very good bad nice awful great poor slow fast and but".split(
  " ",
);
const random = createRandom(3);
const rows = Array.from({ length: steps * batch + Math.ceil(2 ** 17 / length) }, (_, i) => ({
  text: Array.from({ length }, (_, k) => words[random.bits(i * length + k) % words.length]).join(" "),
  label: i % 2 ? "good" : "bad",
}));

type Figures = Readonly<{ share: number; tokens: number; late: number }>;

/** Measures the later half of the steps: the share of encoding, tokens a second, and texts encoded on this thread. */
async function trained(host: Host): Promise<Figures> {
  let [spent, texts] = [0, 0];
  const timed = (tokenizer: Tokenizer): Tokenizer => ({
    ...tokenizer,
    encode: (...given) => {
      const begun = performance.now();
      const encodings = tokenizer.encode(...given);
      spent += performance.now() - begun;
      texts++;
      return encodings;
    },
  });
  const run: Run = compose({
    version: 1,
    model: "attune:base",
    task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
    data: { train: memory({ rows }) },
    adapter: { use: "lora", with: { r: 8, targetModules: ["query", "value"] } },
    training: { maxSteps: steps, perDeviceTrainBatchSize: batch, maxLength: 512, loggingSteps: 1000 },
  } as unknown as RunSpec, catalog);
  const tokenizer = { ...run.tokenizer, open: async (files: never) => timed(await run.tokenizer.open(files)) };
  let [begun, tokens] = [0, 0];
  for await (const event of trainRun({ ...run, tokenizer }, host, {})) {
    if (event.type !== "step") continue;
    if (event.step === Math.floor(steps / 2)) [begun, spent, tokens, texts] = [performance.now(), 0, 0, 0];
    else tokens += event.tokens;
  }
  const took = performance.now() - begun;
  return { share: spent / took, tokens: tokens / took * 1000, late: texts };
}

const host = await hostHere();
const { startEncoder: _, ...without } = host;
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const [name, on] of [["on the run's own thread", without], ["in a thread", host]] as const) {
    const { share, tokens, late } = await trained(on);
    process.stdout.write(
      `${name}: encoding takes ${(100 * share).toFixed(2)} % of a step, ${late} texts encoded here, ${
        tokens.toFixed(0)
      } tokens/s\n`,
    );
  }
}
