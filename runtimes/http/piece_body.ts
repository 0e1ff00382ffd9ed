/** Response bodies that are computed piece by piece. */
import { releaseBuffer } from "../../core/base/bytes.ts";

/** workerd's own stream of a known length; written bytes are freed once the client has them. */
type FixedLength = new (length: number) => Readonly<{
  readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  writable: WritableStream<Uint8Array>;
}>;

/** Returns a body of a known length. */
export function bodyOf(pieces: AsyncIterable<Uint8Array>, length: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { FixedLengthStream: Stream } = globalThis as { FixedLengthStream?: FixedLength };
  if (!Stream) return streamOf(pieces);
  const { readable, writable } = new Stream(length);
  const writer = writable.getWriter();
  const write = async (): Promise<void> => {
    for await (const piece of pieces) {
      if (piece.length === 0) continue;
      await writer.write(piece);
      // This piece has been sent, and is a copy that only the merge uses.
      releaseBuffer(piece);
    }
    await writer.close();
  };
  void write().catch((error) => writer.abort(error).catch(() => {}));
  return readable;
}

/** Returns a body that requests the next piece when there is room for it; a failure cuts it off. */
export function streamOf(pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = pieces[Symbol.asyncIterator]();
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else if (value.length > 0) controller.enqueue(value as Uint8Array<ArrayBuffer>);
      else controller.enqueue(new Uint8Array());
    },
    cancel: async () => void await iterator.return?.(),
  }, { highWaterMark: 0 });
}
