/**
 * `attune export`: a trained run in the files of another ecosystem.
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { compose } from "../../core/compose.ts";
import { AttuneError, missing, unknownName, unsupported } from "../../core/errors.ts";
import { trainedForExport, verifyExport } from "../../core/run/export.ts";
import { openRun } from "../../core/run/open.ts";
import type { Catalog, Json, Named, RunSpec } from "../../core/types.ts";
import { checkWritable } from "../claim.ts";
import { catalogFor } from "../plugin_packages.ts";
import { hostHere } from "../train.ts";
import { exitCodes } from "./exit.ts";
import { readRun, savedAdapters } from "./spec_file.ts";
import { writtenWhole } from "./written.ts";

/** Formats that are planned: what they are is known, and that they are not there. */
const notBuilt: readonly string[] = ["onnx", "onnx-train", "gguf", "mlx", "workers-ai", "ollama", "ort-genai"];

/** Throws AttuneError where a format is none that can be written. */
function checkFormat(format: string, { exporter = {} }: Catalog): void {
  const built = Object.keys(exporter);
  if (built.includes(format)) return;
  if (!notBuilt.includes(format)) throw unknownName("export", "--format", "format", format, built);
  throw unsupported("export", "--format", format, `it is not built yet; there are ${built.join(", ")}`);
}

/** Largest difference of a logit that --verify accepts. */
const TOLERANCE = 1e-4;

/** The figures of a run's last evaluation, as its metrics.json has them; none where it has no such file. */
function measuredIn(path: string, task: string | undefined): Named<number> {
  const file = join(path, "metrics.json");
  if (!existsSync(file)) return {};
  const all = JSON.parse(readFileSync(file, "utf8")) as Named<Json>;
  const own = task === undefined ? all : ((all.tasks ?? {}) as Named<Named<Json>>)[task] ?? {};
  return Object.fromEntries(
    Object.entries(own).filter((pair): pair is [string, number] => typeof pair[1] === "number"),
  );
}

/** Writes a trained run in a format; with --verify, loads it again and compares. */
export async function exportCommand(
  path: string,
  options: Readonly<{ format: string; task?: string; merge?: boolean; verify?: boolean; output?: string }>,
): Promise<number> {
  const spec = readRun(path, options.task) as unknown as RunSpec;
  const catalog = await catalogFor(spec);
  checkFormat(options.format, catalog);
  const host = await hostHere();
  const run = compose(spec, catalog);
  const open = await openRun(run, host);
  const output = resolve(options.output ?? join(path, `export-${options.format}`));
  await checkWritable(output);
  const store = host.directory?.(output);
  if (!store) throw missing("export", "access to files", host.runtime);
  const merge = options.merge ?? false;
  if (options.format === "hf" && !merge && open.attached.length > 0) {
    throw new AttuneError(
      "--format hf writes a whole model: pass --merge to fold the adapter in, or use --format peft",
      { code: "USAGE", plugin: "export" },
    );
  }
  const exporter = run.use("exporter", options.format === "hf" ? { use: "hf", with: { merge } } : options.format);
  const metrics = measuredIn(path, options.task);
  const files = await writtenWhole(
    output,
    store,
    async (to) => exporter.write(await trainedForExport(open, metrics), to),
  );
  process.stdout.write(files.map((file) => `${join(output, file)}\n`).join(""));
  if (!options.verify) return exitCodes.done;
  const again = options.format === "hf"
    ? { ...spec, model: { use: "pretrained", with: { path: output } }, adapter: [] }
    : { ...spec, adapter: savedAdapters(output, run.adapters.map((adapter) => adapter.name)) };
  const difference = await verifyExport(open, await openRun(compose(again, catalog), host));
  process.stdout.write(`verified: largest logit difference ${difference.toExponential(2)}\n`);
  return difference <= TOLERANCE ? exitCodes.done : exitCodes.failed;
}
