/** A GGUF file as a checkpoint: its config, its weights under Hugging Face's names, its tokenizer and chat template. */
import { missing, unsupported } from "../../../../core/base/errors.ts";
import { sha256 } from "../../../../core/base/sha256.ts";
import { type GgufFile, openGguf } from "../../../../core/gguf/file.ts";
import type { Checkpoint, Json, Named, Store } from "../../../../core/types.ts";
import { architectureOf } from "./architectures.ts";
import { ggufFields } from "./metadata.ts";
import { ggufTokenizer } from "./tokenizer.ts";
import { ggufWeights } from "./weights.ts";
import { jsonBytes } from "../../../../core/base/bytes.ts";

/** Files are hashed in pieces of this many bytes. */
const PIECE = 16 * 2 ** 20;

/**
 * Returns the checkpoint of a file in a store; `label`: its name in messages, `more`: replaces fields of its config.
 *
 * @throws AttuneError if its architecture or tokenizer is not supported.
 */
export async function ggufCheckpoint(store: Store, key: string, label: string, more: Named<Json>): Promise<Checkpoint> {
  const file = await openGguf(store, key);
  const parts = Number(file.metadata["split.count"] ?? 1);
  if (parts > 1) {
    throw unsupported("pretrained", `${label}: split.count`, parts, "gguf-split --merge joins the parts into one file");
  }
  const name = String(file.metadata["general.architecture"]);
  const fields = ggufFields(file, name);
  const architecture = architectureOf(name, fields, label);
  const weights = ggufWeights(file, key, architecture, fields);
  const config = { ...await architecture.config(fields), ...vocabularyOf(file), ...more };
  const tokenizer = ggufTokenizer(file.metadata);
  const written = new Map(
    Object.entries({ ...tokenizer, "config.json": config }).map(([name, value]) => [name, jsonBytes(value)]),
  );
  let hash: Promise<string> | undefined;
  const packed = [...new Set([...file.tensors.values()].map(({ type }) => type.name))].filter((type) => /Q/.test(type));
  return {
    config,
    files: filesIn(written),
    weights,
    label,
    fingerprint: () => hash ??= hashed(store, key),
    ...(packed.length > 0
      ? { quantization: { method: `GGUF (${packed.sort().join(", ")})`, weights: new Set<string>() } }
      : {}),
  };
}

/** Returns the config fields about tokens. */
function vocabularyOf({ metadata, tensors }: GgufFile): Named<Json> {
  const tokens = metadata["tokenizer.ggml.tokens"];
  const id = (name: string): Json => metadata[`tokenizer.ggml.${name}_token_id`] ?? null;
  return {
    vocab_size: tensors.get("token_embd.weight")?.dims[0] ?? (Array.isArray(tokens) ? tokens.length : 0),
    tie_word_embeddings: !tensors.has("output.weight"),
    bos_token_id: id("bos"),
    eos_token_id: id("eos"),
    pad_token_id: id("padding"),
  };
}

async function hashed(store: Store, key: string): Promise<string> {
  const digests: string[] = [];
  const size = (await store.get(key, { offset: 0, length: 0 }))?.size ?? 0;
  for (let offset = 0; offset < size; offset += PIECE) {
    const piece = await store.get(key, { offset, length: PIECE });
    if (!piece) throw missing("pretrained", key, "the folder");
    digests.push(await sha256(piece.bytes));
  }
  return await sha256(digests.join("\n"));
}

/** Returns a store of in-memory files. */
function filesIn(files: ReadonlyMap<string, Uint8Array>): Store {
  const stored = (key: string, bytes: Uint8Array) => ({ key, size: bytes.length, revision: "1" });
  return {
    get: (key, range) => {
      const bytes = files.get(key);
      if (!bytes) return Promise.resolve(undefined);
      const part = range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
      return Promise.resolve({ ...stored(key, bytes), bytes: part });
    },
    put: () => Promise.resolve("conflict"),
    delete: () => Promise.resolve("conflict"),
    list: async function* (prefix) {
      for (const [key, bytes] of files) if (key.startsWith(prefix)) yield stored(key, bytes);
    },
  };
}
