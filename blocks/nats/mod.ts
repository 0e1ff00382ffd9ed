/**
 * Building blocks of plugins that use a NATS server: its address as an option, and the connection.
 * @module
 */
import type { NatsConnection } from "@nats-io/nats-core";
import * as v from "valibot";
import { storeFailed } from "../../core/base/errors.ts";
import { notInstalled } from "../../core/base/not_installed.ts";
import { revealSecret } from "../../core/spec/secrets.ts";
import type { Host, Secret } from "../../core/types.ts";
import { secretOption } from "../options/mod.ts";

/** Schema of a server's address. */
export const natsUrl: v.GenericSchema<Secret> = secretOption(v.pipe(v.string(), v.regex(/^(nats|tls|wss?):\/\//)));

/** Throws the error that names the packages to install, if their import failed because they are absent. */
export const withoutNats: (error: unknown) => never = notInstalled({
  plugin: "nats",
  name: "@nats-io",
  purpose: "A NATS server",
  install: "npm install @nats-io/transport-node@3 @nats-io/jetstream@3 @nats-io/kv@3 @nats-io/obj@3",
});

/** Opens a connection that reconnects automatically: over TCP, or over WebSockets for ws:// and wss://. */
export async function connectNats(address: Secret, at: Host): Promise<NatsConnection> {
  const { username, password, protocol, host } = new URL(revealSecret("nats", address, at));
  const options = {
    servers: protocol.startsWith("ws") ? `${protocol}//${host}` : host,
    ...(username ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {}),
    ...(protocol === "tls:" ? { tls: {} } : {}),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
  };
  const open = protocol.startsWith("ws")
    ? (await import("@nats-io/nats-core").catch(withoutNats)).wsconnect
    : (await import("@nats-io/transport-node").catch(withoutNats)).connect;
  try {
    return await open(options);
  } catch (error) {
    throw storeFailed("nats", `${protocol}//${host}`, error);
  }
}
