/** A Worker over one app: its bindings, and work that continues after a response. */
import { createApp, type EdgeOptions, keysOf } from "../serve/app.ts";
import { bound, bucketModels, type ModelBindings } from "./models.ts";

/** The bindings. */
export type Bindings = ModelBindings & Readonly<{ ATTUNE_API_KEY?: string; ATTUNE_ADMIN_KEY?: string }>;

/** Limits of an isolate, which has 128 MB for everything. */
export const isolateLimits: NonNullable<EdgeOptions["limits"]> = {
  tokenizerBytes: 24 * 2 ** 20,
  modelBytes: 64 * 2 ** 20,
  adapterBytes: 4 * 2 ** 20,
  sessions: 1,
  batchTokens: 256,
};

/** Lets work continue after a response. */
type Lasting = Readonly<{ waitUntil(work: Promise<unknown>): void; passThroughOnException(): void; props: unknown }>;

/** The default export of a Worker's module. */
export type ServingWorker = Readonly<{ fetch(request: Request, env: Bindings, context: Lasting): Promise<Response> }>;

/** Returns a Worker that serves the endpoints, with options beside its bindings. */
export function servingWorker(options: Pick<EdgeOptions, "catalog" | "limits"> & Partial<EdgeOptions>): ServingWorker {
  let app: ReturnType<typeof createApp> | undefined;
  // One app for each isolate, so that all requests share its models and tokenizers.
  const appOf = (env: Bindings): ReturnType<typeof createApp> =>
    app ??= createApp({
      keys: keysOf({ api: bound(env.ATTUNE_API_KEY, "ATTUNE_API_KEY"), admin: env.ATTUNE_ADMIN_KEY }),
      models: bucketModels(env),
      onError: (error) => console.error(error.stack ?? error),
      ...options,
    });
  return {
    fetch: (request, env, context) => {
      const answer = Promise.resolve(appOf(env).fetch(request, env, context));
      // Other requests may wait for what this one is opening, so it continues if its caller has gone away.
      context.waitUntil(answer.catch(() => {}));
      return answer;
    },
  };
}
