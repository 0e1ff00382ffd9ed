/** `/v1/files`: uploads, and the results of jobs. */
import * as v from "valibot";
import { badFile } from "../../core/base/errors.ts";
import { contentIn, type FileInfo } from "../../core/jobs/files.ts";
import { lineCheck } from "../../core/jobs/json_lines.ts";
import { digestedPieces } from "../../core/base/sha256.ts";
import { openSafetensors } from "../../core/files/safetensors.ts";
import type { Store } from "../../core/types.ts";
import { httpError, listOf, pageAfter, pageOf } from "../http/responses.ts";
import { parseJson } from "../http/body.ts";
import { idOnce } from "../http/idempotency.ts";
import { fileShape, resultFileId, resultOf } from "../http/shapes.ts";
import type { JobsContext } from "./jobs_context.ts";
import { type FormPart, textOf } from "../http/multipart.ts";
import { placedFiles } from "../http/read_files.ts";
import type { Caller, EdgeContext, Route } from "../http/route.ts";
import { storedBody } from "./stored_body.ts";

/** The largest size of an upload in bytes, and the longest time in seconds. */
export const [UPLOAD_BYTES, UPLOAD_SECONDS]: readonly [number, number] = [256 * 2 ** 20, 600];

/** The schema of an upload, for /openapi.json. */
const uploadSchema = v.object({
  file: v.any(),
  purpose: v.picklist(["fine-tune", "adapter"]),
  expires_after: v.optional(v.object({ anchor: v.literal("created_at"), seconds: v.number() })),
});

/** Form fields that set an upload's expiry. */
const [ANCHOR, SECONDS] = ["expires_after[anchor]", "expires_after[seconds]"];
const uploadFields: ReadonlySet<string> = new Set(["file", "purpose", ANCHOR, SECONDS]);

/** Limits of the expiry in seconds, from an hour to thirty days, as OpenAI documents. */
const [LEAST_KEPT, MOST_KEPT] = [3600, 2_592_000];

/** Returns the seconds after which a file expires; undefined: never. Throws 400 if the fields are invalid. */
function keptOf(form: ReadonlyMap<string, string>): number | undefined {
  const [anchor, seconds] = [form.get(ANCHOR), form.get(SECONDS)];
  if (anchor === undefined && seconds === undefined) return undefined;
  if (anchor !== "created_at") {
    throw httpError(400, "invalid_value", `${ANCHOR}: "created_at" is expected`, ANCHOR);
  }
  const value = seconds !== undefined && /^\d+$/.test(seconds) ? Number(seconds) : NaN;
  if (value >= LEAST_KEPT && value <= MOST_KEPT) return value;
  const allowed = `a whole number from ${LEAST_KEPT} to ${MOST_KEPT} is expected`;
  throw httpError(400, "invalid_value", `${SECONDS}: ${allowed}`, SECONDS);
}

/** Bytes that are hashed and written at once: on Deno nothing else happens meanwhile. */
const PIECE = 2 ** 17;

/** The largest size of an adapter's config, in bytes. */
const MAX_CONFIG = 4 * 2 ** 20;

/** Checks that an adapter's file contains tensors, or the JSON of its config. Throws AttuneError if it does not. */
async function checkAdapterFile(content: Store, id: string, filename: string): Promise<void> {
  if (!filename.endsWith(".json")) {
    return void await openSafetensors(placedFiles({ [filename]: { store: content, key: id } }), filename);
  }
  const config = await content.get(id, { offset: 0, length: MAX_CONFIG + 1 });
  if (config && config.size > MAX_CONFIG) throw badFile("files", filename, `has more than ${MAX_CONFIG} bytes`);
  parseJson(config?.bytes ?? new Uint8Array(), "file");
}

/** A received file. `rows` counts its lines, and throws if they are not JSON. */
type Received = Readonly<{ id: string; filename: string; digest: string; rows(): number }>;

/** Finds a file of a job's result, with its key in the store. */
async function findResult(
  { options, jobs }: JobsContext,
  id: string,
  { tenant }: Caller,
): Promise<(FileInfo & { key: string }) | undefined> {
  const named = resultOf(id);
  const record = named && await jobs.get(named.job);
  const name = record?.result?.files[named?.index ?? -1];
  if (!record?.result || record.tenant !== tenant || name === undefined) return undefined;
  const key = `${record.result.folder}${name}`;
  const object = await options.store.get(key, { offset: 0, length: 0 });
  if (!object) return undefined;
  const createdAt = record.finishedAt ?? record.createdAt;
  const bytes = object.size;
  return { id, key, tenant, bytes, createdAt, filename: name, purpose: "fine-tune-results" };
}

/** Finds a file that a tenant has uploaded. */
async function findUpload({ files }: JobsContext, id: string, { tenant }: Caller): Promise<FileInfo | undefined> {
  const info = await files.get(id);
  return info?.tenant === tenant ? info : undefined;
}

const idOf = (c: EdgeContext): string => c.req.param("id") ?? "";
const missing = (id: string): Error => httpError(404, "not_found", `No such File object: ${id}`, "file_id");

/** Receives a file as a stream and checks its lines, although the field that requires lines may only come later. */
async function receiveFile(
  { files }: JobsContext,
  { bytes, filename: name = "" }: FormPart,
  id: string,
): Promise<Received> {
  const filename = (name.split(/[\\/]/).at(-1) ?? "").replace(/[^\w. -]|^\.+$/g, "_").slice(-200) || "file";
  const check = lineCheck(filename);
  let wrong: unknown;
  const looked = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      try {
        if (wrong === undefined) check.push(piece);
      } catch (error) {
        wrong = error;
      }
      yield piece;
    }
  };
  const { pieces, digest } = digestedPieces(looked(), PIECE);
  await files.receive(id, pieces);
  const rows = (): number => {
    if (wrong !== undefined) throw wrong;
    return check.end();
  };
  return { id, filename, digest: await digest(), rows };
}

