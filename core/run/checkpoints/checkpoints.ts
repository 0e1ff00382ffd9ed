/**
 * Checkpoints in a run's directory: everything that an exact resume needs, with hashes to find the newest intact one.
 *
 * A checkpoint is written and read back, then `latest` is updated, and only then are older ones deleted.
 */
import type { Store } from "../../types.ts";
import { type CheckpointFiles, checkpointKey, MANIFEST, readCheckpoint, writeCheckpoint } from "./files.ts";

/** The newest intact checkpoint, if any. `damaged`: the checkpoints that were skipped, and what is wrong with each. */
export type CheckpointAt = Readonly<{
  name?: string;
  saved?: CheckpointFiles;
  damaged: readonly Readonly<{ name: string; problem: string }>[];
}>;

/** A run's checkpoints. */
export interface Checkpoints {
  /** Writes and verifies a checkpoint, deletes old ones beyond the limit, and returns its name. Throws store errors. */
  save(saved: CheckpointFiles): Promise<string>;
  /** Finds the newest intact checkpoint. */
  newest(): Promise<CheckpointAt>;
  /** Deletes old checkpoints, which an interrupted save may not have done. The checkpoint `name` must be intact. */
  retire(name: string): Promise<void>;
}

const LATEST = "checkpoints/latest";

/** Store keys by checkpoint name, of finished and unfinished checkpoints. */
type Folders = ReadonlyMap<string, readonly string[]>;

/** Returns the checkpoints of an output directory. `limit`: the number to keep; all if absent. */
export function checkpointsIn(output: Store, limit?: number): Checkpoints {
  return {
    save: async (saved) => {
      const name = `step-${String(saved.state.step).padStart(8, "0")}`;
      const before = await listFolders(output);
      // An interrupted or damaged checkpoint may already have this name.
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
  // The manifest goes first: without it, a folder is not a checkpoint.
  await output.delete(checkpointKey(name, MANIFEST));
  for (const key of keys) await output.delete(key);
}

/** Deletes unfinished checkpoints that a crash has left, and old ones beyond the limit; `name` is kept. */
async function retire(output: Store, name: string, folders: Folders, limit: number | undefined): Promise<void> {
  const done = new Set(finishedOf(folders));
  for (const [other, keys] of folders) {
    if (!done.has(other) && other !== name) await removeCheckpoint(output, other, keys);
  }
  if (limit === undefined) return;
  const old = inOrder([...done].filter((other) => other !== name), name);
  for (const other of old.slice(limit - 1)) await removeCheckpoint(output, other, folders.get(other) ?? []);
}

/** Sorts names, the newest first: steps up to `latest` in descending order, then later steps of an earlier attempt. */
function inOrder(names: readonly string[], latest: string): string[] {
  const falling = names.toSorted().reverse();
  const known = /^step-\d+$/.test(latest);
  return known ? [...falling.filter((n) => n <= latest), ...falling.filter((n) => n > latest)] : falling;
}
