/**
 * Whether a run may go on from a checkpoint: only as the same run on the same data.
 * @module
 */
import { refused, show } from "../errors.ts";
import type { Json, Named } from "../types.ts";
import type { Saved } from "./checkpoints.ts";

/** Parts that watch a run or place its results: they may change between attempts. */
const watching: ReadonlySet<string> = new Set(["name", "data", "loggers", "exporters"]);

/** Training arguments that only say when something is logged or saved. */
const reporting: ReadonlySet<string> = new Set([
  "loggingStrategy",
  "loggingSteps",
  "loggingFirstStep",
  "saveStrategy",
  "saveSteps",
  "saveTotalLimit",
]);

/** Options that say where something lies; what lies there is told by its fingerprint. */
const places: ReadonlySet<string> = new Set(["path", "from", "cache"]);

/** What of a resolved spec must stay the same. */
export function lasting(spec: Named<Json>): Named<Json> {
  const { training, ...parts } = spec;
  const kept = Object.fromEntries(Object.entries(parts).filter(([key]) => !watching.has(key)));
  const named = Object.entries((training ?? {}) as Named<Json>).filter(([key]) => !reporting.has(key));
  return { ...withoutPlaces(kept) as Named<Json>, training: Object.fromEntries(named) };
}

/** Throws AttuneError (REFUSED) that lists every difference between a checkpoint's run and this one. */
export function checkSame(name: string, saved: Saved, spec: Json, fingerprints: Named<string>): void {
  const lines: string[] = [];
  for (const what of new Set([...Object.keys(saved.fingerprints), ...Object.keys(fingerprints)])) {
    const [was, is] = [saved.fingerprints[what], fingerprints[what]];
    if (was !== is) lines.push(`  ${what}: its fingerprint was ${was ?? "none"}, now ${is ?? "none"}`);
  }
  for (const { path, was, is } of differences(saved.spec, spec)) {
    lines.push(`  ${path}: was ${show(was)}, now ${show(is)}`);
  }
  if (lines.length === 0) return;
  throw refused("resume", `Checkpoint ${name} belongs to another run:\n${lines.join("\n")}`);
}

/** Every place where two values differ. */
function differences(
  was: Json | undefined,
  is: Json | undefined,
  path = "",
): { path: string; was: unknown; is: unknown }[] {
  const isTree = (value: Json | undefined): value is Named<Json> => typeof value === "object" && value !== null;
  if (!isTree(was) || !isTree(is) || Array.isArray(was) !== Array.isArray(is)) {
    return Object.is(was, is) ? [] : [{ path, was, is }];
  }
  const keys = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...keys].flatMap((key) => differences(was[key], is[key], path === "" ? key : `${path}.${key}`));
}

function withoutPlaces(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, own]) =>
      places.has(key) && typeof own === "string" ? [] : [[key, withoutPlaces(own)]]
    ),
  );
}
