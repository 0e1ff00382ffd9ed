/** Files of a store as response bodies, read piece by piece as the network takes them. */
import { httpError } from "../http/responses.ts";
import type { Store } from "../../core/types.ts";

/** The fewest and most bytes that are read at once, and the number of pieces of files in between. */
const [LEAST, MOST, PIECES] = [2 ** 19, 2 ** 23, 32];

/** Responds with a file as it was at the start; if it changes, the response is cut off. Throws 404 if there is none. */
export async function storedBody(store: Store, key: string): Promise<Response> {
  const object = await store.get(key, { offset: 0, length: 0 });
  if (!object) throw httpError(404, "not_found", "No such file");
  const { size, revision } = object;
  const length = Math.min(MOST, Math.max(LEAST, Math.ceil(size / PIECES)));
  let at = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: async (controller) => {
      if (at >= size) return controller.close();
      const part = await store.get(key, { offset: at, length });
      if (part?.revision !== revision || part.bytes.length === 0) throw new Error(`${key} changed while it was sent`);
      at += part.bytes.length;
      controller.enqueue(part.bytes as Uint8Array<ArrayBuffer>);
      if (at >= size) controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(body, {
    headers: { "content-type": "application/octet-stream", "content-length": String(size) },
  });
}
