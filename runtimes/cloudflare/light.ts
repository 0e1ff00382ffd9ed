/**
 * The endpoints that need no model, as a Cloudflare Worker without ONNX Runtime: tokenizers, metrics, merging of
 * adapters. `npx wrangler deploy -c runtimes/cloudflare/wrangler.light.jsonc`; its bindings are those of `worker.ts`.
 */
import { lightCatalog } from "../../plugins/light_catalog.ts";
import { isolateLimits, type ServingWorker, servingWorker } from "./serving.ts";

/** The handlers. Endpoints that need a model answer 503. */
const worker: ServingWorker = servingWorker({ catalog: lightCatalog, limits: isolateLimits });
export default worker;
