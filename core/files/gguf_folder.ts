/** Folders whose model is one GGUF file. */
import { badFile, show } from "../base/errors.ts";
import { weightFiles } from "./safetensors.ts";
import type { Store } from "../types.ts";

/** The weight files of a folder that take precedence over GGUF. */
const others = ["model.safetensors", "model.safetensors.index.json"];

/**
 * Returns the GGUF file of a folder without other weights; undefined if there is none.
 *
 * @throws AttuneError if there are several, so that the path has to name one.
 */
export async function ggufIn(files: Store): Promise<string | undefined> {
  for (const key of others) if (await files.get(key, { offset: 0, length: 0 })) return undefined;
  const names: string[] = [];
  for await (const { key } of files.list("")) if (/^[^/]+\.gguf$/i.test(key)) names.push(key);
  if (names.length > 1) {
    throw badFile("gguf", "the folder", `has ${names.length} GGUF files: choose one of ${names.map(show).join(", ")}`);
  }
  return names[0];
}

/** Returns the keys of a folder's weight files. Throws AttuneError if there are none. */
export async function weightKeys(files: Store): Promise<readonly string[]> {
  const gguf = await ggufIn(files);
  return gguf === undefined ? (await weightFiles(files)).files : [gguf];
}
