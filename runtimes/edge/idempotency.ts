/**
 * Idempotency keys: under one, the same request makes one thing, however often it is sent.
 * @module
 */
import { jsonBytes, jsonIn } from "../../core/bytes.ts";
import { sha256 } from "../../core/fingerprint.ts";
import type { Store } from "../../core/types.ts";
import { failed } from "./answers.ts";
import type { EdgeContext } from "./route.ts";

/**
 * The id for what a request makes: the one that its key was given before, or a new one.
 *
 * @throws what a route throws where the key was used for another request.
 */
export async function idOnce(c: EdgeContext, store: Store, request: string, newId: () => string): Promise<string> {
  const key = c.req.header("idempotency-key");
  if (key === undefined) return newId();
  const at = `idempotency/${await sha256(`${c.get("caller").tenant}\n${key}`)}`;
  const own = { id: newId(), body: await sha256(request) };
  const done = await store.put(at, jsonBytes(own), { if: null });
  if (done !== "conflict") return own.id;
  const found = await store.get(at);
  const before = found && jsonIn<typeof own>(found.bytes);
  if (before?.body === own.body) return before.id;
  throw failed(409, "idempotency_key_reused", "This idempotency key was used for another request");
}
