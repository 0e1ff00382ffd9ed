/**
 * The endpoints as a Cloudflare Worker: `npx wrangler deploy -c runtimes/workers/wrangler.jsonc`. Bindings: the secret
 * `ATTUNE_API_KEY`; models among static assets (`ASSETS`), in R2 (`MODELS`) or KV (`MODELS_KV`).
 * @module
 */
import ort from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import { catalog } from "../../plugins/catalog.ts";
import { createApp, type EdgeOptions, keysOf } from "../edge/app.ts";
import { web } from "../web.ts";
import { bound, boundModels, type ModelBindings } from "./models.ts";
import { workersOrt } from "./ort.ts";

/** The bindings. */
export type Bindings = ModelBindings & Readonly<{ ATTUNE_API_KEY?: string; ATTUNE_ADMIN_KEY?: string }>;

/** Lets work go on behind an answer. */
type Lasting = Readonly<{ waitUntil(work: Promise<unknown>): void; passThroughOnException(): void; props: unknown }>;

/** An isolate has 128 MB for everything. */
const limits: NonNullable<EdgeOptions["limits"]> = {
  tokenizerBytes: 24 * 2 ** 20,
  modelBytes: 64 * 2 ** 20,
  adapterBytes: 4 * 2 ** 20,
  sessions: 1,
  batchTokens: 256,
};

const host = web({ lib: workersOrt(ort), runtime: "workerd", memoryBytes: 128 * 2 ** 20 });

let app: ReturnType<typeof createApp> | undefined;

/** One app for each isolate: its models and tokenizers are there for all requests. */
function appOf(env: Bindings): ReturnType<typeof createApp> {
  return app ??= createApp({
    catalog,
    keys: keysOf({ api: bound(env.ATTUNE_API_KEY, "ATTUNE_API_KEY"), admin: env.ATTUNE_ADMIN_KEY }),
    models: boundModels(env),
    host,
    limits,
    onError: (error) => console.error(error.stack ?? error),
  });
}

/** The handlers. */
const worker: Readonly<{ fetch(request: Request, env: Bindings, context: Lasting): Promise<Response> }> = {
  fetch: (request, env, context) => {
    const answer = Promise.resolve(appOf(env).fetch(request, env, context));
    // Others may wait for what this request has begun to open: it goes on where its caller has gone away.
    context.waitUntil(answer.catch(() => {}));
    return answer;
  },
};
export default worker;
