/** Bodies of answers that are made piece by piece. */
import { releaseBuffer } from "../../core/base/bytes.ts";

/** workerd's own stream of a known length: what is written to it is gone when the client has it. */
type FixedLength = new (length: number) => Readonly<{
  readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  writable: WritableStream<Uint8Array>;
}>;

/** A body of a known length. */
export function bodyOf(pieces: AsyncIterable<Uint8Array>, length: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { FixedLengthStream: Stream } = globalThis as { FixedLengthStream?: FixedLength };
  if (!Stream) return streamOf(pieces);
  const { readable, writable } = new Stream(length);
  const writer = writable.getWriter();
  const write = async (): Promise<void> => {
    for await (const piece of pieces) {
      if (piece.length === 0) continue;
      await writer.write(piece);
      // Pieces are the merge's own copies, and this one has been sent.
      releaseBuffer(piece);
    }
    await writer.close();
  };
  void write().catch((error) => writer.abort(error).catch(() => {}));
  return readable;
}

/** A body that asks for the next piece when there is room for it; what fails breaks it off. */
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
