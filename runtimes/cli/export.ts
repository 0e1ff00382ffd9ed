/** `attune export`: converts a trained run to the files of another ecosystem. */
import { join, resolve } from "node:path";
import process from "node:process";
import { openSaved } from "../serve/saved.ts";
import { hostHere } from "../host/train.ts";
import { exitCodes } from "./exit.ts";

/** Largest difference between logits that --verify accepts. */
const TOLERANCE = 1e-4;

/** Writes a trained run in a format; with --verify, loads the result and compares. */
export async function exportCommand(
  path: string,
  options: Readonly<{ format: string; task?: string; merge?: boolean; verify?: boolean; output?: string }>,
): Promise<number> {
  const { format, task, merge, verify } = options;
  const saved = await openSaved(path, await hostHere(), { task });
  const output = resolve(options.output ?? join(path, `export-${format}`));
  const { files, difference } = await saved.export(format, output, { merge, verify });
  process.stdout.write(files.map((file) => `${join(output, file)}\n`).join(""));
  if (difference === undefined) return exitCodes.done;
  process.stdout.write(`verified: largest logit difference ${difference.toExponential(2)}\n`);
  return difference <= TOLERANCE ? exitCodes.done : exitCodes.failed;
}
