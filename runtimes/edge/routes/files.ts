/**
 * `/v1/files`: uploads, and the results of jobs.
 * @module
 */
import * as v from "valibot";
import { checkJsonLines, type FileInfo } from "../../../core/jobs/files.ts";
import { sha256 } from "../../../core/fingerprint.ts";
import { parseSafetensorsHeader } from "../../../core/safetensors.ts";
import { behind, failed, listOf, pageOf } from "../answers.ts";
import { parseJson } from "../body.ts";
import { idOnce } from "../idempotency.ts";
import { fileShape, resultFileId, resultOf } from "../job_shapes.ts";
import type { JobsContext } from "../jobs_app.ts";
import type { Caller, EdgeContext, Route } from "../route.ts";

const MAX_BYTES = 256 * 2 ** 20;

/** What an upload says, for /openapi.json. */
const uploadSchema = v.object({
  file: v.any(),
  purpose: v.picklist(["fine-tune", "adapter"]),
  expires_after: v.optional(v.object({ anchor: v.literal("created_at"), seconds: v.number() })),
});

/** The fields of an upload. */
const [ANCHOR, SECONDS] = ["expires_after[anchor]", "expires_after[seconds]"];
const known: ReadonlySet<string> = new Set(["file", "purpose", ANCHOR, SECONDS]);

/** From an hour to thirty days, as OpenAI documents. */
const [LEAST_KEPT, MOST_KEPT] = [3600, 2_592_000];

/** For how long a file shall be kept, if not until it is deleted. Throws 400 where that is not said as it should be. */
function keptOf(form: FormData): number | undefined {
  const [anchor, seconds] = [form.get(ANCHOR), form.get(SECONDS)];
  if (anchor === null && seconds === null) return undefined;
  if (anchor !== "created_at") {
    throw failed(400, "invalid_value", `${ANCHOR}: "created_at" is expected`, ANCHOR);
  }
  const value = typeof seconds === "string" && /^\d+$/.test(seconds) ? Number(seconds) : NaN;
  if (value >= LEAST_KEPT && value <= MOST_KEPT) return value;
  const allowed = `a whole number from ${LEAST_KEPT} to ${MOST_KEPT} is expected`;
  throw failed(400, "invalid_value", `${SECONDS}: ${allowed}`, SECONDS);
}

/** Files of adapters are tensors, or the JSON of their config. Throws AttuneError where they are neither; they have no rows. */
function checkAdapterFile(bytes: Uint8Array<ArrayBuffer>, filename: string): undefined {
  if (filename.endsWith(".json")) parseJson(bytes, "file");
  else parseSafetensorsHeader(bytes, bytes.length, filename);
}

