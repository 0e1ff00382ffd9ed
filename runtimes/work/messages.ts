/** Messages between the pool and its workers. Bodies are sent in pieces that the receiver requests. */
import type { NativeGate } from "../host/native_gate.ts";
import type { Caller } from "../http/route.ts";
import type { EdgeLimits } from "../serve/options.ts";

/** Settings of a worker, from which it opens everything itself. */
export type WorkerSettings = Readonly<{
  store: string;
  models: string | undefined;
  plugins?: readonly string[] | undefined;
  allowHub: boolean | readonly string[];
  limits: Partial<EdgeLimits>;
  threads?: number | undefined;
}>;

/** The data that a worker is started with. */
export type WorkerStart = Readonly<{ settings: WorkerSettings; gate: NativeGate }>;

/** A message to a worker. `isWhole`: the response is sent in one piece; `body` absent: the body follows in pieces. */
export type ToWorker =
  | Readonly<{
    type: "request";
    id: number;
    method: string;
    path: string;
    headers: Readonly<Record<string, string>>;
    caller: Caller | undefined;
    body: Uint8Array<ArrayBuffer> | undefined;
    isWhole: boolean;
  }>
  | Readonly<{ type: "part"; id: number; bytes: Uint8Array }>
  | Readonly<{ type: "end" | "cut" | "pull" | "abort"; id: number }>
  | Readonly<{ type: "ping" }>;

/** A message from a worker. */
export type FromWorker =
  | Readonly<{ type: "ready" }>
  | Readonly<{ type: "pong" }>
  | Readonly<
    { type: "head"; id: number; status: number; headers: readonly (readonly [string, string])[]; body?: Uint8Array }
  >
  | Readonly<{ type: "part"; id: number; bytes: Uint8Array }>
  | Readonly<{ type: "end" | "cut" | "pull"; id: number }>;
