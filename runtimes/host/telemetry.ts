/**
 * Disables ONNX Runtime's telemetry. From 1.30 on, its library otherwise leaves files in the temporary folder and a
 * device id in the user's cache, and is able to send them.
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
 * Disables telemetry for this process, unless the user has configured it. Must be called before the library is loaded,
 * which reads the environment then. On Node, workers have a copy of the environment, so the thread that starts workers
 * has to call this.
 */
export async function disableTelemetry(): Promise<void> {
  process.env[NAME] ??= "1";
  if ("Bun" in globalThis && process.platform !== "win32") await setInBun(process.env[NAME]);
}

/** Sets the variable in the C library's environment, which Bun does not change when a program sets one. */
async function setInBun(value: string): Promise<void> {
  const module = "bun:ffi";
  const { dlopen } = await import(module) as Ffi;
  const library = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6";
  const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
  const { symbols } = dlopen(library, { setenv: { args: ["cstring", "cstring", "i32"], returns: "i32" } });
  symbols.setenv(text(NAME), text(value), 1);
}
