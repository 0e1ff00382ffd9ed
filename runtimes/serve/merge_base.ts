/** The base of a merge: a folder in Hugging Face's format, read during the merge, or one with a GGUF file, decoded. */
import { unsupported } from "../../core/base/errors.ts";
import { checkFiniteModel } from "../../core/files/finite_weights.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { methodOf } from "../../formats/packed/method.ts";
import { configIn } from "../../core/run/open/shared_tensors.ts";
import { openWeights } from "../../core/files/safetensors.ts";
import type { Catalog, Checkpoint, Host, Json, Named, Store, Weights } from "../../core/types.ts";
import { noFiles, readAhead } from "../http/read_files.ts";

/** An opened base. `files`: its config and tokenizer. */
export type MergeBase = Readonly<{ weights: Weights; config: Named<Json> | undefined; files: Store }>;

const MAX_HEADER = 8 * 2 ** 20;

/** Opens a base. Throws AttuneError if it is invalid, or this server cannot read it. */
export async function openBase(catalog: Catalog, name: string, files: Store): Promise<MergeBase> {
  const isRemote = name.includes("://");
  if (isRemote && /\.gguf(\?|$)/i.test(name)) {
    throw unsupported("merge", "base", name, "a GGUF base must be one of this server's models");
  }
  // Files from elsewhere are only read once, during the merge.
  if (!isRemote) await checkFiniteModel(files);
  if (!isRemote && await ggufIn(files) !== undefined) return await openDecoded(catalog, name, files);
  const config = await configIn("merge", files, "base");
  const weights = await openWeights(readAhead(files), { maxHeader: MAX_HEADER });
  if (!methodOf("merge", "base", config, weights.names)) return { config, files, weights };
  if (!isRemote) return await openDecoded(catalog, name, files);
  throw unsupported("merge", "base", name, "a quantized base must be one of this server's models");
}

/** Opens weights that are not stored as floats in the way that models are opened. */
async function openDecoded(catalog: Catalog, name: string, files: Store): Promise<MergeBase> {
  const source = catalog.model?.pretrained?.parse({ path: name });
  if (!source || source.issues) throw unsupported("merge", "base", name, "this server cannot read such models");
  const directory = (path: string): Store => (path === name ? files : noFiles);
  const checkpoint: Checkpoint = await source.value.open({ directory, resolve: (path) => path } as Host);
  return { weights: checkpoint.weights, config: checkpoint.config, files: checkpoint.files };
}
