/** The data of a run: its splits, and the context of their transforms. */
import { AttuneError, badValue } from "../base/errors.ts";
import type { Collator, Dataset, Host, Run, RunData, SplitName, Subtask, Tokenizer, Transform } from "../types.ts";
import { inContext } from "./data_context.ts";
import { transformRows } from "./transformed.ts";

/** The splits of a run's data, in order. */
export const splitNames: readonly SplitName[] = ["train", "eval", "test"];

/** Data sets by split. */
export type DataSplits = { [S in SplitName]?: Dataset };

/**
 * Returns the data sets after a transform of `train` has split off others. That transform runs first; of the others,
 * those for training only apply to `train` alone. Errors are added to `issues`.
 */
export function splitData(data: Readonly<DataSplits>, path: string, issues: AttuneError[]): DataSplits {
  for (const name of ["eval", "test"] as const) {
    data[name]?.transformed?.transforms.forEach((transform, i) => {
      if (!transform.makes) return;
      issues.push(
        badValue("spec", `${path}.${name}.transforms.${i}`, transform.name, `"${transform.name}" only on data.train`),
      );
    });
  }
  const { source, transforms = [] } = data.train?.transformed ?? {};
  const splitters = transforms.filter(({ makes }) => makes !== undefined);
  const [splitter] = splitters;
  if (!source || !splitter) return { ...data };
  if (splitters.length > 1) {
    issues.push(
      badValue("spec", `${path}.train.transforms`, splitters.map((t) => t.name), "one transform that splits"),
    );
  }
  const others = transforms.filter((transform) => transform !== splitter);
  const splits: DataSplits = { ...data, train: transformRows(source, [splitter, ...others]) };
  for (const name of splitter.makes ?? []) {
    if (name === "train") continue;
    if (data[name]) {
      issues.push(
        badValue(
          "spec",
          `${path}.${name}`,
          data[name].name,
          `nothing, because "${splitter.name}" on data.train creates it`,
        ),
      );
    }
    splits[name] = transformRows(source, [splitter, ...others.filter(({ trainOnly }) => !trainOnly)]);
  }
  return splits;
}

/** Whether a split has rows: its own, or those that a transform of the training rows splits off. */
export function hasSplit(data: RunData | undefined, split: SplitName): boolean {
  const train = Object(data?.train) as Partial<Dataset>;
  const makes = train.transformed?.transforms.some((transform) => transform.makes?.includes(split));
  return data?.[split] !== undefined || makes === true;
}

/** Returns errors on transforms at a path of a spec that are only allowed for training rows. */
export function refuseTrainOnly(transforms: readonly Transform[], path: string): AttuneError[] {
  const split = /(?:^|\.)data\.(eval|test)(?:\.|$)/.exec(path)?.[1];
  if (split === undefined) return [];
  return transforms.flatMap(({ name, trainOnly }, i) =>
    trainOnly
      ? [
        new AttuneError(
          `${path}.transforms.${i}: "${name}" changes what is measured: use it on data.train, not on ${split}`,
          { code: "BAD_OPTION", plugin: "spec", path: `${path}.transforms.${i}`, found: name, allowed: ["data.train"] },
        ),
      ]
      : []
  );
}

/** Returns a run's data sets whose transforms know its seed, tokenizer and splits, and the columns its task reads. */
export function dataInRun(
  data: Readonly<DataSplits>,
  run: Pick<Run, "model" | "tokenizer" | "training" | "use">,
  collator: Collator | undefined,
): DataSplits {
  const tokenizers = new WeakMap<Host, Promise<Tokenizer>>();
  const tokenizer = (host: Host): Promise<Tokenizer> => {
    const known = tokenizers.get(host) ?? run.model.open(host).then(({ files }) => run.tokenizer.open(files));
    tokenizers.set(host, known);
    return known;
  };
  const splits: DataSplits = {};
  for (const split of splitNames) {
    const dataset = data[split];
    if (!dataset) continue;
    const columns = collator?.columns;
    splits[split] = inContext(dataset, { seed: run.training.seed, split, columns, splits, tokenizer });
  }
  return splits;
}

/** Returns the path of a task's data in a run spec. */
export function dataPath({ name }: Pick<Subtask, "name">): string {
  return name === "" ? "data" : `task.with.tasks.${name}.data`;
}

/** Returns the data of one of a run's tasks: its own, or else the run's. */
export function taskData(run: Run, task: Subtask): DataSplits {
  if (!task.data) return run.data;
  const splits: DataSplits = {};
  for (const split of splitNames) {
    const part = task.data[split];
    if (part !== undefined) splits[split] = run.use("data", part as Dataset);
  }
  const issues: AttuneError[] = [];
  const data = splitData(splits, dataPath(task), issues);
  if (issues[0]) throw issues[0];
  return dataInRun(data, run, run.use("collator", task.collator));
}
