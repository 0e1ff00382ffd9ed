/**
 * Checkpoints in a run's directory: everything that an exact resume needs, hashed, the newest good one found again.
 *
 * A checkpoint is a folder of files and a manifest that holds their hashes and its own. The manifest is written last, so
 * that a save that was cut off is none; then it is read back; then `latest` moves; only then do older ones go.
 * @module
 */
import { badFile } from "../errors.ts";
import { sha256 } from "../fingerprint.ts";
import { readSafetensors, toFloat32, writeSafetensors } from "../safetensors.ts";
import type { Tensor } from "../tensor.ts";
import type { SavedTensors } from "../engine/state.ts";
import type { Json, Named, Store } from "../types.ts";
import type { LoopState } from "../loop/train.ts";

/** A saved moment of a run. */
export type Saved = Readonly<{
  state: LoopState;
  /** Weights and optimizer state. */
  tensors: SavedTensors;
  /** The best weights so far, where they are kept. */
  best?: SavedTensors;
  fingerprints: Named<string>;
  /** What the run was, so that another cannot go on from it. */
  spec: Json;
  /** Where each log stood. */
  logs: Named<Json>;
}>;

/** What was found. `damaged`: those that were passed over, each with what is wrong with it. */
export type Found = Readonly<{
  name?: string;
  saved?: Saved;
  damaged: readonly Readonly<{ name: string; problem: string }>[];
}>;

/** A run's checkpoints. */
export interface Checkpoints {
  /** Writes one, verifies it and gives its name; older ones beyond the limit go then. Throws what the store throws. */
  save(saved: Saved): Promise<string>;
  /** The newest sound one. */
  newest(): Promise<Found>;
  /** Lets older ones go, as a save would have done that was cut off behind its commit. `name` must be sound. */
  retire(name: string): Promise<void>;
}

type Manifest = Readonly<{
  version: 1;
  state: LoopState;
  fingerprints: Named<string>;
  spec: Json;
  logs: Named<Json>;
  files: Named<Readonly<{ bytes: number; sha256: string }>>;
}>;

/** Tensors are written in files of about this many bytes, so that hashing one needs no second copy of a model. */
const FILE_BYTES = 256 * 2 ** 20;

const LATEST = "checkpoints/latest";
const MANIFEST = "checkpoint.json";
const BEST = "best";
const STATE = "state";

