/** Idempotency keys: a request that is repeated with the same key creates just one object. */
import { sha256 } from "../../core/base/sha256.ts";
import type { Sealed } from "../../core/jobs/sealed.ts";
import { httpError } from "./responses.ts";
import type { EdgeContext } from "./route.ts";

/**
 * Returns the id of the object that a request creates: the one that its key has been given before, or a new one.
 *
 * @throws the error to respond with if the key was used for another request.
 */
export async function idOnce(c: EdgeContext, sealed: Sealed, request: string, newId: () => string): Promise<string> {
  const key = c.req.header("idempotency-key");
  if (key === undefined) return newId();
  const at = `idempotency/${await sha256(`${c.get("caller").tenant}\n${key}`)}`;
  const record = { id: newId(), body: await sha256(request) };
  if (await sealed.write(at, record, { if: null }) !== "conflict") return record.id;
  const before = (await sealed.read<typeof record>(at))?.value;
  // The stored record is damaged, and the id in it is lost.
  if (!before) return record.id;
  if (before.body === record.body) return before.id;
  throw httpError(409, "idempotency_key_reused", "This idempotency key was used for another request");
}
