/**
 * `/v1/files`: uploads, and the results of jobs.
 * @module
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { checkJsonLines, type FileInfo } from "../../../core/jobs/files.ts";
import { failed, listOf, pageOf } from "../answers.ts";
import { fileShape, resultFileId, resultOf } from "../job_shapes.ts";
import type { JobsContext } from "../jobs_app.ts";

const MAX_BYTES = 256 * 2 ** 20;

/** The routes. */
export function fileRoutes({ options, files, jobs }: JobsContext): Hono {
  const app = new Hono();
  /** A file of a job's result: its key in the store. */
  const resultInfo = async (id: string): Promise<(FileInfo & { key: string }) | undefined> => {
    const named = resultOf(id);
    const record = named && await jobs.get(named.job);
    const name = record?.result?.files[named?.index ?? -1];
    if (!record?.result || name === undefined) return undefined;
    const key = `${record.result.folder}${name}`;
    const found = await options.store.get(key, { offset: 0, length: 0 });
    if (!found) return undefined;
    const createdAt = record.finishedAt ?? record.createdAt;
    return { id, key, bytes: found.size, createdAt, filename: name, purpose: "fine-tune-results" };
  };
  const limit = bodyLimit({
    maxSize: options.maxFileBytes ?? MAX_BYTES,
    onError: () => {
      throw failed(413, "file_too_large", `Files may have ${options.maxFileBytes ?? MAX_BYTES} bytes`, "file");
    },
  });
  app.post("/", limit, async (c) => {
    const form = await c.req.parseBody().catch(() => {
      throw failed(400, "invalid_form", "multipart/form-data with file and purpose is expected");
    });
    const { file, purpose } = form;
    if (!(file instanceof File)) throw failed(400, "missing_file", "file: a file is expected", "file");
    if (purpose !== "fine-tune") throw failed(400, "invalid_value", 'purpose: "fine-tune" is expected', "purpose");
    const filename = file.name.replace(/[^\w. -]/g, "_").slice(-200) || "file";
    const bytes = new Uint8Array(await file.arrayBuffer());
    const rows = checkJsonLines(bytes, filename);
    return c.json(fileShape(await files.create({ filename, purpose, bytes, rows })));
  });
  app.get("/", async (c) => {
    const { after, limit } = pageOf(c, 10_000);
    const purpose = c.req.query("purpose");
    const found: FileInfo[] = [];
    for await (const file of files.list()) {
      if ((after === undefined || file.id < after) && (purpose === undefined || file.purpose === purpose)) {
        found.push(file);
      }
      if (found.length > limit) break;
    }
    if (purpose === "fine-tune-results") {
      for await (const record of jobs.list()) {
        for (const i of (record.result?.files ?? []).keys()) {
          const info = await resultInfo(resultFileId(record, i));
          if (info && found.length <= limit) found.push(info);
        }
      }
    }
    return c.json(listOf(found.map(fileShape), limit));
  });
  const missing = (id: string) => failed(404, "not_found", `No such File object: ${id}`, "file_id");
  app.get("/:id", async (c) => {
    const id = c.req.param("id");
    const found = await files.get(id) ?? await resultInfo(id);
    if (!found) throw missing(id);
    return c.json(fileShape(found));
  });
  app.get("/:id/content", async (c) => {
    const id = c.req.param("id");
    const result = await resultInfo(id);
    const bytes = result ? (await options.store.get(result.key))?.bytes : await files.content(id);
    if (!bytes) throw missing(id);
    return c.body(bytes as Uint8Array<ArrayBuffer>, 200, { "content-type": "application/octet-stream" });
  });
  app.delete("/:id", async (c) => {
    const id = c.req.param("id");
    if (!await files.delete(id)) throw missing(id);
    return c.json({ id, object: "file", deleted: true });
  });
  return app;
}
