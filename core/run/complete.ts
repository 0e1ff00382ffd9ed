/**
 * Whether files have all that a run computes with, and nothing that would be passed over: random numbers in place of a
 * lost tensor, and a saved tensor that nobody reads, look like any others.
 * @module
 */
import { type Parameter, qualifyName } from "../engine/builder/parameters.ts";
import { aliasesOf, initialWeights } from "../engine/weights.ts";
import { AttuneError, badFile, show } from "../errors.ts";
import { createRandom } from "../random.ts";
import type { AttachedAdapter, HeadSpec } from "../types.ts";
import { inspectBuilt } from "./built.ts";
import type { OpenRun } from "./open_run.ts";

/**
 * Checks an opened run's files.
 *
 * @throws AttuneError that names tensors: of the model, or half of a head, that the checkpoint lacks; of a saved adapter
 * that its file lacks; of its file that nothing asks for.
 */
export function checkComplete(open: OpenRun): void {
  const { checkpoint, attached, backbone } = open;
  const parameters = [...inspectBuilt(open).parameters.values()];
  const initial = initialWeights(checkpoint, attached, backbone, createRandom(0));
  checkModel(open, parameters, initial.isNew);
  for (const own of attached) if (own.weights) checkSaved(open, own, parameters);
}

/** The names of a head's parameters that no file has: it starts anew, and nothing can be asked of it before it is trained. */
export function listNewParts(open: OpenRun): readonly string[] {
  const { checkpoint, attached, backbone } = open;
  // A model from scratch is asked for as such.
  if (checkpoint.weights.names.length === 0) return [];
  const { isNew } = initialWeights(checkpoint, attached, backbone, createRandom(0));
  return [...inspectBuilt(open).parameters.values()].filter((p) => !p.adapter && !p.frozen && isNew(p)).map((p) =>
    p.name
  );
}

/** Refuses what would answer with a head that nothing was learned for. Throws AttuneError that names its parameters. */
export function refuseNewParts(open: OpenRun): void {
  const fresh = listNewParts(open);
  if (fresh.length === 0) return;
  throw new AttuneError(
    `${open.checkpoint.label}: ${listed(fresh)} ${fresh.length === 1 ? "is" : "are"} missing and would be random: ` +
      "the head is new, train it first",
    { code: "NEW_HEAD", plugin: "checkpoint", path: open.checkpoint.label, found: fresh },
  );
}

function checkModel(
  { checkpoint, backbone, heads }: OpenRun,
  parameters: readonly Parameter[],
  isNew: (p: Parameter) => boolean,
): void {
  if (checkpoint.weights.names.length === 0) return;
  const there = new Set(checkpoint.weights.names);
  // What has other dims was asked to start anew.
  const lacks = (p: Parameter): boolean =>
    !p.adapter && !p.frozen && isNew(p) && !aliasesOf(p.unqualifiedName, backbone).some((name) => there.has(name));
  const lost = parameters.filter((p) => p.name in backbone.shapes && lacks(p));
  const own = parameters.filter((p) => !(p.name in backbone.shapes) && !p.adapter && !p.frozen);
  const outputs = heads.flatMap(({ name }) => backbone.heads[name]?.out ?? []);
  // A head is whole or new: half of a module, or an output without what stands before it, was lost.
  const halves = own.filter((p) => {
    const module = moduleOf(p.unqualifiedName);
    const beside = own.filter((other) => other !== p && !lacks(other));
    return lacks(p) &&
      beside.some((other) =>
        moduleOf(other.unqualifiedName) === module || outputs.includes(moduleOf(other.unqualifiedName))
      );
  });
  const names = [...lost, ...halves].map((p) => p.unqualifiedName);
  if (names.length === 0) return;
  throw new AttuneError(
    `${checkpoint.label}: ${listed(names)} ${names.length === 1 ? "is" : "are"} missing from the weights; ` +
      "only a head that is new as a whole may start at random",
    { code: "MISSING", plugin: "checkpoint", path: checkpoint.label, found: names },
  );
}

