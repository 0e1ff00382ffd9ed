/**
 * Checkpoints in a run's directory: everything that an exact resume needs, hashed, the newest good one found again.
 * @module
 */
import { badFile, refused } from "../errors.ts";
import { sha256 } from "../fingerprint.ts";
import { openSafetensors, toFloat32, writeSafetensors } from "../safetensors.ts";
import type { Tensor } from "../tensor.ts";
import type { Named, Store } from "../types.ts";
import type { LoopState } from "../loop/train.ts";

/** A saved moment of a run. */
export type SavedState = Readonly<{
  state: LoopState;
  tensors: Named<Tensor<Float32Array>>;
  fingerprints: Named<string>;
}>;

/** A run's checkpoints. */
export interface Checkpoints {
  /** Writes one and gives its name; older ones beyond the limit go once it is verified. */
  save(state: SavedState): Promise<string>;
  /** The newest complete one; throws AttuneError (refused) where it belongs to other data. */
  newest(fingerprints: Named<string>): Promise<SavedState | undefined>;
}

type Record_ = Readonly<{ version: 1; state: LoopState; fingerprints: Named<string>; sha256: string; bytes: number }>;

/** The checkpoints of an output directory. `limit`: how many are kept; absent: all. */
export function checkpointsIn(output: Store, limit: number | undefined): Checkpoints {
  // The record is written last: a checkpoint without one was never finished.
  const record = (name: string): string => `checkpoints/${name}/checkpoint.json`;
  const tensorFile = (name: string): string => `checkpoints/${name}/state.safetensors`;
  const names = async (): Promise<string[]> => {
    const found = new Set<string>();
    for await (const { key } of output.list("checkpoints/")) {
      const [, name, file] = key.split("/");
      if (name && file === "checkpoint.json") found.add(name);
    }
    return [...found].sort();
  };
  const read = async (name: string): Promise<{ record: Record_; good: boolean } | undefined> => {
    const [json, data] = [await output.get(record(name)), await output.get(tensorFile(name))];
    if (!json || !data) return undefined;
    const parsed: Record_ = JSON.parse(new TextDecoder().decode(json.bytes));
    return { record: parsed, good: await sha256(data.bytes) === parsed.sha256 };
  };
  return {
    save: async ({ state, tensors, fingerprints }) => {
      const name = `step-${String(state.step).padStart(8, "0")}`;
      const bytes = writeSafetensors(tensors);
      await output.put(tensorFile(name), bytes);
      const own: Record_ = { version: 1, state, fingerprints, sha256: await sha256(bytes), bytes: bytes.length };
      await output.put(record(name), new TextEncoder().encode(JSON.stringify(own)));
      if (limit !== undefined && (await read(name))?.good) {
        for (const old of (await names()).slice(0, -limit)) {
          await output.delete(record(old));
          await output.delete(tensorFile(old));
        }
      }
      return name;
    },
    newest: async (fingerprints) => {
      for (const name of (await names()).reverse()) {
        const found = await read(name).catch(() => undefined);
        if (!found?.good) continue;
        for (const [what, own] of Object.entries(fingerprints)) {
          if (found.record.fingerprints[what] === own) continue;
          throw refused(
            "resume",
            `Checkpoint ${name} belongs to another ${what}: its fingerprint is ${
              found.record.fingerprints[what]
            }, this run's ${own}`,
          );
        }
        const file = await openSafetensors(output, tensorFile(name));
        const tensors: Record<string, Tensor<Float32Array>> = {};
        for (const key of file.names) tensors[key] = toFloat32(await file.read(key));
        if (found.record.version !== 1) {
          throw badFile("resume", record(name), `version ${found.record.version} is not known`);
        }
        return { state: found.record.state, tensors, fingerprints: found.record.fingerprints };
      }
      return undefined;
    },
  };
}
