/** Encoding of rows in a browser's worker, in parallel with a run's steps. */
import { openThreadEncoder } from "../../core/run/rows/thread_encoder.ts";
import { loaderOf, type PluginLoader } from "../../core/spec/loader.ts";
import type { Catalog, Host } from "../../core/types.ts";
import { answerEncoder, askEncoder, type EncoderPort, type FromEncoder, type ToEncoder } from "./encoder_port.ts";

/** The part of a worker that is used, which is the same in pages and in workers. */
export type EncoderWorker = Readonly<{
  postMessage(message: unknown): void;
  addEventListener(
    type: "message" | "error" | "messageerror",
    listener: (event: Readonly<{ type: string; data?: unknown }>) => void,
  ): void;
  terminate(): void;
}>;

/** The part of its global scope that a worker uses. */
type WorkerScope = Readonly<{
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: "message", listener: (event: Readonly<{ data: ToEncoder }>) => void): void;
}>;

/** Returns a function that starts a worker for each run with rows to encode; its script calls `encodeForPage`. */
export function encoderIn(start: () => EncoderWorker): NonNullable<Host["startEncoder"]> {
  return async (job) => {
    const worker = start();
    const port: EncoderPort = {
      post: (message) => worker.postMessage(message),
      listen: (heard, ended) => {
        worker.addEventListener("message", ({ data }) => heard(data as FromEncoder));
        worker.addEventListener("error", ended);
        worker.addEventListener("messageerror", ended);
      },
      terminate: () => worker.terminate(),
    };
    return await askEncoder(port, job);
  };
}

/**
 * Runs in that worker: encodes rows with the given plugins, which are those of the page, and with a host that has the
 * same files.
 *
 * @example
 * ```ts
 * import { catalog } from "attune/catalog";
 * import { encodeForPage, web } from "attune/web";
 * const start = (base: never) => encodeForPage(web({ base }), catalog);
 * console.assert(start.length === 1);
 * ```
 */
export function encodeForPage(host: Host, plugins: Catalog | PluginLoader): void {
  const scope = globalThis as unknown as WorkerScope;
  const receive = answerEncoder(
    (job) => openThreadEncoder(job, host, loaderOf(plugins), []),
    (message, transfer) => scope.postMessage(message, transfer),
  );
  scope.addEventListener("message", ({ data }) => void receive(data));
}
