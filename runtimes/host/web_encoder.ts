/** Encoding beside a run's steps in browsers: in a worker of the page's. */
import { openThreadEncoder } from "../../core/run/rows/thread_encoder.ts";
import { loaderOf, type PluginLoader } from "../../core/spec/loader.ts";
import type { Catalog, Host } from "../../core/types.ts";
import { answerEncoder, askEncoder, type EncoderPort, type FromEncoder, type ToEncoder } from "./encoder_port.ts";

/** What of a worker is used, which is the same in pages and in workers. */
export type EncoderWorker = Readonly<{
  postMessage(message: unknown): void;
  addEventListener(
    type: "message" | "error" | "messageerror",
    listener: (event: Readonly<{ type: string; data?: unknown }>) => void,
  ): void;
  terminate(): void;
}>;

/** What of itself a worker uses. */
type WorkerScope = Readonly<{
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: "message", listener: (event: Readonly<{ data: ToEncoder }>) => void): void;
}>;

/** Starts a worker, whose script calls `encodeForPage`, for each run that has rows to encode beside its steps. */
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
 * The script of that worker: encodes with the plugins that it is given, which are those of the page, and with a host that has the
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
