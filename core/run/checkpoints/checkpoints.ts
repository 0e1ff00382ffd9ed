/**
 * Checkpoints in a run's directory: everything that an exact resume needs, hashed, the newest good one found again.
 *
 * A save is written and read back; then `latest` moves; only then do older ones go.
 */
import type { Store } from "../../types.ts";
import { type CheckpointFiles, checkpointKey, MANIFEST, readCheckpoint, writeCheckpoint } from "./files.ts";

/** What was found. `damaged`: those that were passed over, each with what is wrong with it. */
export type CheckpointAt = Readonly<{
  name?: string;
  saved?: CheckpointFiles;
  damaged: readonly Readonly<{ name: string; problem: string }>[];
}>;

/** A run's checkpoints. */
export interface Checkpoints {
  /** Writes one, verifies it and gives its name; older ones beyond the limit go then. Throws what the store throws. */
  save(saved: CheckpointFiles): Promise<string>;
  /** The newest sound one. */
  newest(): Promise<CheckpointAt>;
  /** Lets older ones go, as a save would have done that was cut off behind its commit. `name` must be sound. */
  retire(name: string): Promise<void>;
}

const LATEST = "checkpoints/latest";

/** Keys by checkpoint, of finished and unfinished ones. */
type Folders = ReadonlyMap<string, readonly string[]>;

/** The checkpoints of an output directory. `limit`: how many are kept; absent: all. */
export function checkpointsIn(output: Store, limit?: number): Checkpoints {
  return {
    save: async (saved) => {
      const name = `step-${String(saved.state.step).padStart(8, "0")}`;
      const before = await listFolders(output);
      // Of this name there may be one that was cut off, or a damaged one.
      await removeCheckpoint(output, name, before.get(name) ?? []);
      await writeCheckpoint(output, name, saved);
      await output.put(LATEST, new TextEncoder().encode(`${name}\n`));
      await retire(output, name, before, limit);
      return name;
    },
    retire: async (name) => await retire(output, name, await listFolders(output), limit),
    newest: async () => await findNewest(output),
  };
}

async function findNewest(output: Store): Promise<CheckpointAt> {
  const damaged: { name: string; problem: string }[] = [];
  const latest = await output.get(LATEST);
  const text = latest ? new TextDecoder().decode(latest.bytes).trim() : "";
  for (const name of inOrder(finishedOf(await listFolders(output)), text)) {
    try {
      return { name, saved: await readCheckpoint(output, name), damaged };
    } catch (error) {
      damaged.push({ name, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return { damaged };
}

async function listFolders(output: Store): Promise<Folders> {
  const folders = new Map<string, string[]>();
  for await (const { key } of output.list("checkpoints/")) {
    const [, name = "", file] = key.split("/");
    if (file !== undefined && /^step-\d+$/.test(name)) folders.set(name, [...folders.get(name) ?? [], key]);
  }
  return folders;
}

function finishedOf(folders: Folders): string[] {
  return [...folders].flatMap(([name, keys]) => (keys.includes(checkpointKey(name, MANIFEST)) ? [name] : []));
}

async function removeCheckpoint(output: Store, name: string, keys: readonly string[]): Promise<void> {
  // Without its manifest a folder is no checkpoint any more.
  await output.delete(checkpointKey(name, MANIFEST));
  for (const key of keys) await output.delete(key);
}

/** Removes what a crash has left, and those beyond the limit behind one that is sound. */
async function retire(output: Store, name: string, folders: Folders, limit: number | undefined): Promise<void> {
  const done = new Set(finishedOf(folders));
  for (const [other, keys] of folders) {
    if (!done.has(other) && other !== name) await removeCheckpoint(output, other, keys);
  }
  if (limit === undefined) return;
  const old = inOrder([...done].filter((other) => other !== name), name);
  for (const other of old.slice(limit - 1)) await removeCheckpoint(output, other, folders.get(other) ?? []);
}

/** From the newest: those up to `latest` by falling step, then those of a later step, which an earlier attempt left. */
function inOrder(names: readonly string[], latest: string): string[] {
  const falling = names.toSorted().reverse();
  const known = /^step-\d+$/.test(latest);
  return known ? [...falling.filter((n) => n <= latest), ...falling.filter((n) => n > latest)] : falling;
}
