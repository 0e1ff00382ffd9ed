/**
 * A checkpoint's files: tensors in several files, and a manifest with their hashes and its own. The manifest is written
 * last, so that an interrupted save does not count as a checkpoint.
 */
import { badFile } from "../../base/errors.ts";
import { sha256 } from "../../base/sha256.ts";
import { readSafetensors, toFloat32, writeSafetensors } from "../../files/safetensors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { SavedTensors } from "../../engine/state/saved.ts";
import type { Json, Named, Store } from "../../types.ts";
import type { LoopState } from "../../loop/loop_state.ts";

/** The saved state of a run. */
export type CheckpointFiles = Readonly<{
  state: LoopState;
  /** Weights and optimizer state. */
  tensors: SavedTensors;
  /** The best weights so far, if they are kept. */
  best?: SavedTensors;
  fingerprints: Named<string>;
  /** The run's spec, so that a different run cannot resume from it. */
  spec: Json;
  /** The position of each log. */
  logs: Named<Json>;
}>;

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

const BEST = "best";
const STATE = "state";

/** Name of the file that only finished checkpoints have. */
export const MANIFEST = "checkpoint.json";

/** Returns the store key of a checkpoint's file. */
export function checkpointKey(name: string, file: string): string {
  return `checkpoints/${name}/${file}`;
}

/** Writes a checkpoint's files and verifies them by reading them back. Throws store errors, or AttuneError. */
export async function writeCheckpoint(output: Store, name: string, saved: CheckpointFiles): Promise<void> {
  const { state, tensors, best, fingerprints, spec, logs } = saved;
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const [prefix, all] of [[STATE, tensors], [BEST, best ?? {}]] as const) {
    for (const [i, part] of inParts(all).entries()) {
      const file = `${prefix}-${String(i + 1).padStart(5, "0")}.safetensors`;
      const bytes = writeSafetensors(part);
      files[file] = { bytes: bytes.length, sha256: await sha256(bytes) };
      await output.put(checkpointKey(name, file), bytes);
    }
  }
  const manifest: Manifest = { version: 1, state, fingerprints, spec, logs, files };
  const text = JSON.stringify(manifest);
  const content = `{"manifest":${text},"sha256":"${await sha256(text)}"}`;
  await output.put(checkpointKey(name, MANIFEST), new TextEncoder().encode(content));
  await verifyFiles(output, name, await readManifest(output, name), () => {});
}

/** Reads a checkpoint. Throws AttuneError if a file is missing or differs from what was written. */
export async function readCheckpoint(output: Store, name: string): Promise<CheckpointFiles> {
  const manifest = await readManifest(output, name);
  const tensors: Record<string, Tensor<Float32Array>> = {};
  const best: Record<string, Tensor<Float32Array>> = {};
  await verifyFiles(output, name, manifest, (file, bytes) => {
    const into = file.startsWith(`${BEST}-`) ? best : tensors;
    for (const [key, tensor] of Object.entries(readSafetensors(bytes, checkpointKey(name, file)))) {
      into[key] = toFloat32(tensor);
    }
  });
  const { state, fingerprints, spec, logs } = manifest;
  const bestWeights = Object.keys(best).length > 0 ? { best } : {};
  return { state, tensors, ...bestWeights, fingerprints, spec, logs };
}

async function readManifest(output: Store, name: string): Promise<Manifest> {
  const key = checkpointKey(name, MANIFEST);
  const stored = await output.get(key);
  if (!stored) throw badFile("resume", key, "is missing");
  let parsed: { manifest?: Manifest; sha256?: string };
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(stored.bytes));
  } catch {
    throw badFile("resume", key, "is not JSON");
  }
  const { manifest } = parsed;
  if (!manifest || await sha256(JSON.stringify(manifest)) !== parsed.sha256) {
    throw badFile("resume", key, "is not what was written: its hash differs");
  }
  if (manifest.version !== 1) throw badFile("resume", key, `has the unknown version ${manifest.version}`);
  return manifest;
}

/** Verifies the size and hash of each file and passes its bytes to `take`. */
async function verifyFiles(
  output: Store,
  name: string,
  manifest: Manifest,
  take: (file: string, bytes: Uint8Array) => void,
): Promise<void> {
  for (const [file, due] of Object.entries(manifest.files)) {
    const key = checkpointKey(name, file);
    const stored = await output.get(key);
    if (!stored) throw badFile("resume", key, "is missing");
    if (stored.size !== due.bytes) throw badFile("resume", key, `has ${stored.size} bytes instead of ${due.bytes}`);
    if (await sha256(stored.bytes) !== due.sha256) {
      throw badFile("resume", key, "is not what was written: its hash differs");
    }
    take(file, stored.bytes);
  }
}

/** Divides tensors into parts of at most `FILE_BYTES`; a larger tensor is a part of its own. */
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
