/** The plan of a merge, made before its first byte: whatever can be refused is refused then. */
import { badValue, tooMuch } from "../../core/base/errors.ts";
import { combineAdapters } from "../../formats/peft/merge/adapters.ts";
import { checkLone, CONFIG_IN_METADATA, openAdapter } from "../../formats/peft/merge/config.ts";
import { mergeIntoBase } from "../../formats/peft/merge/into_base.ts";
import type { MergedAdapter, MergeOptions } from "../../formats/peft/merge/merged_adapter.ts";
import { writeMerged } from "../../formats/peft/merge/write_adapter.ts";
import { sharedTensors } from "../../core/run/open/shared_tensors.ts";
import { safetensorsSize, streamSafetensors, type TensorForm } from "../../core/files/safetensors.ts";
import type { Named, Store, Tensor } from "../../core/types.ts";
import { finiteTensor } from "../http/finite_pieces.ts";
import { streamOf } from "../http/piece_body.ts";
import { placedFiles } from "../http/read_files.ts";
import type { Caller } from "../http/route.ts";
import type { EdgeService } from "./service.ts";
import { openBase } from "./merge_base.ts";
import { type MergeFiles, type MergeRequest, openAdapterPool } from "./merge_request.ts";

/** A planned merge, which has passed all checks that need no computation. */
export type Merged = Readonly<{
  forms: Named<TensorForm>;
  read(name: string): Promise<Tensor> | AsyncIterable<Uint8Array>;
  metadata: Named<string>;
  /** The files of the adapter that is merged into the base. */
  adapter: Store;
  base?: Store | undefined;
  /** The base's config and tokenizer. */
  baseFiles?: Store | undefined;
}>;

/** Plans a merge. Throws AttuneError if the adapters or the base do not fit together, or a limit would be exceeded. */
export async function planMerge(
  service: EdgeService,
  files: MergeFiles,
  body: MergeRequest,
  caller: Caller,
): Promise<Merged> {
  const { options, limits } = service;
  const all = await openAdapterPool(body, caller, files);
  const [first] = all;
  if (!first) throw badValue("merge", "adapters", 0, "at least one adapter");
  const alone = body.base !== undefined && all.length === 1 && body.adapters[0]?.weight === 1;
  if (body.base !== undefined && all.length === 1) await checkLone("adapters.0", first.store);
  const one = alone ? undefined : combineAdapters(all.map(({ opened }) => opened), optionsOf(body, limits));
  const size = one ? safetensorsSize(one.forms) : 0;
  if (size > limits.resultBytes) {
    throw tooMuch("merge", "adapters", "bytes of a merged adapter", size, limits.resultBytes);
  }
  if (body.base === undefined && one) {
    // Masks that do not fit are detected before the first byte.
    if (body.options.masks) await adapterInMemory(one);
    const metadata = { format: "pt", [CONFIG_IN_METADATA]: JSON.stringify(one.config) };
    return { forms: one.forms, read: one.read, metadata, adapter: placedFiles({}) };
  }
  const adapter = one ? await adapterInMemory(one) : first.store;
  const base = await files.open(body.base ?? "", caller, "model.safetensors", "base");
  const { weights, config, files: baseFiles } = await openBase(options.catalog, body.base ?? "", base);
  const { forms, pieces } = mergeIntoBase(
    weights,
    one ? await openAdapter("adapters", adapter) : first.opened,
    // Bytes that are read ahead or decoded are copies.
    { owned: true, shared: sharedTensors(options.catalog, config, weights.names) },
  );
  return { forms, read: pieces, metadata: { format: "pt" }, adapter, base, baseFiles };
}

/** Yields the bytes of a merge. Throws AttuneError if a value is not finite. */
export function bytesOf({ forms, read, metadata }: Merged): AsyncIterable<Uint8Array> {
  return streamSafetensors(forms, (name) => finiteTensor(name, forms[name], read(name)), metadata);
}

function optionsOf(body: MergeRequest, limits: EdgeService["limits"]): MergeOptions {
  const { masks, ...rest } = body.options;
  return {
    ...rest,
    method: body.method,
    weights: body.adapters.map(({ weight }) => weight),
    maxBytes: limits.mergeBytes,
    maxSteps: limits.steps,
    ...(masks ? { masks: maskOf(masks) } : {}),
  };
}

function maskOf(masks: Named<readonly (readonly number[])[]>): MergeOptions["masks"] {
  return (tensor, adapter, length) => {
    const mask = Object.hasOwn(masks, tensor) ? masks[tensor]?.[adapter] : undefined;
    if (mask?.length !== length) {
      throw badValue("merge", `options.masks: ${tensor}`, mask?.length, `${length} values for adapter ${adapter}`);
    }
    return mask;
  };
}

/** Writes a merged adapter to a store in memory. */
async function adapterInMemory(merged: MergedAdapter): Promise<Store> {
  const files: Record<string, Uint8Array> = {};
  const put = async (key: string, bytes: Uint8Array | AsyncIterable<Uint8Array>) => {
    files[key] = new Uint8Array(
      await new Response(bytes instanceof Uint8Array ? bytes as Uint8Array<ArrayBuffer> : streamOf(bytes))
        .arrayBuffer(),
    );
    return { key, size: files[key].length, revision: "held" };
  };
  await writeMerged(merged, { ...placedFiles(files), put });
  return placedFiles(files);
}
