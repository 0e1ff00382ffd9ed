/**
 * The space of a search: which options apply to a trial, the specs of trials, and validation of spaces.
 */
import { AttuneError, badValue, show, unknownName } from "../base/errors.ts";
import type { PartNamer } from "./default_parts.ts";
import { specParts } from "./spec_parts.ts";
import { setAt, valueAt } from "./spec_paths.ts";
import type { Json, Named, Space } from "../types.ts";

/** Whether an option applies, given the values chosen before it. */
export function isThere({ when = {} }: Space, valueOf: (path: string) => Json | undefined): boolean {
  return Object.entries(when).every(([path, condition]) => {
    const value = JSON.stringify(valueOf(path));
    return alternativesOf(condition).some((one) => JSON.stringify(one) === value);
  });
}

/** Returns the values that satisfy a condition: one or a list of them, and the list itself if it may be a choice. */
function alternativesOf(condition: Json): readonly Json[] {
  return Array.isArray(condition) ? [condition, ...condition] : [condition];
}

/** Returns the paths of a space, each after those it depends on. Throws AttuneError if dependencies have a cycle. */
export function pathsInOrder(space: Named<Space>): readonly string[] {
  const order = new Set<string>();
  const visit = (path: string, above: readonly string[]): void => {
    if (order.has(path)) return;
    if (above.includes(path)) {
      throw badValue("spec", `search.with.space.${path}.when`, above, "conditions without a cycle");
    }
    for (const other of Object.keys(space[path]?.when ?? {})) if (space[other]) visit(other, [...above, path]);
    order.add(path);
  };
  for (const path of Object.keys(space)) visit(path, []);
  return [...order];
}

/** Chooses the options of a trial one after the other, leaving out those that do not apply. */
export function chooseIn(
  space: Named<Space>,
  choose: (path: string, range: Space, values: Named<Json>) => Json,
): Named<Json> {
  const values: Record<string, Json> = {};
  for (const path of pathsInOrder(space)) {
    const range = space[path];
    if (range && isThere(range, (other) => values[other])) values[path] = choose(path, range, values);
  }
  return values;
}

/** Returns why values are not a valid trial of a space: an option that does not apply or is missing, a wrong value. */
export function wrongParams(space: Named<Space>, params: Named<Json>): string | undefined {
  const there = Object.keys(space).filter((path) => isThere(space[path] as Space, (other) => params[other]));
  const stray = Object.keys(params).find((path) => !there.includes(path));
  if (stray !== undefined) return `${stray}: the search has no such option${space[stray] ? " beside these" : ""}`;
  const path = there.find((path) => !isWithin(space[path] as Space, params[path]));
  return path && `${path}: ${show(params[path])} is not in the space`;
}

function isWithin(range: Space, value: Json | undefined): boolean {
  if (range.type === "categorical") {
    return range.choices.some((choice) => JSON.stringify(choice) === JSON.stringify(value));
  }
  if (typeof value !== "number" || (range.type === "int" && !Number.isInteger(value))) return false;
  return value >= range.low && value <= range.high;
}

/**
 * Returns the spec of a trial: the searched one with the trial's values and without the search. `name`: writes default
 * parts of the task into the spec, so that their options can be set.
 */
export function trialSpec(spec: Named<Json>, params: Named<Json>, name?: PartNamer): Named<Json> {
  const { search: _search, ...rest } = spec as Record<string, Json>;
  // Parts are set before options within them, and the task before its default parts.
  const order = (path: string): number => path.split(".").length - (path.split(".")[0] === "task" ? 100 : 0);
  const paths = Object.keys(params).sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
  return paths.reduce<Named<Json>>((before, path) => {
    const spec = name ? name(before, path) : before;
    return setAt(spec, path, params[path] ?? null);
  }, rest);
}

/** A trial at one end of an option's range, or with one of its choices; the others have the first value that fits. */
export type SpaceCorner = Readonly<{ path: string; value: Json; params: Named<Json> }>;

/** Returns corners of a space that cover every choice, both ends of every range, and a number in between. */
export function cornersOf(space: Named<Space>): readonly SpaceCorner[] {
  const withParents = (path: string, value: Json): Named<Json> => {
    const parents = Object.entries(space[path]?.when ?? {}).map(([other, condition]) => {
      const range = space[other];
      return range ? withParents(other, alternativesOf(condition).find((one) => isWithin(range, one)) ?? null) : {};
    });
    return Object.assign({}, ...parents, { [path]: value });
  };
  pathsInOrder(space);
  return Object.entries(space).flatMap(([path, range]) => {
    const values = range.type === "categorical"
      ? range.choices
      : [...new Set([range.low, range.high, ...betweenOf(range)])];
    return values.map((value) => {
      const fixed = withParents(path, value);
      const first = (range: Space): Json => (range.type === "categorical" ? range.choices[0] ?? null : range.low);
      const others = chooseIn(
        space,
        (other, range) => (Object.hasOwn(fixed, other) ? fixed[other] ?? null : first(range)),
      );
      return { path, value, params: { ...others, ...fixed } };
    });
  });
}

