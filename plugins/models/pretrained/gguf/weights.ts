/** The tensors of a GGUF file, under Hugging Face's names and in its layout. */
import { missing, unsupported } from "../../../../core/base/errors.ts";
import type { GgufFile, GgufRows } from "../../../../core/gguf/file.ts";
import type { Weights } from "../../../../core/types.ts";
import { encodeBlocks, formatOfBlocks } from "../../../../formats/quantization/gguf_blocks.ts";
import { type GgufArchitecture, unread } from "./architectures.ts";
import type { Change } from "./changes.ts";
import type { GgufFields } from "./metadata.ts";

/** The origin of a tensor: a tensor of the file or some of its rows, and the change to it. */
type Source = Readonly<{ tensor: string; rows?: GgufRows | undefined; change?: Change | undefined }>;

/** Returns the weights of a file. Throws AttuneError if it has a tensor that its architecture lacks. */
export function ggufWeights(file: GgufFile, key: string, architecture: GgufArchitecture, fields: GgufFields): Weights {
  const sources = new Map<string, Source>();
  for (const name of file.tensors.keys()) {
    for (const [own, source] of sourcesIn(name, file, key, architecture, fields)) sources.set(own, source);
  }
  const sourceOf = (name: string): Source => {
    const source = sources.get(name);
    if (!source) throw missing("pretrained", `tensor "${name}"`, key);
    return source;
  };
  const typeOf = ({ tensor }: Source): string => file.tensors.get(tensor)?.type.name ?? "";
  // Whether a tensor is a matrix whose rows are unchanged, though maybe reordered.
  const isKept = ({ tensor, change }: Source): boolean =>
    file.tensors.get(tensor)?.dims.length === 2 && (!change || change.place !== undefined);
  return {
    names: [...sources.keys()],
    label: key,
    read: async (name) => {
      const { tensor, rows, change } = sourceOf(name);
      const stored = await file.read(tensor, rows);
      if (!change) return stored;
      return { dtype: "float32", dims: change.dims?.(stored.dims) ?? stored.dims, data: change.values(stored) };
    },
    formatOf: (name) => {
      const source = sources.get(name);
      return source && isKept(source) ? formatOfBlocks(typeOf(source)) : undefined;
    },
    encoded: async (name) => {
      const source = sourceOf(name);
      const { tensor, rows, change } = source;
      const format = isKept(source) ? formatOfBlocks(typeOf(source)) : undefined;
      if (!format) return undefined;
      const [height = 0, width = 0] = file.locate(tensor, rows).dims;
      const place = change?.place?.(height) ?? ((row: number) => row);
      return { format, tensors: encodeBlocks(typeOf(source), await file.blocks(tensor, rows), [height, width], place) };
    },
    part: (name) => {
      const { tensor, rows, change } = sourceOf(name);
      return change ? undefined : file.part(tensor, rows);
    },
    locate: (name) => {
      const source = sources.get(name);
      if (!source) return undefined;
      const at = file.locate(source.tensor, source.rows);
      if (!source.change) return at;
      // Changed tensors are computed when read.
      const dims = source.change.dims?.(at.dims) ?? at.dims;
      const bytes = 4 * dims.reduce((a, b) => a * b, 1);
      return { file: undefined, offset: 0, bytes, dtype: "float32", dims };
    },
  };
}

function sourcesIn(
  name: string,
  file: GgufFile,
  key: string,
  architecture: GgufArchitecture,
  fields: GgufFields,
): readonly (readonly [string, Source])[] {
  const [, layer, part = "", end = ""] = /^(?:blk\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
  if (layer === undefined && unread.has(part)) return [];
  const list = layer === undefined ? architecture.names : architecture.inLayer;
  const suffix = Object.hasOwn(list, part) ? list[part] : undefined;
  if (suffix === undefined) {
    throw unsupported("pretrained", `${key}: tensor`, name, "its architecture has no such tensor");
  }
  const path = (here: string): string =>
    `${layer === undefined ? "" : `${architecture.layers}.${layer}.`}${here}.${end}`;
  const change = architecture.change?.(part, end, fields);
  if (typeof suffix === "string") return [[path(suffix), { tensor: name, change }]];
  const rows = (file.tensors.get(name)?.dims[0] ?? 0) / suffix.length;
  return suffix.map((here, i) => [path(here), { tensor: name, rows: [i * rows, rows], change }]);
}
