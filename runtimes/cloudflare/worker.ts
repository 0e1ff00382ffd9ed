/**
 * The endpoints as a Cloudflare Worker: `npx wrangler deploy -c runtimes/cloudflare/wrangler.jsonc`. Bindings: the secret
 * `ATTUNE_API_KEY`; models among static assets (`ASSETS`), in R2 (`MODELS`) or KV (`MODELS_KV`).
 */
import ort from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import { catalog } from "../../plugins/catalog.ts";
import { web } from "../host/web.ts";
import { workersOrt } from "./ort.ts";
import { isolateLimits, type ServingWorker, servingWorker } from "./serving.ts";

/** The handlers. */
const worker: ServingWorker = servingWorker({
  catalog,
  host: web({ lib: workersOrt(ort), runtime: "workerd", memoryBytes: 128 * 2 ** 20 }),
  limits: isolateLimits,
});
export default worker;