/** Receives an upload's form: its file, as a stream, and its other fields. */
async function uploadFile(context: JobsContext, c: EdgeContext): Promise<Response> {
  const { files } = context;
  const form = new Map<string, string>();
  const id = files.newId();
  let file: Received | undefined;
  try {
    for await (const part of c.get("incoming").form()) {
      const { name } = part;
      if (!uploadFields.has(name)) {
        throw httpError(400, "unsupported", `${name}: ${[...uploadFields].join(", ")} are known`, name);
      }
      if (name !== "file") form.set(name, await textOf(part));
      else if (part.filename === undefined) break;
      else if (file) throw httpError(400, "invalid_value", "file: one file is expected", "file");
      else file = await receiveFile(context, part, id);
    }
    if (!file) throw httpError(400, "missing_file", "file: a file is expected", "file");
    return await createFile(context, c, file, form);
  } catch (error) {
    await files.discard(id).catch(() => {});
    throw error;
  }
}

/** Creates a file from a complete form. */
async function createFile(
  { options, sealed: values, files }: JobsContext,
  c: EdgeContext,
  file: Received,
  form: ReadonlyMap<string, string>,
): Promise<Response> {
  const { filename } = file;
  const purpose = form.get("purpose");
  const keptSeconds = keptOf(form);
  if (purpose !== "fine-tune" && purpose !== "adapter") {
    throw httpError(400, "invalid_value", 'purpose: "fine-tune" or "adapter" is expected', "purpose");
  }
  if (purpose === "adapter") await checkAdapterFile(contentIn(options.store), file.id, filename);
  const rows = purpose === "adapter" ? undefined : file.rows();
  const { tenant } = c.get("caller");
  const retention = keptSeconds === undefined ? {} : { keptSeconds };
  const request = JSON.stringify([filename, purpose, file.digest, ...Object.values(retention)]);
  const id = await idOnce(c, values, request, () => file.id);
  // The idempotency key was used before, so this file already exists.
  if (id !== file.id) await files.discard(file.id);
  return c.json(
    fileShape(await files.create({ id, tenant, filename, purpose, ...(rows ? { rows } : {}), ...retention })),
  );
}

/** Lists a tenant's files: its uploads, and the results of its jobs. */
async function listFiles(context: JobsContext, c: EdgeContext): Promise<Response> {
  const { files, jobs } = context;
  const { after, limit } = pageOf(c, 10_000);
  const { purpose, order = "desc" } = c.req.query();
  if (order !== "asc" && order !== "desc") {
    throw httpError(400, "invalid_value", "order: asc or desc is expected", "order");
  }
  const caller = c.get("caller");
  const all: FileInfo[] = [];
  for await (const file of files.list()) if (file.tenant === caller.tenant) all.push(file);
  for await (const record of jobs.list()) {
    for (const i of (record.result?.files ?? []).keys()) {
      const info = await findResult(context, resultFileId(record, i), caller);
      if (info) all.push(info);
    }
  }
  const wanted = all.filter((file) => purpose === undefined || file.purpose === purpose)
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  if (order === "desc") wanted.reverse();
  return c.json(listOf(pageAfter(wanted, after, "file").map(fileShape), limit));
}

/** Returns the routes of files. */
export function fileRoutes(context: JobsContext): readonly Route[] {
  const { options, files } = context;
  const retrieve = async (c: EdgeContext): Promise<Response> => {
    const info = await findUpload(context, idOf(c), c.get("caller")) ??
      await findResult(context, idOf(c), c.get("caller"));
    if (!info) throw missing(idOf(c));
    return c.json(fileShape(info));
  };
  const content = async (c: EdgeContext): Promise<Response> => {
    const id = idOf(c);
    const result = await findResult(context, id, c.get("caller"));
    if (result) return await storedBody(options.store, result.key);
    if (!await findUpload(context, id, c.get("caller"))) throw missing(id);
    return await storedBody(contentIn(options.store), id);
  };
  const remove = async (c: EdgeContext): Promise<Response> => {
    const id = idOf(c);
    if (!await findUpload(context, id, c.get("caller")) || !await files.delete(id)) throw missing(id);
    return c.json({ id, object: "file", deleted: true });
  };

  const shared = { policy: "files", rate: "light", maxBytes: 0 } as const;
  return [
    {
      ...shared,
      method: "post",
      path: "/v1/files",
      rate: "submit",
      maxBytes: options.maxFileBytes ?? UPLOAD_BYTES,
      seconds: options.maxFileSeconds ?? UPLOAD_SECONDS,
      summary: "Upload rows as JSON lines, or an adapter",
      accepts: { "multipart/form-data": uploadSchema },
      handle: (c) => uploadFile(context, c),
    },
    {
      ...shared,
      method: "get",
      path: "/v1/files",
      summary: "List files",
      query: {
        after: "the last id of the previous page",
        limit: "the most to list",
        order: "desc (the newest first) or asc",
        purpose: "only these",
      },
      handle: (c) => listFiles(context, c),
    },
    { ...shared, method: "get", path: "/v1/files/:id", summary: "A file's name and size", handle: retrieve },
    { ...shared, method: "get", path: "/v1/files/:id/content", summary: "A file's bytes", handle: content },
    { ...shared, method: "delete", path: "/v1/files/:id", summary: "Delete a file", handle: remove },
  ];
}
