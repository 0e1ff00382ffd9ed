/** Files that are made as they are sent, of which nothing is sent that nobody can compute with. */
import { copyBytes } from "../../core/base/bytes.ts";
import { badFile, show } from "../../core/base/errors.ts";
import { allFinite } from "../../core/files/finite_weights.ts";
import type { TensorForm } from "../../core/files/safetensors.ts";
import type { Tensor } from "../../core/types.ts";

/** Bytes that are made before an answer begins: what fails until then is an error, what fails later is cut off. */
const AHEAD = 2 ** 20;

/** A tensor's bytes. Throws AttuneError at the first piece with a value that is not finite: sums of finite ones may be. */
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

/** The same pieces, the first of them made already. Throws what these throw. */
export async function startPieces(pieces: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let [bytes, over] = [0, false];
  while (bytes < AHEAD && !over) {
    const { done = false, value } = await iterator.next();
    over = done;
    if (done) break;
    // The next piece may be made in the memory of this one.
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