/** The checkpoints of an output directory. `limit`: how many are kept; absent: all. */
export function checkpointsIn(output: Store, limit?: number): Checkpoints {
  const at = (name: string, file: string): string => `checkpoints/${name}/${file}`;

  /** Keys by checkpoint, of finished and unfinished ones. */
  const folders = async (): Promise<Map<string, string[]>> => {
    const found = new Map<string, string[]>();
    for await (const { key } of output.list("checkpoints/")) {
      const [, name = "", file] = key.split("/");
      if (file !== undefined && /^step-\d+$/.test(name)) found.set(name, [...found.get(name) ?? [], key]);
    }
    return found;
  };
  const finished = (all: ReadonlyMap<string, readonly string[]>): string[] =>
    [...all].flatMap(([name, keys]) => (keys.includes(at(name, MANIFEST)) ? [name] : []));
  const remove = async (name: string, keys: readonly string[]): Promise<void> => {
    // Without its manifest a folder is no checkpoint any more.
    await output.delete(at(name, MANIFEST));
    for (const key of keys) await output.delete(key);
  };

  /** Removes what a crash has left, and those beyond the limit behind one that is sound. */
  const retire = async (name: string, all: ReadonlyMap<string, readonly string[]>): Promise<void> => {
    const done = new Set(finished(all));
    for (const [other, keys] of all) if (!done.has(other) && other !== name) await remove(other, keys);
    if (limit === undefined) return;
    const old = inOrder([...done].filter((other) => other !== name), name);
    for (const other of old.slice(limit - 1)) await remove(other, all.get(other) ?? []);
  };

  const manifestOf = async (name: string): Promise<Manifest> => {
    const key = at(name, MANIFEST);
    const found = await output.get(key);
    if (!found) throw badFile("resume", key, "is missing");
    let parsed: { manifest?: Manifest; sha256?: string };
    try {
      parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(found.bytes));
    } catch {
      throw badFile("resume", key, "is not JSON");
    }
    const { manifest } = parsed;
    if (!manifest || await sha256(JSON.stringify(manifest)) !== parsed.sha256) {
      throw badFile("resume", key, "is not what was written: its hash differs");
    }
    if (manifest.version !== 1) throw badFile("resume", key, `is of version ${manifest.version}, which is not known`);
    return manifest;
  };
  /** Each file's bytes, verified. */
  const verified = async (
    name: string,
    manifest: Manifest,
    take: (file: string, bytes: Uint8Array) => void,
  ): Promise<void> => {
    for (const [file, due] of Object.entries(manifest.files)) {
      const key = at(name, file);
      const found = await output.get(key);
      if (!found) throw badFile("resume", key, "is missing");
      if (found.size !== due.bytes) throw badFile("resume", key, `has ${found.size} bytes, not ${due.bytes}`);
      if (await sha256(found.bytes) !== due.sha256) {
        throw badFile("resume", key, "is not what was written: its hash differs");
      }
      take(file, found.bytes);
    }
  };

  const load = async (name: string): Promise<Saved> => {
    const manifest = await manifestOf(name);
    const tensors: Record<string, Tensor<Float32Array>> = {};
    const best: Record<string, Tensor<Float32Array>> = {};
    await verified(name, manifest, (file, bytes) => {
      const into = file.startsWith(`${BEST}-`) ? best : tensors;
      for (const [key, tensor] of Object.entries(readSafetensors(bytes, at(name, file)))) into[key] = toFloat32(tensor);
    });
    const { state, fingerprints, spec, logs } = manifest;
    const kept = Object.keys(best).length > 0 ? { best } : {};
    return { state, tensors, ...kept, fingerprints, spec, logs };
  };

  return {
    save: async ({ state, tensors, best, fingerprints, spec, logs }) => {
      const name = `step-${String(state.step).padStart(8, "0")}`;
      const before = await folders();
      // Of this name there may be one that was cut off, or a damaged one.
      await remove(name, before.get(name) ?? []);
      const files: Record<string, { bytes: number; sha256: string }> = {};
      for (const [prefix, all] of [[STATE, tensors], [BEST, best ?? {}]] as const) {
        for (const [i, part] of inParts(all).entries()) {
          const file = `${prefix}-${String(i + 1).padStart(5, "0")}.safetensors`;
          const bytes = writeSafetensors(part);
          files[file] = { bytes: bytes.length, sha256: await sha256(bytes) };
          await output.put(at(name, file), bytes);
        }
      }
      const manifest: Manifest = { version: 1, state, fingerprints, spec, logs, files };
      const text = JSON.stringify(manifest);
      const whole = `{"manifest":${text},"sha256":"${await sha256(text)}"}`;
      await output.put(at(name, MANIFEST), new TextEncoder().encode(whole));
      await verified(name, await manifestOf(name), () => {});
      await output.put(LATEST, new TextEncoder().encode(`${name}\n`));

      await retire(name, before);
      return name;
    },
    retire: async (name) => await retire(name, await folders()),
    newest: async () => {
      const damaged: { name: string; problem: string }[] = [];
      const latest = await output.get(LATEST);
      const text = latest ? new TextDecoder().decode(latest.bytes).trim() : "";
      for (const name of inOrder(finished(await folders()), text)) {
        try {
          return { name, saved: await load(name), damaged };
        } catch (error) {
          damaged.push({ name, problem: error instanceof Error ? error.message : String(error) });
        }
      }
      return { damaged };
    },
  };
}

/** From the newest: those up to `latest` by falling step, then those of a later step, which an earlier attempt left. */
function inOrder(names: readonly string[], latest: string): string[] {
  const falling = names.toSorted().reverse();
  const known = /^step-\d+$/.test(latest);
  return known ? [...falling.filter((n) => n <= latest), ...falling.filter((n) => n > latest)] : falling;
}

/** Tensors in parts of at most `FILE_BYTES`, or one tensor. */
function inParts(tensors: SavedTensors): SavedTensors[] {
  const parts: Record<string, Tensor<Float32Array>>[] = [];
  let room = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.data.byteLength > room || parts.length === 0) {
      parts.push({});
      room = FILE_BYTES;
    }
    const part = parts.at(-1);
    if (part) part[name] = tensor;
    room -= tensor.data.byteLength;
  }
  return parts;
}
