/**
 * `attune evaluate` and `attune predict`.
 * @module
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { badFile, missing, unknownName } from "../../core/errors.ts";
import { spellOut } from "../../core/plain_names.ts";
import { evaluateRun } from "../../core/run/evaluate.ts";
import { predictRows } from "../../core/run/infer.ts";
import { metricsFile } from "../../core/run/metrics.ts";
import { type OpenRun, openRun, openTasks } from "../../core/run/open.ts";
import type { Dataset, Named, Row, Run, Use } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { hostHere } from "../host/train.ts";
import { exitCodes } from "./exit.ts";
import { isDirectory, readRun, readSpec, taskNames } from "../host/spec_file.ts";

/** Prints the metrics of a trained run, or of a spec's untrained model, as JSON; of several tasks those of each. */
export async function evaluateCommand(
  path: string,
  options: Readonly<{ data?: string; task?: string; set?: readonly string[] }>,
): Promise<number> {
  const host = await hostHere();
  const opened: Readonly<{ name: string; open: OpenRun }>[] = [];
  if (isDirectory(path)) {
    const names = options.task === undefined ? await taskNames(path) : [options.task];
    for (const task of names.length > 0 ? names : [undefined]) {
      const run = await composed(await readRun(path, task));
      opened.push({ name: options.task === undefined ? task ?? "" : "", open: await openRun(run, host) });
    }
  } else {
    const run = await composed(await readSpec(path, options.set));
    const all = await openTasks(run, host);
    const wanted = all.filter(({ task }) => options.task === undefined || task.name === options.task);
    if (wanted.length === 0) {
      throw unknownName(
        "evaluate",
        "--task",
        "task",
        options.task ?? "",
        all.map((o) => o.task.name),
      );
    }
    for (const open of wanted) opened.push({ name: options.task === undefined ? open.task.name : "", open });
  }
  const found = new Map<string, Named<number>>();
  for (const { name, open } of opened) {
    for (const note of open.task.notes ?? []) process.stderr.write(`${note}\n`);
    const { test, eval: judged } = open.data;
    const data = options.data === undefined ? test ?? judged : open.run.use("data", rowsAt(options.data));
    if (data) found.set(name, await evaluateRun(open, data));
  }
  if (found.size === 0) {
    throw missing("evaluate", "data to evaluate on (--data, or data.test or data.eval of the spec)", path);
  }
  const tasks = opened.map(({ name, open }) => ({ open: { task: { ...open.task, name } } }));
  process.stdout.write(JSON.stringify(metricsFile(tasks, found), null, 2) + "\n");
  return exitCodes.done;
}

/** Prints one JSON line per row. */
export async function predictCommand(
  path: string,
  options: Readonly<{ input: string; task?: string; hiddenStates?: boolean; attentions?: boolean }>,
): Promise<number> {
  const run = await composed(await readRun(path, options.task));
  const open = await openRun(run, await hostHere());
  const outputs = { outputHiddenStates: options.hiddenStates ?? false, outputAttentions: options.attentions ?? false };
  for await (const prediction of predictRows(open, rowsOf(run, options.input), outputs)) {
    process.stdout.write(JSON.stringify(prediction) + "\n");
  }
  return exitCodes.done;
}

/** The rows of a file, as its name ends; without an ending that says otherwise, JSON lines. */
function rowsAt(file: string): Use<"data"> {
  const path = resolve(file);
  const { use, with: options } = spellOut("data", path);
  return options ? { use, with: options } : { use: "jsonl", with: { path } };
}

function rowsOf(run: Run, input: string): Dataset {
  if (input !== "-") return run.use("data", rowsAt(input));
  const rows: Row[] = readFileSync(0, "utf8").replace(/^\uFEFF/, "").split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line)];
    } catch (cause) {
      throw badFile(
        "predict",
        `standard input, line ${i + 1}`,
        `is not JSON (${cause instanceof Error ? cause.message : cause})`,
      );
    }
  });
  return run.use("data", { use: "memory", with: { rows } });
}
