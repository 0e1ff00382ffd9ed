/** `/v1/adapters/merge`: merges adapters into one, or into their base, streamed tensor by tensor. */
import * as v from "valibot";
import { contentIn } from "../../core/jobs/files.ts";
import { safetensorsSize } from "../../core/files/safetensors.ts";
import { httpError } from "../http/responses.ts";
import { startPieces } from "../http/finite_pieces.ts";
import { fileShape } from "../http/shapes.ts";
import { alwaysOffloaded } from "../http/offload.ts";
import { bodyOf } from "../http/piece_body.ts";
import { placedFiles } from "../http/read_files.ts";
import { type EdgeContext, jsonRoute, type Route } from "../http/route.ts";
import type { EdgeService } from "./service.ts";
import { largestDifference } from "./merge_check.ts";
import { probes } from "./probes.ts";
import { bytesOf, type Merged, planMerge } from "./merge_plan.ts";
import { mergeFiles, type MergeRequest, mergeSchema } from "./merge_request.ts";

/** Returns the route. */
export function mergeRoutes(service: EdgeService): readonly Route[] {
  const { limits } = service;
  const files = mergeFiles(service);
  return [jsonRoute({
    method: "post",
    path: "/v1/adapters/merge",
    policy: "merge",
    rate: "heavy",
    maxBytes: limits.bodyBytes,
    work: { lane: "merge", ...alwaysOffloaded },
    summary: "Merge adapters into one, or into their base",
    description: "Methods are those of PEFT's add_weighted_adapter; with a base, the result is the whole model.",
    body: mergeSchema,
    answers: { "application/octet-stream": v.any(), "application/json": v.object({ file: v.any(), verify: v.any() }) },
    example: { adapters: [{ file: "my-adapter", weight: 1 }], method: "linear", base: "attune:base" },
    handle: async (c, body) => {
      const merged = await planMerge(service, files, body, c.get("caller"));
      return body.store || body.verify ? await storeMerged(service, c, body, merged) : await streamMerged(merged);
    },
  })];
}

/** Responds with the merged file. */
async function streamMerged(merged: Merged): Promise<Response> {
  const size = safetensorsSize(merged.forms, merged.metadata);
  return new Response(bodyOf(await startPieces(bytesOf(merged)), size), {
    headers: {
      "content-type": "application/octet-stream",
      // With a length, clients notice a body that is cut off.
      "content-length": String(size),
    },
  });
}

/** Stores the merged file, and responds with its id. */
async function storeMerged(
  service: EdgeService,
  c: EdgeContext,
  body: MergeRequest,
  merged: Merged,
): Promise<Response> {
  const { jobs } = service.options;
  if (!jobs) throw httpError(503, "not_configured", "store: this server keeps no files", "store");
  const caller = c.get("caller");
  const { tenant } = caller;
  const file = { tenant, filename: "merged.safetensors", purpose: "adapter", bytes: bytesOf(merged) };
  const stored = await jobs.files.create(file);
  if (!body.verify) return c.json({ file: fileShape(stored) });
  try {
    const content = { store: contentIn(jobs.store), key: stored.id };
    const model = placedFiles({ "model.safetensors": content }, merged.baseFiles);
    const difference = await largestDifference(service, merged, model, body.base ?? "", caller);
    return c.json({ file: fileShape(stored), verify: { maxLogitDifference: difference, probes: probes.length } });
  } catch (error) {
    // A partial file is removed.
    await jobs.files.delete(stored.id);
    throw error;
  }
}