/** Returns the specs of the corners of a spec's search space. */
export function cornerSpecs(spec: Named<Json>): readonly Named<Json>[] {
  return cornersOf(spaceIn(spec)).map(({ params }) => trialSpec(spec, params));
}

/** Returns a fractional number within a range, if it has any, because an option may accept only whole ones. */
function betweenOf(range: Exclude<Space, { type: "categorical" }>): readonly number[] {
  const { type, low, high, step } = range;
  if (type === "int" || low === high) return [];
  return [low + (step ?? (high - low) * 0.381966)];
}

/** Keys of a spec that hold no options of a run. */
const unsearched: readonly string[] = ["$schema", "version", "name", "plugins", "search", "versions", "fingerprints"];

/**
 * Returns the errors of a space: paths that the spec does not have, values that it does not accept, conditions on
 * options that are not searched. `issuesOf`: returns the errors of a spec.
 */
export function wrongSpace(
  spec: Named<Json>,
  space: Named<Space>,
  issuesOf: (spec: Named<Json>) => readonly AttuneError[],
  name: PartNamer,
): AttuneError[] {
  const at = (path: string): string => `search.with.space.${path}`;
  const issues: AttuneError[] = [];
  const sentences = new Set(issuesOf(trialSpec(spec, {})).map(({ sentence }) => sentence));
  for (const [path, { when = {} }] of Object.entries(space)) {
    for (const [other, condition] of Object.entries(when)) {
      const range = space[other];
      const where = `${at(path)}.when.${other}`;
      if (!range) issues.push(unknownName("spec", where, "searched option", other, Object.keys(space)));
      // A list that is itself a choice is not a list of choices.
      else if (isWithin(range, condition)) continue;
      const never = range && (Array.isArray(condition) ? condition : [condition]).find((one) => !isWithin(range, one));
      if (never !== undefined) issues.push(badValue("spec", where, never, `a value of ${other}`));
    }
    if (unsearched.includes(path.split(".")[0] ?? "")) {
      issues.push(badValue("spec", at(path), path, "the path of a plugin, of its options or of a training argument"));
    }
  }
  if (issues.length > 0) return issues;
  try {
    pathsInOrder(space);
  } catch (error) {
    if (error instanceof AttuneError) return [error];
    throw error;
  }
  for (const { path, value, params } of cornersOf(space)) {
    const nowhere = wrongPlace(spec, path, value, params, name);
    if (nowhere) {
      const issue = badValue("spec", at(path), path, nowhere);
      if (!sentences.has(issue.sentence)) issues.push(issue);
      sentences.add(issue.sentence);
      continue;
    }
    for (const issue of issuesOf(trialSpec(spec, params, name))) {
      if (sentences.has(issue.sentence)) continue;
      sentences.add(issue.sentence);
      const { code, plugin, found, allowed } = issue;
      const message = `${at(path)}: ${issue.sentence}`;
      issues.push(new AttuneError(message, { code, plugin, path: at(path), found, allowed }));
    }
  }
  return issues;
}

/** Returns why a value cannot be set in a trial's spec: a list is too short, or no part is named there. */
function wrongPlace(
  spec: Named<Json>,
  path: string,
  value: Json,
  params: Named<Json>,
  name: PartNamer,
): string | undefined {
  const above = Object.entries(params).filter(([other]) => !other.startsWith(`${path}.`));
  const trial = trialSpec(spec, Object.fromEntries(above), name);
  const keys = path.split(".");
  const places = keys.map((_, i) => keys.slice(0, i).join("."));
  const short = places.find((place, i) => /^\d+$/.test(keys[i] ?? "") && !has(valueAt(trial, place), Number(keys[i])));
  if (short !== undefined) return `a place that the spec has: ${short} has fewer`;
  if (JSON.stringify(valueAt(trial, path)) !== JSON.stringify(value)) return "a place that the spec has";
  const part = places.find((place) => place in specParts);
  const inside = part !== undefined && path.startsWith(`${part}.with.`) ? valueAt(trial, `${part}.use`) : "";
  if (inside !== undefined) return undefined;
  const ofClasses = part === "head" || part === "collator"
    ? ", give task.with.labels, with which the task has one,"
    : "";
  return `a place that the spec has: it names no ${part}, so add one${ofClasses} or search ${part}.use`;
}

function has(list: Json | undefined, place: number): boolean {
  return !Array.isArray(list) || place < list.length;
}

/** Returns the space of a spec's search as given, without entries that are invalid. */
export function spaceIn({ search }: Named<Json>): Named<Space> {
  const space = (search as { with?: { space?: unknown } } | undefined)?.with?.space;
  if (typeof space !== "object" || space === null) return {};
  return Object.fromEntries(
    Object.entries(space as Named<Space>).filter(([, range]) => {
      if (typeof range !== "object" || range === null) return false;
      return range.type === "categorical"
        ? Array.isArray(range.choices)
        : range.type === "float" || range.type === "int";
    }),
  );
}
