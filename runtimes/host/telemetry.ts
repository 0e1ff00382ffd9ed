/**
 * ONNX Runtime's telemetry, which is off: from 1.30 on its library otherwise leaves files in the temporary folder and a
 * device's number in the user's cache, and has what it takes to send them.
 */
import process from "node:process";

const NAME = "ORT_DISABLE_TELEMETRY";

/** The part of bun:ffi that is used. */
type Ffi = Readonly<{
  dlopen(
    library: string,
    symbols: object,
  ): Readonly<{ symbols: Readonly<{ setenv(name: Uint8Array, value: Uint8Array, overwrite: number): number }> }>;
}>;

/**
 * Turns it off for this process; what a user has set stays. The library reads the process's environment as it is loaded, so
 * this comes before. On Node a worker has a copy of the environment: there it is the thread that starts workers whose call
 * counts.
 */
export async function disableTelemetry(): Promise<void> {
  process.env[NAME] ??= "1";
  if ("Bun" in globalThis && process.platform !== "win32") await setInBun(process.env[NAME]);
}

/** Bun keeps what a program sets to itself: the C library's environment is another one. */
async function setInBun(value: string): Promise<void> {
  const module = "bun:ffi";
  const { dlopen } = await import(module) as Ffi;
  const library = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6";
  const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
  const { symbols } = dlopen(library, { setenv: { args: ["cstring", "cstring", "i32"], returns: "i32" } });
  symbols.setenv(text(NAME), text(value), 1);
}
