/**
 * The endpoints that compute with no model, as a Cloudflare Worker without ONNX Runtime: tokens and back, metrics, merged
 * adapters. `npx wrangler deploy -c runtimes/cloudflare/wrangler.light.jsonc`; its bindings are those of `worker.ts`.
 */
import { lightCatalog } from "../../plugins/light_catalog.ts";
import { isolateLimits, type ServingWorker, servingWorker } from "./serving.ts";

/** The handlers. What computes with a model answers 503. */
const worker: ServingWorker = servingWorker({ catalog: lightCatalog, limits: isolateLimits });
export default worker;
