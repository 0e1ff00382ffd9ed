/** Training steps on the rows that stdin requests: JSON lines in, JSON lines out (see README). */
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { layOut } from "../core/loop/layout.ts";
import type { OpenRun } from "../core/run/open/open.ts";
import { createRunEngine } from "../core/run/plan/engine.ts";
import { encodeRows } from "../core/run/rows/data.ts";
import { allSamples } from "../core/run/rows/encoded_rows.ts";
import type { Json, RunSpec } from "../core/types.ts";

/** Parses one accelerator as in a spec: its name, or an object. */
export function acceleratorsIn(text: string | undefined): Pick<RunSpec, "accelerators"> {
  if (text === undefined) return {};
  return { accelerators: [text.startsWith("{") ? JSON.parse(text) as Json : text] as RunSpec["accelerators"] };
}

/** Reports that a run is ready, trains on requested rows, and ends the process; `more` is added to each response. */
export async function serveSteps(
  open: OpenRun,
  { name, learningRate }: Readonly<{ name: string; learningRate: number }>,
  more: () => Promise<object> = async () => ({}),
): Promise<never> {
  const answer = (message: object): void => void process.stdout.write(JSON.stringify(message) + "\n");
  const dataset = open.run.data.train;
  if (!dataset) throw new Error("no rows");
  const train = await encodeRows(open, dataset, true);
  const samples = await allSamples(train);
  const engine = await createRunEngine(open, train, undefined);
  answer({
    event: "ready",
    name,
    rows: samples.length,
    lengths: samples.map((s) => s.sequences[0]?.length ?? 0),
    startMs: performance.now(),
    environment: { node: process.version },
  });
  let step = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const command: { cmd: string; batches?: number[][] } = JSON.parse(line);
    if (command.cmd === "quit") break;
    const [ms, losses, work]: [number[], number[], number[]] = [[], [], []];
    for (const rows of command.batches ?? []) {
      const start = performance.now();
      const batch = layOut(rows.flatMap((row) => samples[row] ?? []), open.layout);
      const { loss, multiplyAdds } = await engine.step([batch], { step: ++step, learningRate, maxGradNorm: 1 });
      ms.push(performance.now() - start);
      losses.push(loss);
      work.push(multiplyAdds);
    }
    const peakRss = 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);
    answer({ event: "steps", ms, losses, work, rss: process.memoryUsage.rss(), peakRss, ...await more() });
  }
  await engine.close();
  process.exit(0);
}
