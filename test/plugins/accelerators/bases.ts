/** Runs over quantized bases, and the same over bases whose weights were quantized and decoded before. */
import { compose } from "../../../core/spec/compose.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { readSafetensors, writeSafetensors } from "../../../core/files/safetensors.ts";
import type { Host, Json, Named, RunSpec, Store, Tensor, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { heldStore } from "../../tiny.ts";

/** The losses of steps and evaluations, and the logits' part of them that tells most: all numbers of a run. */
export async function numbersOf(spec: RunSpec, host: Host, output?: Store, resume = false): Promise<readonly number[]> {
  const numbers: number[] = [];
  const add = (event: TrainingEvent): void => {
    if (event.type === "step") numbers.push(event.loss, event.gradNorm ?? NaN);
    if (event.type === "evaluate") numbers.push(event.metrics.loss ?? NaN);
  };
  for await (const event of trainRun(compose(spec, catalog), host, { output, resume })) add(event);
  return numbers;
}

/** How a matrix [out, in] comes out of its codes. */
export type Roundtrip = (values: Float32Array, dims: readonly [number, number]) => Float32Array;

/** Names of the weights that a run stores as codes; true where the model has one turned. */
export async function storedIn(spec: RunSpec, host: Host): Promise<ReadonlyMap<string, boolean>> {
  const { checkpoint } = await openRun(compose(spec, catalog), host);
  return new Map(
    checkpoint.weights.names.flatMap((name) => {
      const storage = checkpoint.frozen?.storageOf(name);
      return storage ? [[name, storage.weight.conv1d] as const] : [];
    }),
  );
}

/** A model's files with some of its weights coded and decoded. */
export function withDecoded(
  files: Named<Uint8Array>,
  stored: ReadonlyMap<string, boolean>,
  roundtrip: Roundtrip,
): Named<Uint8Array> {
  const bytes = files["model.safetensors"];
  if (!bytes) throw new Error("no weights");
  const tensors = Object.fromEntries(
    Object.entries(readSafetensors(bytes, "model.safetensors")).map(([name, tensor]): [string, Tensor] => {
      const turns = stored.get(name);
      if (turns === undefined) return [name, tensor];
      const [rows = 0, columns = 0] = tensor.dims;
      const data = Float32Array.from(tensor.data as Float32Array);
      const values = turns
        ? turned(roundtrip(turned(data, rows, columns), [columns, rows]), columns, rows)
        : roundtrip(data, [rows, columns]);
      return [name, { ...tensor, data: values }];
    }),
  );
  return { ...files, "model.safetensors": writeSafetensors(tensors) };
}

/** A matrix with rows and columns exchanged. */
function turned(x: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: x.length }, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)] ?? NaN);
}

/** All files of a store below a prefix. */
export async function filesOf(store: Store, prefix: string): Promise<Named<Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for await (const { key } of store.list(prefix)) {
    files[key.slice(prefix.length)] = (await store.get(key))?.bytes ?? new Uint8Array();
  }
  return files;
}

/** A host whose folder "own:model" holds these files. */
export function hostWith(host: Host, files: Named<Uint8Array>): Host {
  const store = heldStore(files);
  return {
    ...host,
    directory: (path) => (path.endsWith("own:model") ? store : host.directory?.(path) ?? store),
    resolve: (path, base) => (path.endsWith("own:model") ? "own:model" : host.resolve?.(path, base) ?? path),
  };
}

/** A spec over "own:model". */
export function over(spec: Named<Json>, change: Named<Json>): RunSpec {
  const model = { use: "pretrained", with: { path: "own:model" } };
  return { ...spec, model, ...change } as unknown as RunSpec;
}