/** The routes. */
export function fileRoutes({ options, kept: values, files, jobs }: JobsContext): readonly Route[] {
  /** A file of a job's result: its key in the store. */
  const resultInfo = async (id: string, { tenant }: Caller): Promise<(FileInfo & { key: string }) | undefined> => {
    const named = resultOf(id);
    const record = named && await jobs.get(named.job);
    const name = record?.result?.files[named?.index ?? -1];
    if (!record?.result || record.tenant !== tenant || name === undefined) return undefined;
    const key = `${record.result.folder}${name}`;
    const found = await options.store.get(key, { offset: 0, length: 0 });
    if (!found) return undefined;
    const createdAt = record.finishedAt ?? record.createdAt;
    const bytes = found.size;
    return { id, key, tenant, bytes, createdAt, filename: name, purpose: "fine-tune-results" };
  };
  const uploaded = async (id: string, { tenant }: Caller): Promise<FileInfo | undefined> => {
    const found = await files.get(id);
    return found?.tenant === tenant ? found : undefined;
  };
  const idOf = (c: EdgeContext): string => c.req.param("id") ?? "";
  const missing = (id: string) => failed(404, "not_found", `No such File object: ${id}`, "file_id");

  const upload = async (c: EdgeContext): Promise<Response> => {
    const form = await c.get("incoming").form();
    const [file, purpose] = [form.get("file"), form.get("purpose")];
    if (!(file instanceof File)) throw failed(400, "missing_file", "file: a file is expected", "file");
    for (const key of form.keys()) {
      if (known.has(key)) continue;
      throw failed(400, "unsupported", `${key}: ${[...known].join(", ")} are known`, key);
    }
    const keptSeconds = keptOf(form);
    if (purpose !== "fine-tune" && purpose !== "adapter") {
      throw failed(400, "invalid_value", 'purpose: "fine-tune" or "adapter" is expected', "purpose");
    }
    const filename = (file.name.split(/[\\/]/).at(-1) ?? "").replace(/[^\w. -]/g, "_").slice(-200) || "file";
    const bytes = new Uint8Array(await file.arrayBuffer());
    const rows = purpose === "adapter" ? checkAdapterFile(bytes, filename) : checkJsonLines(bytes, filename);
    const { tenant } = c.get("caller");
    const kept = keptSeconds === undefined ? {} : { keptSeconds };
    const request = JSON.stringify([filename, purpose, await sha256(bytes), ...Object.values(kept)]);
    const id = await idOnce(c, values, request, files.newId);
    const made = { id, tenant, filename, purpose, bytes, ...(rows ? { rows } : {}), ...kept };
    return c.json(fileShape(await files.create(made)));
  };
  const list = async (c: EdgeContext): Promise<Response> => {
    const { after, limit } = pageOf(c, 10_000);
    const { purpose, order = "desc" } = c.req.query();
    if (order !== "asc" && order !== "desc") {
      throw failed(400, "invalid_value", "order: asc or desc is expected", "order");
    }
    const caller = c.get("caller");
    const found: FileInfo[] = [];
    for await (const file of files.list()) if (file.tenant === caller.tenant) found.push(file);
    for await (const record of jobs.list()) {
      for (const i of (record.result?.files ?? []).keys()) {
        const info = await resultInfo(resultFileId(record, i), caller);
        if (info) found.push(info);
      }
    }
    const wanted = found.filter((file) => purpose === undefined || file.purpose === purpose)
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
    if (order === "desc") wanted.reverse();
    return c.json(listOf(behind(wanted, after, "file").map(fileShape), limit));
  };
  const retrieve = async (c: EdgeContext): Promise<Response> => {
    const found = await uploaded(idOf(c), c.get("caller")) ?? await resultInfo(idOf(c), c.get("caller"));
    if (!found) throw missing(idOf(c));
    return c.json(fileShape(found));
  };
  const content = async (c: EdgeContext): Promise<Response> => {
    const id = idOf(c);
    const result = await resultInfo(id, c.get("caller"));
    const bytes = result
      ? (await options.store.get(result.key))?.bytes
      : await uploaded(id, c.get("caller")) && await files.content(id);
    if (!bytes) throw missing(id);
    return c.body(bytes as Uint8Array<ArrayBuffer>, 200, { "content-type": "application/octet-stream" });
  };
  const remove = async (c: EdgeContext): Promise<Response> => {
    const id = idOf(c);
    if (!await uploaded(id, c.get("caller")) || !await files.delete(id)) throw missing(id);
    return c.json({ id, object: "file", deleted: true });
  };

  const shared = { policy: "files", rate: "light", maxBytes: 0 } as const;
  return [
    {
      ...shared,
      method: "post",
      path: "/v1/files",
      rate: "submit",
      maxBytes: options.maxFileBytes ?? MAX_BYTES,
      summary: "Upload rows as JSON lines, or an adapter",
      accepts: { "multipart/form-data": uploadSchema },
      handle: upload,
    },
    {
      ...shared,
      method: "get",
      path: "/v1/files",
      summary: "List files",
      query: {
        after: "the last id of the page before",
        limit: "at most so many",
        order: "desc (the newest first) or asc",
        purpose: "only these",
      },
      handle: list,
    },
    { ...shared, method: "get", path: "/v1/files/:id", summary: "A file's name and size", handle: retrieve },
    { ...shared, method: "get", path: "/v1/files/:id/content", summary: "A file's bytes", handle: content },
    { ...shared, method: "delete", path: "/v1/files/:id", summary: "Delete a file", handle: remove },
  ];
}
