/** A real NATS server for tests, where nats-server is installed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Why NATS cannot be tested here; false where it can. */
export const noNats: string | false = spawnSync("nats-server", ["--version"]).status === 0
  ? false
  : "nats-server is not installed (Debian: apt-get install nats-server)";

/** A server with an empty store. */
export type NatsServer = Readonly<
  { url: string; kill(): Promise<void>; start(): Promise<void>; stop(): Promise<void> }
>;

/** Starts one. */
export async function natsServer(): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), "attune-nats-"));
  const port = await freePort();
  let child: ChildProcess = spawn("true", []);
  const ended = (): Promise<void> => new Promise((resolve) => child.once("close", () => resolve()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = ended();
    process.kill(child.pid ?? 0, signal);
    await gone;
  };
  const start = async (): Promise<void> => {
    const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder];
    child = spawn("nats-server", args, { stdio: ["ignore", "ignore", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      let text = "";
      child.stderr?.on("data", (chunk: Uint8Array) => {
        text += new TextDecoder().decode(chunk);
        if (text.includes("Server is ready")) resolve();
      });
      child.once("close", () => reject(new Error(text)));
    });
  };
  await start();
  return { url: `nats://127.0.0.1:${port}`, start, kill: () => end("SIGKILL"), stop: () => end("SIGTERM") };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
