/** Files that are computed while they are sent, without values that are not finite. */
import { copyBytes } from "../../core/base/bytes.ts";
import { badFile, show } from "../../core/base/errors.ts";
import { allFinite } from "../../core/files/finite_weights.ts";
import type { TensorForm } from "../../core/files/safetensors.ts";
import type { Tensor } from "../../core/types.ts";

/** Bytes that are computed before a response begins: earlier failures become error responses, later ones cut it off. */
const AHEAD = 2 ** 20;

/** Yields a tensor's bytes. Throws AttuneError at the first piece with a value that is not finite, as sums may be. */
export async function* finiteTensor(
  name: string,
  form: TensorForm | undefined,
  tensor: Promise<Tensor> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const check = (piece: Uint8Array): Uint8Array => {
    if (form === undefined || allFinite(form.dtype, piece)) return piece;
    throw badFile("merge", "the merged file", `would have a value in tensor ${show(name)} that is not finite`);
  };
  if (Symbol.asyncIterator in tensor) {
    for await (const piece of tensor) yield check(piece);
    return;
  }
  const { data } = await tensor;
  yield check(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** Returns the same pieces after computing the first ones. Throws the errors of these. */
export async function startPieces(pieces: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let [bytes, over] = [0, false];
  while (bytes < AHEAD && !over) {
    const { done = false, value } = await iterator.next();
    over = done;
    if (done) break;
    // Copied, because the next piece may reuse this one's memory.
    first.push(copyBytes(value));
    bytes += value.length;
  }
  return (async function* () {
    try {
      while (first.length > 0) yield first.shift() ?? new Uint8Array();
      while (!over) {
        const { done = false, value } = await iterator.next();
        over = done;
        if (!done) yield value;
      }
    } finally {
      if (!over) await iterator.return?.();
    }
  })();
}