/** Checks one saved adapter of a run; `parameters`: those of the run with it. */
export function checkSaved(open: OpenRun, attached: AttachedAdapter, parameters: readonly Parameter[]): void {
  const { backbone } = open;
  const { weights, name } = attached;
  if (!weights) return;
  const where = weights.label ?? "the saved adapter";
  const names = weights.names;
  const inModel = (key: string): readonly string[] => aliasesOf(key, backbone);
  const asked = new Map(parameters.map((p) => [p.unqualifiedName, p]));
  const askedFor = (key: string): Parameter | undefined => {
    for (const own of inModel(key)) {
      const found = asked.get(qualifyName(attached, own)) ?? asked.get(own);
      if (found) return found;
    }
    return undefined;
  };
  for (const key of names) {
    if (askedFor(key) || belongsElsewhere(open, attached, inModel(key))) continue;
    throw badFile(
      "adapter",
      where,
      `has ${show(key)}, a place that ${open.checkpoint.label} (${backbone.family.modelType}) does not have`,
    );
  }
  const saved = new Set(names.flatMap((key) => askedFor(key)?.name ?? []));
  const ownPrefix = name === undefined ? "" : `${name}/`;
  // A module of which nothing was saved is as the base has it: its update begins as nothing. One of which half is there is not.
  const updatedModule = ({ unqualifiedName }: Parameter): string | undefined => {
    const part = attached.roleOf?.(unqualifiedName.slice(ownPrefix.length));
    return part?.role === "factor" ? part.module : undefined;
  };
  const begun = new Set(parameters.filter((p) => p.adapter && saved.has(p.name)).map(updatedModule));
  const untouched = (p: Parameter): boolean => {
    const module = updatedModule(p);
    return saved.size > 0 && module !== undefined && !begun.has(module);
  };
  const lost = parameters.filter((p) =>
    p.adapter && !p.frozen && p.unqualifiedName.startsWith(ownPrefix) && !saved.has(p.name) && !untouched(p)
  );
  if (lost.length === 0) return;
  throw badFile(
    "adapter",
    where,
    `lacks ${listed(lost.map((p) => p.unqualifiedName.slice(ownPrefix.length)))}, which its config asks for`,
  );
}

/** Whether a tensor is of a part that the library's model has and this task does not compute: that one is not asked for. */
function belongsElsewhere(
  { backbone, attached }: OpenRun,
  adapter: AttachedAdapter,
  names: readonly string[],
): boolean {
  const within = (module: string): boolean => names.some((name) => name.startsWith(`${module}.`));
  if ([...backbone.otherSide ?? [], ...backbone.idle ?? []].some(within)) return true;
  // Both names of what is shared stand in files that were saved with it.
  if (Object.entries(backbone.ties).some((pair) => pair.some((name) => names.includes(name)))) return true;
  const ties = Object.keys(backbone.ties).map(moduleOf);
  // Rows that train by themselves are the table's, whichever module has it.
  const isTiedRows = (name: string): boolean => {
    const part = adapter.roleOf?.(name);
    return part?.role === "rows" && ties.includes(part.module);
  };
  if (names.some(isTiedRows)) return true;
  if (attached.length > 0 && ties.some((module) => within(module) && attached.some((a) => a.sharesUpdate?.(module)))) {
    return true;
  }
  return Object.values(backbone.heads).some((style) => modulesOf(style).some(within));
}

/** Modules of a head, by its style. */
function modulesOf({ out, outBias, steps }: HeadSpec): readonly string[] {
  return [
    out,
    ...outBias === undefined ? [] : [moduleOf(outBias)],
    ...steps.flatMap((step) => "dense" in step ? [step.dense] : "norm" in step ? [step.norm] : []),
  ];
}

function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 4).map((name) => show(name)).join(", ");
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}
