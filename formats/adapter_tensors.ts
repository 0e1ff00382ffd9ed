/** The tensors of an adapter's file. */
import type { AttachedAdapter, Tensor, TrainedModel } from "../core/types.ts";

/**
 * Returns the tensors of an adapter's file by key: the adapter's parameters, and the model's parameters that it trains.
 * Trained parameters of the model that no saved adapter claims go to the `first` adapter.
 */
export async function adapterTensors(
  trained: TrainedModel,
  attached: AttachedAdapter,
  first: boolean,
): Promise<Record<string, Tensor>> {
  const { record, name: prefix } = attached;
  const tensors: Record<string, Tensor> = {};
  for (const name of trained.trained) {
    const adapter = trained.all[name]?.adapter ?? false;
    const isOwn = prefix === undefined || name.startsWith(`${prefix}/`);
    const asked = trained.attached.some((a) => a.record && a.isTrainable?.(name) === true);
    if (adapter ? !isOwn : asked ? attached.isTrainable?.(name) !== true : !first) continue;
    const key = record?.key(adapter && prefix !== undefined ? name.slice(prefix.length + 1) : name);
    if (key !== undefined) tensors[key] = await trained.read(name);
  }
  const read = (name: string): Promise<Tensor<Float32Array>> => {
    const full = `${prefix}/${name}`;
    return trained.read(prefix !== undefined && full in trained.all ? full : name);
  };
  return { ...tensors, ...await record?.derived?.(read) };
}

/** Writes a file of an adapter's folder. */
export type PutFile = (key: string, content: Uint8Array | string) => Promise<void>;
