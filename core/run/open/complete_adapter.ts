/** Checks that a saved adapter has every tensor that its config asks for, and none that would be ignored. */
import { type Parameter, qualifyName } from "../../engine/builder/parameters.ts";
import { aliasesOf } from "../../engine/weights.ts";
import { badFile, show } from "../../base/errors.ts";
import type { AttachedAdapter, HeadSpec } from "../../types.ts";
import { listNames, moduleOf } from "./tensor_names.ts";
import type { OpenRun } from "./open_run.ts";

/** Checks one saved adapter of a run with these parameters. Throws AttuneError that names lost or unused tensors. */
export function checkSaved(open: OpenRun, attached: AttachedAdapter, parameters: readonly Parameter[]): void {
  const { backbone } = open;
  const { weights, name } = attached;
  if (!weights) return;
  const where = weights.label ?? "the saved adapter";
  const names = weights.names;
  const inModel = (key: string): readonly string[] => aliasesOf(key, backbone);
  const byName = new Map(parameters.map((p) => [p.unqualifiedName, p]));
  const askedFor = (key: string): Parameter | undefined => {
    for (const path of inModel(key)) {
      const saved = byName.get(qualifyName(attached, path)) ?? byName.get(path);
      if (saved) return saved;
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
  // A module without saved factors is unchanged, since its update starts at zero; one with only some factors is broken.
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
    `lacks ${listNames(lost.map((p) => p.unqualifiedName.slice(ownPrefix.length)))}, which its config asks for`,
  );
}

/** Whether a tensor belongs to a part of the library's model that this task does not compute and so does not read. */
function belongsElsewhere(
  { backbone, attached }: OpenRun,
  adapter: AttachedAdapter,
  names: readonly string[],
): boolean {
  const within = (module: string): boolean => names.some((name) => name.startsWith(`${module}.`));
  if ([...backbone.otherSide ?? [], ...backbone.idle ?? []].some(within)) return true;
  // Files saved with a shared tensor have it under both names.
  if (Object.entries(backbone.ties).some((pair) => pair.some((name) => names.includes(name)))) return true;
  const ties = Object.keys(backbone.ties).map(moduleOf);
  // Separately trained rows belong to the shared table, whichever of its modules is named.
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

/** Returns the modules of a head. */
function modulesOf({ out, outBias, steps }: HeadSpec): readonly string[] {
  return [
    out,
    ...outBias === undefined ? [] : [moduleOf(outBias)],
    ...steps.flatMap((step) => "dense" in step ? [step.dense] : "norm" in step ? [step.norm] : []),
  ];
}
