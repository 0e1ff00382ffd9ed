/** What the pool and its workers say to one another. Bodies flow in pieces that the other side asks for. */
import type { NativeGate } from "../host/native_gate.ts";
import type { Caller } from "../http/route.ts";
import type { EdgeLimits } from "../serve/options.ts";

/** What a worker is made of; everything else it opens itself. */
export type WorkerSettings = Readonly<{
  store: string;
  models: string | undefined;
  plugins?: readonly string[] | undefined;
  allowHub: boolean | readonly string[];
  limits: Partial<EdgeLimits>;
  threads?: number | undefined;
}>;

/** What a worker is started with. */
export type WorkerStart = Readonly<{ settings: WorkerSettings; gate: NativeGate }>;

/** To a worker. `isWhole`: the answer comes in one piece; `body` absent: it comes in pieces. */
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

/** From a worker. */
export type FromWorker =
  | Readonly<{ type: "ready" }>
  | Readonly<{ type: "pong" }>
  | Readonly<
    { type: "head"; id: number; status: number; headers: readonly (readonly [string, string])[]; body?: Uint8Array }
  >
  | Readonly<{ type: "part"; id: number; bytes: Uint8Array }>
  | Readonly<{ type: "end" | "cut" | "pull"; id: number }>;
