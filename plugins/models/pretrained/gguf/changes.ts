/** How tensors of GGUF files differ from Hugging Face's: reordered rows, norms with 1 added, transposition. */
import { badFile } from "../../../../core/base/errors.ts";
import { sizeOf, type Tensor } from "../../../../core/base/tensor.ts";

/** A change to a tensor after it is read; `dims`: its new dimensions, if they change. */
export type Change = Readonly<{
  dims?: (dims: readonly number[]) => readonly number[];
  values: (tensor: Tensor<Float32Array>) => Float32Array;
  /** Returns the new place of each row, if rows are only reordered; rows of [out, in] in the file. */
  place?: (rows: number) => (row: number) => number;
}>;

/** Reorders rows; `to` maps each row of the file to its row here. */
const reordered = (to: (rows: number) => (row: number) => number): Change => ({
  place: to,
  values: ({ dims, data }) => {
    const [rows = 0, ...rest] = dims;
    const width = sizeOf(rest);
    const place = to(rows);
    const out = new Float32Array(data.length);
    for (let row = 0; row < rows; row++) out.set(data.subarray(row * width, (row + 1) * width), place(row) * width);
    return out;
  },
});

const checkWhole = (value: number, what: string, rows: number): number => {
  if (!Number.isInteger(value)) throw badFile("pretrained", what, `does not divide ${rows} rows`);
  return value;
};

/** Reorders the rows of each head from rotary pairs to halves. */
export const halvesOfPairs = (heads: number): Change =>
  reordered((rows) => {
    const half = checkWhole(rows / heads / 2, "attention.head_count", rows);
    return (row) => {
      const [head, i] = [Math.floor(row / (2 * half)), row % (2 * half)];
      return (head * 2 + i % 2) * half + (i >> 1);
    };
  });

/** Groups queries with their key and value; the file has all queries, then all keys, then all values. */
export const groupsOfHeads = (heads: number, keyHeads: number): Change =>
  reordered((rows) => {
    const headDim = checkWhole(rows / (heads + 2 * keyHeads), "attention.head_count", rows);
    const queries = checkWhole(heads / keyHeads, "attention.head_count_kv", heads);
    return (row) => {
      const [head, i] = [Math.floor(row / headDim), row % headDim];
      const [group, place] = head < heads
        ? [Math.floor(head / queries), head % queries]
        : [(head - heads) % keyHeads, queries + Math.floor((head - heads) / keyHeads)];
      return (group * (queries + 2) + place) * headDim + i;
    };
  });

/** Subtracts 1 from norms that are used with 1 added. */
export const minusOne: Change = { values: ({ data }) => data.map((value) => value - 1) };

/** Transposes [out, in] of the file to [in, out]. */
export const transposed: Change = {
  dims: (dims) => dims.toReversed(),
  place: () => (row) => row,
  values: ({ dims: [rows = 1, width = 1], data }) => {
    const out = new Float32Array(data.length);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < width; i++) out[i * rows + row] = data[row * width + i] as number;
    }
    return out;
  },
};
